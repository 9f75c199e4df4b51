"""A log made by a real registration service, and coverage and notifier consuming it in this process."""

import asyncio
import hashlib
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, select, text

from dealreg_coverage import app as coverage
from dealreg_coverage.settings import CoverageSettings
from dealreg_coverage.state import canonical_state
from dealreg_notifier import app as notifier
from dealreg_notifier import tables as notifier_tables
from dealreg_notifier.settings import NotifierSettings
from dealreg_shared.bus.port import Bus, Message
from dealreg_shared.contracts.catalogue import TOPICS
from dealreg_shared.db import Database
from dealreg_shared.db.types import canonical_json
from dealreg_shared.runtime import Service
from tests.faults.installation import Installation, until
from tests.faults.programme import ANSWER_WITHIN, enrol, register
from tests.faults.proof import Lab
from tests.faults.wire import Wire

AT = datetime(2027, 1, 1, tzinfo=UTC)
"""When all of it is consumed."""

COLUMNS: dict[Table, Sequence[str]] = {
    notifier_tables.conflict_case: ("conflict_id", "kind", "account_name", "course", "level"),
    notifier_tables.case_claim: ("conflict_id", "claim_id", "partner_id", "place", "state"),
    notifier_tables.timer: ("subject", "kind", "step", "generation", "due_at", "state", "reason"),
    notifier_tables.notification: ("kind", "recipient", "subject", "cause", "title", "text"),
    notifier_tables.filing: ("registration_id", "partner_id", "account_name"),
    notifier_tables.person: ("person_id", "name", "email", "roles", "erased"),
    notifier_tables.plan_part: ("plan_number", "part", "section", "items"),
}
"""What notifier's state is: all that comes from the log, without ids made at random and instants of
its own."""


def make_log(lab: Lab, customers: int) -> list[Message]:
    """The events of so many customers, for each of whom one to four partners file."""
    with lab.installation() as source:
        source.start("registration").ready()
        secrets = enrol(source, 4)
        asyncio.run(file_for(source, secrets, range(customers)))
        until(lambda: source.unsent(["registration"]) == 0, "everything is sent", within=600)
        return asyncio.run(read(source.bus()))


async def file_for(made: Installation, secrets: Sequence[str], customers: Sequence[int]) -> None:
    """One to four partners file for each customer: most lines are contested."""
    with closing(Wire(ANSWER_WITHIN)) as wire:
        for first in range(0, len(customers), 20):
            async with asyncio.TaskGroup() as group:
                for key in customers[first : first + 20]:
                    for secret in secrets[: 1 + key % len(secrets)]:
                        group.create_task(register(wire, made.processes[0].port, secret, key))


async def read(bus: Bus) -> list[Message]:
    """The whole log."""
    topics = list(TOPICS)
    messages = []
    async with bus.subscribe("proof-reader", topics) as subscription:
        while await subscription.lag():
            got = await subscription.fetch(1000, 1.0)
            messages += [delivery.message for delivery in got]
            await subscription.commit([delivery.position for delivery in got])
    await bus.close()
    return messages


def shuffled(log: Sequence[Message], seed: int) -> list[Message]:
    """The log with its keys mixed anew; each key's events stay in their order."""
    keys: dict[tuple[str, str], list[Message]] = defaultdict(list)
    for message in log:
        keys[message.topic, message.key].append(message)
    turns = [key for key, messages in keys.items() for _ in messages]
    random.Random(seed).shuffle(turns)  # noqa: S311  (can be repeated, no secret)
    queues = {key: iter(messages) for key, messages in keys.items()}
    return [next(queues[key]) for key in turns]


async def publish(bus: Bus, log: Sequence[Message]) -> None:
    """Append the messages in their order."""
    for first in range(0, len(log), 500):
        await bus.publish(log[first : first + 500])


@asynccontextmanager
async def coverage_on(target: Installation, bus: Bus) -> AsyncIterator[Service]:
    """Coverage in this process, migrated; its clock stands at ``AT``."""
    settings = CoverageSettings(
        data_dir=target.folder, coverage_database_url=target.databases["coverage"]
    )
    async with _opened(coverage.build(settings, bus=bus, now=lambda: AT)) as service:
        yield service


@asynccontextmanager
async def notifier_on(target: Installation, bus: Bus) -> AsyncIterator[Service]:
    """Notifier in this process, migrated; its clock stands at ``AT``."""
    settings = NotifierSettings(
        data_dir=target.folder, notifier_database_url=target.databases["notifier"]
    )
    async with _opened(notifier.build(settings, bus=bus, now=lambda: AT)) as service:
        yield service


@asynccontextmanager
async def _opened(service: Service) -> AsyncIterator[Service]:
    await service.migrate()
    await _stop_the_clock(service.database)
    async with service.open():
        yield service


async def coverage_hash(service: Service) -> str:
    """The hash of coverage's whole state."""
    state = await service.database.read(lambda conn: canonical_state(conn, AT))
    return hashlib.sha256(state).hexdigest()


async def notifier_hash(service: Service) -> str:
    """The hash of what notifier keeps of the log."""
    return hashlib.sha256(await service.database.read(notifier_state)).hexdigest()


async def drained(service: Service) -> None:
    """Let it consume all there is, also what waited for another topic's facts."""
    while await service.drain():
        pass


async def _stop_the_clock(database: Database) -> None:
    """Notices say how late they are, which is no part of the state."""
    if database.dialect == "postgresql":
        clock = (
            "CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
            f"$$SELECT timestamptz '{AT.isoformat()}'$$"
        )
        await database.write(lambda conn: conn.execute(text(clock)))


def notifier_state(conn: Connection, *, words: bool = True) -> bytes:
    """What notifier keeps of the log, as bytes to compare; without the ``words`` of notices where they
    were written at different times, for they say how late they are."""
    lines = []
    for table, all_names in COLUMNS.items():
        names = [name for name in all_names if words or name not in ("title", "text")]
        rows = conn.execute(select(*[table.c[name] for name in names]))
        lines += sorted(canonical_json([table.name, *map(_plain, row)]) for row in rows)
    return "\n".join(lines).encode()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
