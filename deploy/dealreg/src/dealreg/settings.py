"""The settings of all services, read together: for commands that concern the whole installation."""

from typing import Any

from dealreg.auditor.settings import AuditorSettings
from dealreg_coverage.settings import CoverageSettings
from dealreg_notifier.settings import NotifierSettings
from dealreg_registration.settings import RegistrationSettings
from dealreg_shared.config import SharedSettings, load

CLASSES: dict[str, type[SharedSettings]] = {
    "registration": RegistrationSettings,
    "coverage": CoverageSettings,
    "notifier": NotifierSettings,
}
"""Service -> its settings, in the order in which services start."""


def all_settings(**values: Any) -> dict[str, SharedSettings]:
    """Service -> settings, from the environment; ``values`` win over it.

    Raises ``ConfigurationError`` with a sentence for every fault.
    """
    known: list[type[SharedSettings]] = [*CLASSES.values(), AuditorSettings]
    return {
        name: load(each, known=known, **{k: v for k, v in values.items() if k in each.model_fields})
        for name, each in CLASSES.items()
    }
