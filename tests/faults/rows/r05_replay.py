"""Row 5: the whole log, consumed three times and shuffled across keys, makes the same state."""

import asyncio
import hashlib
import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
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
from tests.faults.programme import enrol, many_connections, register
from tests.faults.proof import Lab, Outcome, Row

TIMES = 3

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


def prove(lab: Lab) -> Outcome:
    """Make a log, then consume it once as it is, and three times in shuffled orders."""
    customers = lab.count(40, 2000)
    with lab.installation() as source:
        source.start("registration").ready()
        secrets = enrol(source, 4)
        asyncio.run(_file(source, secrets, customers))
        until(lambda: source.unsent(["registration"]) == 0, "everything is sent", within=600)
        log = asyncio.run(_read(source.bus()))
    hashes = []
    for times in (1, TIMES):
        with lab.installation() as target:
            hashes.append(asyncio.run(_consume(target, log, times)))
    once, shuffled = hashes
    return Outcome(
        f"{len(log)} events, once and {TIMES} times shuffled across keys",
        f"coverage {'the same' if once[0] == shuffled[0] else 'DIFFERENT'}, "
        f"notifier {'the same' if once[1] == shuffled[1] else 'DIFFERENT'} ({once[1][:12]})",
        kept=once == shuffled,
    )


ROW = Row("5", "replay", "the state's hash is the same", prove)


async def _file(made: Installation, secrets: Sequence[str], customers: int) -> None:
    """One to four partners file for each customer: most lines are contested."""
    async with many_connections() as client:
        for first in range(0, customers, 20):
            async with asyncio.TaskGroup() as group:
                for key in range(first, min(first + 20, customers)):
                    for secret in secrets[: 1 + key % len(secrets)]:
                        group.create_task(register(client, made.processes[0].url, secret, key))


async def _read(bus: Bus) -> list[Message]:
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


def _shuffled(log: Sequence[Message], seed: int) -> list[Message]:
    """The log with its keys mixed anew; each key's events stay in their order."""
    keys: dict[tuple[str, str], list[Message]] = defaultdict(list)
    for message in log:
        keys[message.topic, message.key].append(message)
    turns = [key for key, messages in keys.items() for _ in messages]
    random.Random(seed).shuffle(turns)  # noqa: S311
    queues = {key: iter(messages) for key, messages in keys.items()}
    return [next(queues[key]) for key in turns]


async def _consume(target: Installation, log: Sequence[Message], times: int) -> tuple[str, str]:
    """New services on a new log: the hashes of coverage's and notifier's state."""
    bus = target.bus()
    copies = [_shuffled(log, seed) for seed in range(times)] if times > 1 else [list(log)]
    for copy in copies:
        for first in range(0, len(copy), 500):
            await bus.publish(copy[first : first + 500])
    services: list[Service] = [
        coverage.build(
            CoverageSettings(
                data_dir=target.folder, coverage_database_url=target.databases["coverage"]
            ),
            bus=bus,
            now=lambda: AT,
        ),
        notifier.build(
            NotifierSettings(
                data_dir=target.folder, notifier_database_url=target.databases["notifier"]
            ),
            bus=bus,
            now=lambda: AT,
        ),
    ]
    hashes = []
    for service in services:
        await service.migrate()
        await _stop_the_clock(service.database)
        async with service.open():
            # Once more for what waited for another topic's facts.
            while await service.drain():
                pass
            state = canonical_state if service.name == "coverage" else _notifier_state
            found = await service.database.read(partial(state, at=AT))
            hashes.append(hashlib.sha256(found).hexdigest())
    await bus.close()
    return hashes[0], hashes[1]


async def _stop_the_clock(database: Database) -> None:
    """Notices say how late they are, which is no part of the state."""
    if database.dialect == "postgresql":
        clock = (
            "CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
            f"$$SELECT timestamptz '{AT.isoformat()}'$$"
        )
        await database.write(lambda conn: conn.execute(text(clock)))


def _notifier_state(conn: Connection, at: datetime) -> bytes:
    lines = []
    for table, names in COLUMNS.items():
        rows = conn.execute(select(*[table.c[name] for name in names]))
        lines += sorted(canonical_json([table.name, *map(_plain, row)]) for row in rows)
    return "\n".join(lines).encode()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
