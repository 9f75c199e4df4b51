"""Starts service processes by forking one that has imported everything already.

A proof that kills hundreds of processes would spend most of its time on imports. A forked process is a
process like any other: it can be killed and paused, and shares nothing that it writes. ``python -m
tests.faults.spawner`` is the one that forks; it must stay single-threaded, and ends with its stdin.
"""

import gc
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
MODULES = (
    "aiokafka",
    "asyncpg",
    "dealreg_coverage.__main__",
    "dealreg_notifier.__main__",
    "dealreg_registration.__main__",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "tests.faults.service",
)
LOOK_SECONDS = 0.02


@dataclass(eq=False, slots=True)
class Forked:
    """A forked process, with as much of ``subprocess.Popen`` as a proof needs."""

    pid: int = 0
    returncode: int | None = None
    _started: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises ``subprocess.TimeoutExpired``."""
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(["forked"], timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """To a process that has ended: nothing."""
        self._started.wait()
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9."""
        self.send_signal(signal.SIGKILL)

    def began(self, pid: int) -> None:
        self.pid = pid
        self._started.set()

    def ended(self, code: int) -> None:
        self.returncode = code
        self._ended.set()


class Spawner:
    """The other side: tells the forking process what to start, hears what has ended."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None and process.stdout is not None
        self._orders: IO[bytes] = process.stdin
        self._news: IO[bytes] = process.stdout
        self._waiting: list[Forked] = []
        self._running: dict[int, Forked] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def start(self, service: str, environment: Mapping[str, str], log: Path) -> Forked:
        """Fork one that serves ``service``."""
        forked = Forked()
        self._waiting.append(forked)
        order = {"service": service, "environment": dict(environment), "log": str(log)}
        self._orders.write(json.dumps(order).encode() + b"\n")
        self._orders.flush()
        return forked

    def _listen(self) -> None:
        for line in self._news:
            what, pid, code = json.loads(line)
            if what == "began":
                self._running[pid] = self._waiting.pop(0)
                self._running[pid].began(pid)
            else:
                self._running.pop(pid).ended(code)


@contextmanager
def spawner() -> Iterator[Spawner]:
    """A spawner; what it started ends with it."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.spawner"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield Spawner(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def main() -> None:
    """Fork until stdin ends."""
    news = os.fdopen(os.dup(1), "wb", buffering=0)
    for name in MODULES:
        import_module(name)
    gc.collect()
    gc.freeze()
    running: set[int] = set()
    pending = b""
    while True:
        if select.select([0], [], [], LOOK_SECONDS)[0]:
            read = os.read(0, 1 << 16)
            if not read:
                break
            *lines, pending = (pending + read).split(b"\n")
            for line in lines:
                pid = _fork(json.loads(line))
                running.add(pid)
                news.write(json.dumps(["began", pid, 0]).encode() + b"\n")
        while running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            running.discard(pid)
            code = os.waitstatus_to_exitcode(status)
            news.write(json.dumps(["ended", pid, code]).encode() + b"\n")
    for pid in running:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code: Any = 1
    try:
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.closerange(3, 64)
        os.environ.clear()
        os.environ.update(order["environment"])
        import_module("tests.faults.service").main(order["service"])
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    main()
