"""``dealreg up --distributed``: a process per service and the auditor, on PostgreSQL and Kafka.

Servers that the environment names are used. If it names none, a PostgreSQL and a Kafka are started for
the user (``dealreg_devstack``) under the data folder, and stopped at the end; their data stays. If one
process ends, the others are stopped too: a supervisor in earnest is Docker's or Kubernetes' job. Killed,
this one leaves nothing behind: services end with it, and a guard stops the servers.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from dealreg.first_key import ensure_admin_key
from dealreg.occupancy import occupied
from dealreg.settings import CLASSES, all_settings, settings_of
from dealreg.terminal import out
from dealreg_registration import app as registration
from dealreg_registration.settings import RegistrationSettings
from dealreg_shared.bus.factory import make_bus
from dealreg_shared.config import ConfigurationError, load
from dealreg_shared.db.engine import utc_now
from dealreg_shared.lifeline import VARIABLE
from dealreg_shared.serve import why

READY_SECONDS = 120.0
STOP_SECONDS = 20.0
LOOK_EVERY = 0.25

COMMANDS = {name: (f"dealreg_{name}", "serve") for name in CLASSES} | {
    "auditor": ("dealreg", "auditor", "serve")
}
"""What runs, each on a port of its own, in this order."""

SERVERS = ("DEALREG_KAFKA_BOOTSTRAP", *(f"DEALREG_{name.upper()}_DATABASE_URL" for name in CLASSES))


class ProcessEnded(Exception):
    """A service's process ended although nobody asked it to."""


def run(values: Mapping[str, Any]) -> int:
    """Start everything, wait for Ctrl-C or SIGTERM, stop everything. Returns the exit code."""
    console = out()
    shared = load(RegistrationSettings, known=list(CLASSES.values()), **_plain(values))
    configured = [name for name in SERVERS if os.environ.get(name)]
    if configured and len(configured) < len(SERVERS):
        missing = ", ".join(name for name in SERVERS if name not in configured)
        raise ConfigurationError(
            f"Some servers are named and some are not. Set {missing} too, "
            "or unset all of them to have servers started here."
        )
    say = cache(lambda: console.print("A killed run's servers are still stopping; waiting."))
    with occupied(shared.data_dir, "named" if configured else "here", say) as held:
        _ports_are_free(shared.http_host, shared.http_port)
        environment = dict(os.environ) | {
            "DEALREG_BUS": "kafka",
            "DEALREG_DATA_DIR": str(shared.data_dir),
            "DEALREG_HTTP_HOST": shared.http_host,
            "DEALREG_LOG_FORMAT": shared.log_format,
        }
        if configured:
            return asyncio.run(
                _run(environment, shared.http_host, shared.http_port, console, [held])
            )
        folder = servers_folder(shared.data_dir)
        console.print(f"No servers are configured: starting a PostgreSQL and a Kafka in {folder}.")
        stack = _make_stack(folder)
        with _guarded(folder, held) as used:
            try:
                environment |= _start(stack)
                return asyncio.run(
                    _run(environment, shared.http_host, shared.http_port, console, [held, used])
                )
            finally:
                console.print("Stopping PostgreSQL and Kafka.")
                stack.down()


def servers_folder(data: Path) -> Path:
    """Where the servers' data is that are started here."""
    return data / "servers"


def servers_environment(data: Path) -> Mapping[str, str] | None:
    """What the services are told of the servers that run here; None while there are none."""
    environment: Mapping[str, str] | None = _make_stack(servers_folder(data)).environment()
    return environment


@contextmanager
def _guarded(folder: Path, held: int) -> Iterator[int]:
    """A process beside this one that stops the servers if this one cannot any more.

    Gives the end of a pipe for whoever uses the servers: they are stopped when all its holders are gone.
    Until then the guard keeps the data folder's lock, too.
    """
    watched, used = os.pipe()
    try:
        guard = subprocess.Popen(  # noqa: S603  (our own module)
            [sys.executable, "-m", "dealreg.server_guard", str(folder)],
            stdin=watched,
            stdout=subprocess.DEVNULL,
            pass_fds=(held,),
            start_new_session=True,
        )
        os.close(watched)
        yield used
        os.write(used, b".")
    finally:
        os.close(used)
    guard.wait()


def _ports_are_free(host: str, first: int) -> None:
    """Else whoever listens there, such as what a killed run left, would be taken for ready."""
    for port in range(first, first + len(COMMANDS)):
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            socket.create_server((host, port), family=family).close()
        except OSError as error:
            raise ConfigurationError(
                f"DEALREG_HTTP_PORT: cannot listen on {host}:{port} ({why(error)}); "
                f"name the first of {len(COMMANDS)} free ports."
            ) from None


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings for reading folder, host and port alone, whatever bus is meant."""
    return {**values, "bus": "embedded", "bus_path": None, "kafka_bootstrap": None}


def _make_stack(folder: Path) -> Any:
    """A stack that is not up yet, or the same folder's that is."""
    try:
        from dealreg_devstack.stack import Stack
    except ImportError:
        raise ConfigurationError(
            "No servers are configured and dealreg-devstack is not installed. Set "
            f"{', '.join(SERVERS)}, or install dealreg[devstack]."
        ) from None
    return Stack(folder)


def _start(stack: Any) -> dict[str, str]:
    from dealreg_devstack.errors import DevstackFailed, DevstackUnavailable

    try:
        environment: dict[str, str] = stack.up()
    except (DevstackUnavailable, DevstackFailed) as error:
        raise ConfigurationError(str(error)) from error
    return environment


async def _run(
    environment: Mapping[str, str],
    host: str,
    first_port: int,
    console: Console,
    keep: Sequence[int],
) -> int:
    ports = {name: first_port + index for index, name in enumerate(COMMANDS)}
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with _processes(environment, ports, keep) as processes:
            stopped = asyncio.create_task(stop.wait())
            ended = [
                asyncio.create_task(process.wait(), name=name)
                for name, process in processes.items()
            ]
            started = asyncio.create_task(_ready(host, ports))
            try:
                await asyncio.wait([stopped, started, *ended], return_when=asyncio.FIRST_COMPLETED)
                if not stop.is_set() and started.done():
                    started.result()
                    await _announce(environment, host, ports, console)
                    await asyncio.wait([stopped, *ended], return_when=asyncio.FIRST_COMPLETED)
                gone = next((task for task in ended if task.done()), None)
                if gone is not None and not stop.is_set():
                    console.print(
                        f"{gone.get_name()} ended by itself with exit code {gone.result()}."
                    )
                    return 1
            finally:
                for task in (stopped, started, *ended):
                    task.cancel()
            console.print("Stopping.")
            return 0
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _processes(
    environment: Mapping[str, str], ports: Mapping[str, int], keep: Sequence[int]
) -> AsyncIterator[dict[str, asyncio.subprocess.Process]]:
    """The processes, each in a session of its own, so that Ctrl-C reaches only this one.

    They hold the handles ``keep`` while they run, and end by themselves when this process is gone.
    """
    processes: dict[str, asyncio.subprocess.Process] = {}
    lifeline, ours = os.pipe()
    try:
        for name, port in ports.items():
            processes[name] = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *COMMANDS[name],
                env={
                    **environment,
                    "DEALREG_HTTP_PORT": str(port),
                    VARIABLE: str(lifeline),
                },
                pass_fds=(lifeline, *keep),
                start_new_session=True,
            )
        yield processes
    finally:
        for process in processes.values():
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
        for process in processes.values():
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        os.close(lifeline)
        os.close(ours)


async def _ready(host: str, ports: Mapping[str, int]) -> None:
    """Wait until all are ready. Raises TimeoutError after two minutes."""
    async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient() as client:
        for port in ports.values():
            while True:
                try:
                    answer = await client.get(f"http://{host}:{port}/readyz")
                    if answer.status_code == httpx.codes.OK:
                        break
                except httpx.TransportError:
                    pass  # not listening yet
                await asyncio.sleep(LOOK_EVERY)


async def _announce(
    environment: Mapping[str, str], host: str, ports: Mapping[str, int], console: Console
) -> None:
    for name, port in ports.items():
        console.print(
            f"{name} answers on http://{host}:{port}, API pages: http://{host}:{port}/docs"
        )
    secret = await _first_key(environment)
    if secret is not None:
        console.print(f"Admin key, shown this once: {secret}", markup=False)
    console.print("Ctrl-C stops everything.")


async def _first_key(environment: Mapping[str, str]) -> str | None:
    """Made here, in registration's own database; its service sends the key's hash to the others."""
    every = all_settings(
        bus="kafka",
        kafka_bootstrap=environment["DEALREG_KAFKA_BOOTSTRAP"],
        registration_database_url=environment["DEALREG_REGISTRATION_DATABASE_URL"],
    )
    settings = settings_of(RegistrationSettings, every)
    service = registration.build(settings, bus=make_bus(settings), now=utc_now)
    try:
        return await ensure_admin_key([service])
    finally:
        await service.database.dispose()
