"""Runs services in this process under uvicorn until told to stop: what every ``serve`` command calls.

Order: folders, migration, flows and ticks, then traffic; the way back in reverse. SIGTERM and SIGINT
stop it: no new requests, the running ones are answered, flows and ticks let go. If that takes longer
than the settings allow the process ends anyway: what was acknowledged is stored. A part that says
``RestartNeeded`` ends it with exit code 75, any other failure with 1; a supervisor starts it again.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from dealreg_shared.config import ConfigurationError, SharedSettings
from dealreg_shared.lifeline import end_with_parent
from dealreg_shared.restart import EXIT_CODE, RestartNeeded
from dealreg_shared.runtime import Service
from dealreg_shared.telemetry import configure_logging, get_logger

OK = 0
FAILED = 1
MISCONFIGURED = 78
"""EX_CONFIG of sysexits.h."""


def run(
    settings: SharedSettings,
    build: Callable[[], Sequence[Service]],
    *,
    app: Callable[[Sequence[Service]], ASGIApp] | None = None,
    ready: Callable[[int], None] | None = None,
) -> int:
    """Build the services, serve them on one port and return the exit code.

    ``app`` joins the services' applications into one (one service needs none); ``ready`` is called
    with the port once requests are answered.
    """
    configure_logging(settings)
    collect_rarely()
    log = get_logger(__name__)
    # Ends the process if stopping takes too long, also when the event loop itself hangs.
    deadline = threading.Timer(settings.shutdown_seconds, os._exit, (FAILED,))
    deadline.daemon = True
    try:
        end_with_parent()
        settings.prepare()
        with _listen(settings) as listener, asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(settings, build, app, ready, listener, deadline))
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return MISCONFIGURED
    except BaseExceptionGroup as group:
        return _exit_code(group)
    except RestartNeeded:
        log.exception("restart needed")
        return EXIT_CODE
    except Exception:  # the last line of the process: log it and say so by the exit code
        log.exception("failed")
        return FAILED
    finally:
        deadline.cancel()
    return OK


def collect_rarely() -> None:
    """Let the garbage collector look at new objects twenty thousand at a time.

    A batch of filings makes thousands of objects that all live until it is committed; looking at them
    every 700 takes a seventh of the processor's time and frees nothing (see benchmarks/).
    """
    gc.set_threshold(20_000, *gc.get_threshold()[1:])


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The fastest event loop that is installed."""
    return uvicorn.Config(app="", loop="auto", log_config=None).get_loop_factory()


def _listen(settings: SharedSettings) -> socket.socket:
    """The listening socket. Taken before anything is started, so that a taken port is said at once."""
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    try:
        return socket.create_server((settings.http_host, settings.http_port), family=family)
    except OSError as error:
        raise ConfigurationError(
            f"DEALREG_HTTP_PORT: cannot listen on {settings.http_host}:{settings.http_port} "
            f"({why(error)}); name a free port and an address of this machine."
        ) from error


def why(error: OSError) -> str:
    """The system's own words alone: asyncio and socket repeat the address in theirs."""
    if isinstance(error, socket.gaierror) or error.errno is None:
        return str(error.strerror)
    return os.strerror(error.errno)


def _exit_code(group: BaseExceptionGroup[BaseException]) -> int:
    log = get_logger(__name__)
    stuck, rest = group.split(RestartNeeded)
    log.error("a part of the service failed", exc_info=group)
    return EXIT_CODE if stuck is not None and rest is None else FAILED


async def _serve(
    settings: SharedSettings,
    build: Callable[[], Sequence[Service]],
    join: Callable[[Sequence[Service]], ASGIApp] | None,
    ready: Callable[[int], None] | None,
    listener: socket.socket,
    deadline: threading.Timer,
) -> None:
    services = build()
    if join is None and len(services) != 1:
        raise ValueError("several services need a function that joins their applications")
    host, port = listener.getsockname()[:2]

    def started() -> None:
        get_logger(__name__).info("listening", host=host, port=port)
        if ready is not None:
            ready(port)

    server = _Server(
        uvicorn.Config(
            join(services) if join else services[0].app,
            lifespan="off",
            access_log=settings.http_access_log,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=max(1, int(settings.shutdown_seconds / 2)),
        ),
        started,
    )
    with _stop_signals(server, deadline):
        for service in services:
            await service.migrate()
        async with running(services):
            await server.serve(sockets=[listener])


@asynccontextmanager
async def running(services: Sequence[Service]) -> AsyncIterator[None]:
    """All services running; when the context ends they stop in reverse order."""
    async with AsyncExitStack() as stack:
        for service in services:
            await stack.enter_async_context(service.running())
        yield


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which raises the signal again and so ends the process before
    the services have let go."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_started = started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._when_started()


@contextmanager
def _stop_signals(server: uvicorn.Server, deadline: threading.Timer) -> Iterator[None]:
    """SIGTERM and SIGINT ask the server to stop, and start the deadline."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if not server.should_exit:
            server.should_exit = True
            deadline.start()
            get_logger(__name__).info("stopping", within_seconds=deadline.interval)

    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
