"""The settings of all services, read together: for commands that concern the whole installation."""

from collections.abc import Mapping
from typing import Any, TypeVar

from dealreg.auditor.settings import AuditorSettings
from dealreg_coverage.settings import CoverageSettings
from dealreg_notifier.settings import NotifierSettings
from dealreg_registration.settings import RegistrationSettings
from dealreg_shared.config import SharedSettings, load

S = TypeVar("S", bound=SharedSettings)

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


def settings_of(kind: type[S], settings: Mapping[str, SharedSettings]) -> S:
    """The settings of one service among ``all_settings``. Raises ``LookupError``."""
    for each in settings.values():
        if isinstance(each, kind):
            return each
    raise LookupError(f"no {kind.__name__} among them")
