"""One service in a process of its own, as ``serve`` runs it, that a proof can crash on purpose.

``python -m tests.faults.service NAME``, configured by the environment as the service is. Besides:

- ``PROOF_KAFKA_PREFIX``: before the names of its topics, so that installations can share a Kafka;
- ``PROOF_CLOCK``: a file of eight bytes with the seconds that its business clock is ahead (SQLite only);
- ``PROOF_RECORD``: a file to which every crash point met is written, a line each;
- ``PROOF_RAISE``: a file of keys, a line each: the handlers of their second events raise;
- ``PROOF_SESSION``: seconds after which Kafka takes a silent consumer for dead, if not 6;
- ``PROOF_PAUSE``: a file; the first process that meets the crash point whose name is written to it stops
  itself (SIGSTOP), and leaves its process id in the file's place with the ending ``.stopped``;
- ``PROOF_CRASH``: ``point:n``, kill -9 when the point is met for the n-th time.
"""

import mmap
import os
import signal
import struct
import sys
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from dealreg_shared import serve
from dealreg_shared.bus.factory import make_bus
from dealreg_shared.bus.kafka import KafkaBus
from dealreg_shared.bus.port import Bus
from dealreg_shared.config import SharedSettings
from dealreg_shared.crashpoint import arm
from dealreg_shared.db.engine import utc_now
from dealreg_shared.inbox.applying import Applying
from dealreg_shared.inbox.received import Received
from dealreg_shared.runtime import Service
from dealreg_shared.standalone import Standalone
from tests.faults import auditor_process, outbox_process
from tests.faults.freezing import freezable


def main(name: str) -> None:
    """Serve until told to stop, or until a crash point says otherwise."""
    if name == "auditor":
        sys.exit(auditor_process.run(_bus, _clock()))
    if name.startswith("outbox-"):
        _arm()
        outbox_process.run(name.removeprefix("outbox-"), _bus, _clock())
        sys.exit(0)
    alone: Standalone[Any] = import_module(f"dealreg_{name}.__main__").service
    settings = alone.load()
    _arm()
    _poison()

    def assemble() -> list[Service]:
        bus = _bus(settings)
        service = freezable(alone.build(settings, bus=bus, now=_clock()))
        service.close_afterwards(bus.close)
        return [service]

    sys.exit(serve.run(settings, assemble))


def _bus(settings: SharedSettings) -> Bus:
    if settings.bus == "embedded":
        return make_bus(settings)
    assert settings.kafka_bootstrap is not None
    return KafkaBus(
        settings.kafka_bootstrap,
        prefix=os.environ["PROOF_KAFKA_PREFIX"],
        replication=settings.kafka_replication,
        session_seconds=float(os.environ.get("PROOF_SESSION", "6")),
    )


def _clock() -> Callable[[], datetime]:
    path = os.environ.get("PROOF_CLOCK")
    if path is None:
        return utc_now
    with Path(path).open("rb") as file:
        ahead = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    return lambda: utc_now() + timedelta(seconds=struct.unpack("d", ahead[:8])[0])


def _poison() -> None:
    path = os.environ.get("PROOF_RAISE")
    if path is None:
        return
    effect = Applying.effect

    def raising(self: Applying, conn: Connection, item: Received) -> None:
        if item.version == 2 and item.key in Path(path).read_text().split():
            raise ValueError("a handler that raises")
        effect(self, conn, item)

    Applying.effect = raising  # type: ignore[method-assign]  # a planted fault


def _arm() -> None:
    record, crash = os.environ.get("PROOF_RECORD"), os.environ.get("PROOF_CRASH")
    if record is not None:
        out = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        arm(lambda point: [os.write(out, f"{point}\n".encode())].clear())
    elif crash is not None:
        place, _, ordinal = crash.rpartition(":")
        met: Counter[str] = Counter()

        def die(point: str) -> None:
            met[point] += 1
            if point == place and met[point] == int(ordinal):
                os.kill(os.getpid(), signal.SIGKILL)

        arm(die)
    elif "PROOF_PAUSE" in os.environ:
        arm(partial(_stop_at, Path(os.environ["PROOF_PAUSE"])))


def _stop_at(file: Path, point: str) -> None:
    try:
        if file.read_text("utf-8") != point:
            return
        mine = file.with_suffix(f".{os.getpid()}")
        file.rename(mine)  # of two that meet it at once, one
    except FileNotFoundError:
        return
    mine.write_text(str(os.getpid()), "utf-8")
    mine.rename(file.with_suffix(".stopped"))
    os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    main(sys.argv[1])
