"""Builds the three services of one process: one bus, one clock, one data folder."""

from collections.abc import Callable, Mapping
from datetime import datetime

from dealreg.settings import settings_of
from dealreg_coverage import app as coverage
from dealreg_coverage.settings import CoverageSettings
from dealreg_notifier import app as notifier
from dealreg_notifier.settings import NotifierSettings
from dealreg_registration import app as registration
from dealreg_registration.settings import RegistrationSettings
from dealreg_shared.bus.factory import make_bus
from dealreg_shared.bus.port import Bus
from dealreg_shared.config import SharedSettings
from dealreg_shared.runtime import Service


def build_all(
    settings: Mapping[str, SharedSettings], now: Callable[[], datetime], bus: Bus | None = None
) -> list[Service]:
    """Registration, coverage and notifier, on the bus of the settings or the one given.

    The first one, which stops last, closes the bus."""
    of_registration = settings_of(RegistrationSettings, settings)
    bus = bus or make_bus(of_registration)
    services = [
        registration.build(of_registration, bus=bus, now=now),
        coverage.build(settings_of(CoverageSettings, settings), bus=bus, now=now),
        notifier.build(settings_of(NotifierSettings, settings), bus=bus, now=now),
    ]
    services[0].close_afterwards(bus.close)
    return services
