"""The auditor's settings, beside those that all processes share and the services' databases."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from dealreg_coverage.settings import CoverageSettings
from dealreg_notifier.settings import NotifierSettings
from dealreg_registration.settings import RegistrationSettings
from dealreg_shared.config import SharedSettings, load


class AuditorSettings(SharedSettings):
    """What the auditor alone needs to know: how often it looks, and whom it tells that all is well."""

    auditor_watch_seconds: float = Field(
        5.0, ge=0.2, le=15, description="How often the auditor looks whether everything moves."
    )
    auditor_books_seconds: float = Field(
        30.0,
        ge=0.2,
        le=3600,
        description="Pause between two rounds in which the auditor compares what the services know.",
    )
    auditor_silent_seconds: float = Field(
        30.0,
        ge=6,
        le=600,
        description="A part whose heartbeat stands still for so long is named; heartbeats come every "
        "5 seconds.",
    )
    auditor_check_seconds: float = Field(
        10.0,
        gt=0,
        le=120,
        description="Longest time for one look of one check; what takes longer is stopped and named.",
    )
    auditor_ping_url: str | None = Field(
        None,
        pattern=r"^https?://\S+$",
        description="The dead man's URL: gets a POST after each clean round, and only then. Whoever "
        "listens there should alarm when it falls silent for three minutes.",
    )
    auditor_ping_loopback: bool = Field(
        False,
        description="For development only: the dead man's URL may be on this machine, also over plain "
        "HTTP.",
    )


def auditor_settings(values: Mapping[str, Any]) -> AuditorSettings:
    """From the environment, which may hold the services' variables too; ``values`` win over it.

    Raises ``ConfigurationError``.
    """
    known: list[type[SharedSettings]] = [RegistrationSettings, CoverageSettings, NotifierSettings]
    return load(AuditorSettings, known=known, **values)
