"""What a supervisor does in production: a process that asks for it by exit code 75 is started again."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from dealreg_shared.restart import EXIT_CODE
from tests.faults.installation import SERVICES, Installation, Process

LOOK_SECONDS = 0.1


@dataclass(eq=False)
class Supervisor:
    """Services of an installation, each always at the same address.

    ``restarts`` names each that asked to be started again; ``faults`` says every other end.
    """

    made: Installation
    more: Mapping[str, str] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    restarts: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def start(self, service: str, port: int | None = None) -> Process:
        """Start a process of ``service``, at the port that it had before."""
        more = dict(self.more)
        if port is not None:
            more["DEALREG_HTTP_PORT"] = str(port)
        process = self.made.start(service, more=more)
        process.port = process.port if port is None else port
        self.processes[service] = process
        return process

    def look(self) -> None:
        """Start again what has ended, until the watch is over."""
        while not self._over.wait(LOOK_SECONDS):
            for service, process in list(self.processes.items()):
                if process.running:
                    continue
                code = process.popen.returncode
                if code == EXIT_CODE:
                    self.restarts.append(service)
                else:
                    self.faults.append(f"{service} ended with {code}: {process.words()[-600:]}")
                self.start(service, process.port)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Supervise while the context lasts."""
        self._over.clear()
        thread = threading.Thread(target=self.look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def start_all(self) -> None:
        """One process of each service."""
        for service in SERVICES:
            self.start(service)
