"""The auditor in a process of its own, on the same clock and topics as the services of a proof."""

from collections.abc import Callable
from datetime import datetime

from dealreg.auditor.app import build
from dealreg.auditor.settings import auditor_settings
from dealreg.settings import all_settings
from dealreg_shared import serve
from dealreg_shared.bus.port import Bus
from dealreg_shared.config import SharedSettings
from dealreg_shared.runtime import Service


def run(make_bus: Callable[[SharedSettings], Bus], now: Callable[[], datetime]) -> int:
    """Serve until told to stop; the exit code."""
    settings = auditor_settings({})

    def assemble() -> list[Service]:
        bus = make_bus(settings)
        service = build(settings, all_settings(), bus=bus, now=now, alone=True)
        service.close_afterwards(bus.close)
        return [service]

    return serve.run(settings, assemble)
