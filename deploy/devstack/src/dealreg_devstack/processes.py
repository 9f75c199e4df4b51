"""Starts programs, and ends only those that this package started.

A process id is used again by the system, so an id alone proves nothing: a process counts as ours
when its id, its start time and a mark on its command line all agree.
"""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from dealreg_devstack.errors import DevstackFailed
from dealreg_devstack.privileges import dropped

_START_TIME_TOLERANCE = 2.0  # seconds; the boot time it is computed from may be corrected


def plain_environment() -> dict[str, str]:
    """What a server needs to know; the caller's PGHOST or JAVA_TOOL_OPTIONS are not part of it."""
    environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
    if "LD_LIBRARY_PATH" in os.environ:
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return environment


def run(
    command: Sequence[str | Path],
    *,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> str:
    """Run a program to its end without root's rights and return what it printed.

    `timeout` is in seconds. Raises DevstackFailed with the program's own words.
    """
    name = Path(command[0]).name
    try:
        result = subprocess.run(  # noqa: S603 (the commands are our own)
            [str(part) for part in command],
            input=stdin,
            capture_output=True,
            text=True,
            env={**plain_environment(), **(environment or {})},
            cwd="/",
            timeout=timeout,
            check=False,
            **dropped(),
        )
    except OSError as error:
        raise DevstackFailed(f"{command[0]} cannot be run: {error.strerror}.") from error
    except subprocess.TimeoutExpired as error:
        raise DevstackFailed(f"{name} did not end within {timeout:.0f} s.") from error
    if result.returncode != 0:
        words = (result.stderr.strip() or result.stdout.strip() or "no output").splitlines()
        raise DevstackFailed(f"{name} ended with {result.returncode}: {' / '.join(words[-3:])}")
    return result.stdout


@dataclass(frozen=True)
class OwnProcess:
    """A process that this package started, recognisable later and from another process."""

    pid: int
    started: float
    mark: str

    @classmethod
    def of(cls, pid: int, mark: str) -> "OwnProcess":
        """Identify the running process `pid`; `mark` is a part of its command line."""
        try:
            return cls(pid, psutil.Process(pid).create_time(), mark)
        except psutil.NoSuchProcess as error:
            raise DevstackFailed(f"Process {pid} ended at once.") from error

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "OwnProcess":
        """Read what `to_state` wrote."""
        return cls(int(state["pid"]), float(state["started"]), str(state["mark"]))

    def to_state(self) -> dict[str, Any]:
        """A form for a state file."""
        return asdict(self)

    def alive(self) -> bool:
        """Whether the process still runs and still is the one that was started."""
        return self._found() is not None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process is gone or its id is somebody else's by now."""
        process = self._found()
        if process is not None:
            process.send_signal(number)

    def end(self, *, patience: float = 20) -> None:
        """Ask the process to end; kill it after `patience` seconds. Returns when it is gone."""
        self.signal(signal.SIGCONT)  # a stopped process would not hear the next one
        self.signal(signal.SIGTERM)
        if not eventually(lambda: not self.alive(), within=patience):
            self.kill()

    def kill(self) -> None:
        """Kill the process and those it started, at once. Returns when all of them are gone."""
        process = self._found()
        if process is None:
            return
        family = [process, *process.children(recursive=True)]
        for member in family:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        if not eventually(lambda: not any(map(_runs, family)), within=20):
            raise DevstackFailed(f"Process {self.pid} does not end, not even when killed.")

    def _found(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
            same = (
                abs(process.create_time() - self.started) < _START_TIME_TOLERANCE
                and _runs(process)
                and any(self.mark in word for word in process.cmdline())
            )
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None
        return process if same else None


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def is_zombie(pid: int) -> bool:
    """Whether the process has ended and only waits for the system to forget it."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def start_detached(command: Sequence[str | Path], *, log: Path, mark: str) -> OwnProcess:
    """Start a server without root's rights; it outlives the caller and writes to `log`.

    A shell in between hands the server over to the system, so it is never a child of the caller
    and leaves no zombie whoever ends it.
    """
    launcher = 'log=$1; shift; "$@" >>"$log" 2>&1 </dev/null & echo $!'
    result = subprocess.run(  # noqa: S603 (the commands are our own)
        ["/bin/sh", "-c", launcher, "sh", str(log), *(str(part) for part in command)],
        stdout=subprocess.PIPE,
        text=True,
        env=plain_environment(),
        cwd="/",
        start_new_session=True,
        check=True,
        **dropped(),
    )
    pid = int(result.stdout)
    # Until it has become the server, the process is a fork of the shell.
    server = OwnProcess.of(pid, mark)
    eventually(lambda: server.alive() or not psutil.pid_exists(pid), within=5)
    return server


def eventually(fact: Callable[[], bool], *, within: float) -> bool:
    """Wait up to `within` seconds until `fact` holds; whether it did."""
    end = time.monotonic() + within
    while not fact():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on, below those the system hands out.

    The system's own (ephemeral) ports would not do: while a server is down, a client that keeps
    trying such a port can be given it as its own end and then connects to itself.
    """
    for _ in range(200):
        port = random.randint(20_000, 32_000)  # noqa: S311 (no secret)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise DevstackFailed("No free TCP port between 20000 and 32000 on 127.0.0.1.")


def last_words(log: Path, *, lines: int = 3) -> str:
    """The end of a log, on one line, for an error message."""
    if not log.exists():
        return "it wrote no log"
    return " / ".join(log.read_text(errors="replace").strip().splitlines()[-lines:])
