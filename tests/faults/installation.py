"""One installation under test: three services each a process that can be killed and paused."""

import asyncio
import os
import secrets
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, Row, Select, Table, func, select, text

from dealreg_devstack import Kafka, Postgres
from dealreg_devstack.processes import free_port
from dealreg_registration.app import SOURCE
from dealreg_registration.handlers.manage_keys import ensure_admin_key
from dealreg_shared.auditing import Audited
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.bus.kafka import KafkaBus
from dealreg_shared.bus.port import Bus
from dealreg_shared.db import Database
from dealreg_shared.db.engine import utc_now
from dealreg_shared.outbox import Outbox
from tests.faults.spawner import Forked, Spawner

ROOT = Path(__file__).parents[2]
SERVICES = ("registration", "coverage", "notifier")
PATIENCE = 90.0
"""Seconds that a fact may take to come about on a busy machine; recovery deadlines are the rows' own."""


@dataclass
class Process:
    """One process of a service; there may be several of one."""

    service: str
    port: int
    popen: subprocess.Popen[bytes] | Forked
    log: Path

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.popen.poll() is None

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.popen.kill()
        self.popen.wait()

    def pause(self) -> None:
        """SIGSTOP: its time stands still, its connections and locks stay."""
        self.popen.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.popen.send_signal(signal.SIGCONT)

    def stop(self, within: float = 30.0) -> int:
        """SIGTERM; the exit code. Raises ``TimeoutExpired``."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(within)

    def ready(self, within: float = PATIENCE) -> "Process":
        """Wait until it takes traffic. Raises AssertionError with the end of its log."""
        until(self.answers, f"{self.service} is ready", within)
        return self

    def words(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3000:]

    def answers(self) -> bool:
        """Whether it takes traffic now. Raises AssertionError if it has ended."""
        assert self.running, f"{self.service} ended with {self.popen.returncode}: {self.words()}"
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


@dataclass
class Installation:
    """Databases and a bus of its own; ``start`` runs services on them."""

    folder: Path
    environment: dict[str, str]
    databases: Mapping[str, str]
    prefix: str
    kafka: Kafka | None
    processes: list[Process] = field(default_factory=list)
    spawner: Spawner | None = None
    """Forks processes instead of starting them afresh, which takes seconds each."""
    ahead: float = 0.0
    """Seconds by which the business clock is ahead of the real time."""

    def start(
        self,
        service: str,
        *,
        crash: str | None = None,
        record: Path | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a process; ``crash`` is ``point:n``, ``record`` takes the crash points it meets."""
        port = free_port()
        log = self.folder / f"{service}-{port}.log"
        environment = self.environment | {"DEALREG_HTTP_PORT": str(port), **(more or {})}
        if crash is not None:
            environment["PROOF_CRASH"] = crash
        if record is not None:
            environment["PROOF_RECORD"] = str(record)
        process = Process(service, port, self._start(service, environment, log), log)
        self.processes.append(process)
        return process

    def _start(
        self, service: str, environment: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes] | Forked:
        if self.spawner is not None:
            return self.spawner.start(service, environment, log)
        with log.open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.faults.service", service],
                cwd=ROOT,
                env=environment,
                stdout=out,
                stderr=out,
            )

    def start_all(self) -> dict[str, Process]:
        """One process of each service, ready."""
        started = {service: self.start(service) for service in SERVICES}
        return {service: process.ready() for service, process in started.items()}

    def admin_key(self) -> str:
        """A first admin key; registration must have migrated."""
        outbox = Outbox(self.tables("registration").outbox, SOURCE, "default")
        secret = self.write(
            "registration", lambda conn: ensure_admin_key(conn, utc_now(), outbox=outbox)
        )
        assert secret is not None
        return str(secret)

    def advance(self, seconds: float) -> None:
        """Put the business clock of every service ``seconds`` ahead of the real time."""
        self.ahead = seconds
        with (self.folder / "clock").open("r+b") as file:  # in place: the services have it mapped
            file.write(struct.pack("d", seconds))
        if self.kafka is None:
            return
        for service in SERVICES:
            self.write(
                service,
                lambda conn: conn.execute(
                    text(
                        "CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql "
                        f"VOLATILE AS $$SELECT clock_timestamp() + interval '{seconds} seconds'$$"
                    )
                ),
            )

    def read(self, service: str, work: Callable[[Connection], Any]) -> Any:
        """What ``work`` reads in a service's database."""
        return self._unit(service, "read", work)

    def write(self, service: str, work: Callable[[Connection], Any]) -> Any:
        """Change a service's database from outside."""
        return self._unit(service, "write", work)

    def rows(self, service: str, query: Select[Any]) -> Sequence[Row[Any]]:
        """The rows of a query in a service's database."""
        found: Sequence[Row[Any]] = self.read(service, lambda conn: conn.execute(query).all())
        return found

    def table(self, service: str, name: str) -> Table:
        """A table of a service's database."""
        found: Table = self.tables(service).metadata.tables[name]
        return found

    def tables(self, service: str) -> Any:
        """The service's ``tables`` module."""
        return import_module(f"dealreg_{service}.tables")

    def audited(self, service: str) -> Audited:
        """What the service says of its own tables and consumers."""
        found: Audited = import_module(f"dealreg_{service}.auditing").AUDITED
        return found

    def outbox(self, service: str) -> Table:
        """The service's outbox."""
        return self.audited(service).outbox.outbox

    def inbox(self, service: str) -> Table:
        """The rows of the service's inbox by key."""
        return self.audited(service).inbox.key

    def bus(self) -> Bus:
        """A bus on the installation's log; the caller closes it."""
        if self.kafka is None:
            return EmbeddedBus(self.folder / "bus.db")
        return KafkaBus(self.kafka.bootstrap, prefix=self.prefix)

    def unsent(self, services: Sequence[str] = SERVICES) -> int:
        """Outbox rows of ``services`` that are not acknowledged."""
        total = 0
        for service in services:
            table = self.outbox(service)
            count = select(func.count()).select_from(table).where(table.c.sent_at.is_(None))
            total += self.rows(service, count)[0][0]
        return total

    def settle(self, within: float = PATIENCE) -> None:
        """Wait until every event is sent and applied by coverage and notifier, or its key parked."""
        until(lambda: self.unsent() == 0, "everything is sent", within)
        until(lambda: not self.behind(), "everything is applied", within)

    def behind(self) -> list[str]:
        """Keys whose last event a consumer has not applied (parked ones are not told)."""
        written: dict[tuple[str, str], int] = {}
        for service in SERVICES:
            table = self.outbox(service)
            newest = select(table.c.topic, table.c.key, func.max(table.c.version)).group_by(
                table.c.topic, table.c.key
            )
            written |= {(topic, key): version for topic, key, version in self.rows(service, newest)}
        late = []
        for service in SERVICES:
            rows = self.rows(service, select(self.inbox(service)))
            applied = {(row.consumer, row.topic, row.key): row for row in rows}
            late += [
                f"{consumer} {topic} {key}: applied {row.version if row else 0} of {version}"
                for consumer, topics in self.audited(service).consumers.items()
                for (topic, key), version in written.items()
                if topic in topics
                for row in [applied.get((consumer, topic, key))]
                if row is None or (row.version < version and row.status is None)
            ]
        return late

    def _unit(self, service: str, kind: str, work: Callable[[Connection], Any]) -> Any:
        async def run() -> Any:
            database = Database(
                self.databases[service], now=lambda: utc_now() + timedelta(seconds=self.ahead)
            )
            try:
                return await getattr(database, kind)(work)
            finally:
                await database.dispose()

        return asyncio.run(run())


@contextmanager
def make_installation(
    folder: Path,
    *,
    postgres: Postgres | None,
    kafka: Kafka | None,
    spawner: Spawner | None = None,
) -> Iterator[Installation]:
    """New databases and topics; whatever still runs is killed at the end."""
    name = f"proof_{secrets.token_hex(5)}"
    home = folder / name
    home.mkdir(parents=True)
    (home / "clock").write_bytes(struct.pack("d", 0.0))
    with ExitStack() as stack:
        databases = {service: f"sqlite:///{home}/{service}.db" for service in SERVICES}
        if postgres is not None:
            for service in SERVICES:
                its = f"{name}_{service}"
                databases[service] = postgres.create_database(its, its)
                stack.callback(postgres.drop_database, its, its)
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("DEALREG_")},
            **{f"DEALREG_{key.upper()}_DATABASE_URL": url for key, url in databases.items()},
            "DEALREG_DATA_DIR": str(home),
            "PROOF_KAFKA_PREFIX": f"{name}.",
        }
        if kafka is None:
            environment["PROOF_CLOCK"] = str(home / "clock")
        else:
            environment |= {
                "DEALREG_BUS": "kafka",
                "DEALREG_KAFKA_BOOTSTRAP": kafka.bootstrap,
            }
        made = Installation(home, environment, databases, f"{name}.", kafka, spawner=spawner)
        stack.callback(_end, made.processes)
        yield made


def until(
    fact: Callable[[], Any],
    what: str,
    within: float = PATIENCE,
    *,
    moving: Callable[[], Any] = lambda: None,
    every: float = 0.05,
) -> float:
    """Wait for a fact, not for a time. The seconds it took. Raises AssertionError if it has not come
    about ``within`` seconds after ``moving`` last said anything new. ``every`` is in seconds."""
    began = moved = time.monotonic()
    seen = moving()
    while not fact():
        if (now := moving()) != seen:
            seen, moved = now, time.monotonic()
        assert time.monotonic() - moved < within, f"not within {within:g} s: {what}"
        time.sleep(every)
    return time.monotonic() - began


def _end(processes: Sequence[Process]) -> None:
    for process in processes:
        if process.running:
            process.resume()
            process.kill()
