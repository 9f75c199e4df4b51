"""Row 12: no timer is missed, fires twice or early, whatever happens to the service and to the clock.

First a simulated time in this process: the service is built anew for every hour (in the smoke: for every
fourth), the clock is set back now and then, and an hour passes without anybody. Then real processes,
killed while very many timers are due at once.
"""

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, func, select, text

from dealreg_notifier.app import build, make_database
from dealreg_notifier.settings import NotifierSettings
from dealreg_notifier.tables import notification, outbox, timer
from dealreg_shared.bus.headers import event_headers
from dealreg_shared.bus.port import Bus, Message
from dealreg_shared.contracts.catalogue import CATALOGUE, encode
from dealreg_shared.contracts.conflict import ConflictOpened, Deadline
from dealreg_shared.db import Database
from dealreg_shared.db.engine import utc_now
from tests.factories.notifier import START, Publisher, opened
from tests.faults.installation import Installation, until
from tests.faults.proof import Lab, Outcome, Row

HOUR = timedelta(hours=1)
CLIMB = timedelta(hours=48)
"""Of a case: within it all its timers are due."""

DAY = 24
"""Hours. To join the log's groups anew in each would take longer than all else."""

SOON_SECONDS = 60.0
PENDING = "pending"


def prove(lab: Lab) -> Outcome:
    """The simulated time, then the real processes."""
    cases, hours, step = lab.count(60, 170_000), lab.count(24, 90 * 24), lab.count(4, 1)
    at_once, kills = lab.count(60, 17_000), lab.count(1, 20)
    with lab.installation() as made:
        simulated, faults = asyncio.run(_simulate(made, cases, hours, step))
    with lab.installation() as made:
        asyncio.run(_prepare(made, at_once))
        slowest = _all_at_once(made, at_once, kills)
        real, further = asyncio.run(_judge_of(made))
        faults += further
    return Outcome(
        f"{simulated:,} timers in {hours} simulated hours, the service built anew every {step} h, clock "
        f"set back, an outage of {step} h; {real:,} timers due at once, {kills} kills",
        f"{len(faults)} missed, doubled or early; all that was due was claimed within {slowest:.0f} s"
        + "".join(f"; {fault}" for fault in faults[:3]),
        kept=not faults and slowest <= SOON_SECONDS,
    )


ROW = Row(
    "12",
    "timers",
    "0 missed, 0 doubled, 0 early; all overdue claimed within 60 s",
    prove,
)


class _Clock:
    """Notifier's business clock, on either database."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    async def to(self, database: Database, at: datetime) -> None:
        self.at = at
        if database.dialect == "postgresql":
            clock = (
                "CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
                f"$$SELECT timestamptz '{at.isoformat()}'$$"
            )
            await database.write(lambda conn: conn.execute(text(clock)))


def _settings(made: Installation) -> NotifierSettings:
    url = made.databases["notifier"]
    return NotifierSettings(data_dir=made.folder, notifier_database_url=url)


async def _simulate(made: Installation, cases: int, hours: int, step: int) -> tuple[int, list[str]]:
    """Cases open every day; every ``step`` hours a new service does what has become due."""
    clock, bus, dice = _Clock(START), made.bus(), random.Random(12)  # noqa: S311  (can be repeated, no secret)
    publisher = Publisher(bus, clock)
    await publisher.people()
    await publisher.plan()
    outage = hours // 2 // step * step
    number = 0
    for hour in range(0, hours + int(CLIMB / HOUR) + 2 * step, step):
        service = build(_settings(made), bus=bus, now=clock)
        if hour == 0:
            await service.migrate()
        await clock.to(service.database, START + hour * HOUR)
        async with service.open():
            if hour < hours and hour % DAY == 0:
                until_now = min(hour + DAY, hours) * cases // hours
                await _open(publisher, bus, range(number, until_now), clock.at, dice)
                number = until_now
                await service.drain()
            if dice.random() < 0.02:
                await clock.to(service.database, clock.at - timedelta(minutes=40))
            if hour != outage:
                [fire] = [tick.run for tick in service.ticks if tick.name == "notifier-timers"]
                await fire()
    await bus.close()
    return await _judge_of(made, clock.at)


async def _open(
    publisher: Publisher, bus: Bus, numbers: Sequence[int], at: datetime, dice: random.Random
) -> None:
    """Open cases whose deadlines lie at odd minutes, with reminders before each."""
    messages = []
    for number in numbers:
        first = at + timedelta(hours=4, seconds=dice.randint(0, 82_800))
        event = publisher.event("conflict.opened", _case(number, at, first), f"acc_{number}")
        messages.append(
            Message(
                CATALOGUE[event.type].topic,
                event.partitionkey,
                encode(event),
                event_headers(event.keyversion),
            )
        )
    for start in range(0, len(messages), 500):
        await bus.publish(messages[start : start + 500])


def _case(number: int, at: datetime, first: datetime) -> ConflictOpened:
    second = first + timedelta(hours=20)
    return opened(
        f"cnf_{number}",
        at,
        account_id=f"acc_{number}",
        deadlines=(
            _deadline(1, "partner_manager", "mia", at, first),
            _deadline(2, "vp", "vic", first, second),
            Deadline(level=3, role="ceo", person_id="cleo", due_at=None),
        ),
    )


def _deadline(level: int, role: Any, person: str, start: datetime, end: datetime) -> Deadline:
    """With reminders at half of its time and at four fifths."""
    return Deadline(
        level=level,
        role=role,
        person_id=person,
        due_at=end,
        remind_at=(start + (end - start) / 2, start + (end - start) * 4 / 5),
    )


async def _prepare(made: Installation, cases: int) -> None:
    """Cases that open now and whose timers lie ahead, in the log."""
    bus = made.bus()
    publisher = Publisher(bus, utc_now)
    await publisher.people()
    await publisher.plan()
    await _open(publisher, bus, range(cases), utc_now(), random.Random(13))  # noqa: S311  (can be repeated, no secret)
    await bus.close()


def _all_at_once(made: Installation, cases: int, kills: int) -> float:
    """All timers become due in one moment; seconds that the last process needs for the rest."""
    process = made.start("notifier").ready()
    until(lambda: _count(made, select(func.count()).select_from(timer)) >= 6 * cases, "read", 900)
    process.kill()
    made.advance((CLIMB + HOUR).total_seconds())  # an hour and more passed while nobody was there
    for _ in range(kills):
        left = _pending(made)
        process = made.start("notifier")
        with suppress(AssertionError):  # on a small scale the last one may find nothing to do
            until(partial(_fewer_pending, made, left), "it fires", 30)
        process.kill()
    made.start("notifier")
    return until(lambda: _pending(made) == 0, "all that is due is claimed", 300)


def _fewer_pending(made: Installation, than: int) -> bool:
    return _pending(made) < than


def _pending(made: Installation) -> int:
    return _count(made, select(func.count()).select_from(timer).where(timer.c.state == PENDING))


def _count(made: Installation, query: Select[tuple[int]]) -> int:
    number: int = made.rows("notifier", query)[0][0]
    return number


async def _judge_of(made: Installation, now: datetime | None = None) -> tuple[int, list[str]]:
    """How many timers there were, and what was wrong with which."""
    database = make_database(_settings(made))
    found = await database.read(lambda conn: _judge(conn, now or utc_now() + CLIMB + HOUR))
    await database.dispose()
    return found


def _judge(conn: Connection, now: datetime) -> tuple[int, list[str]]:
    missed = select(timer.c.timer_id).where(timer.c.state == PENDING, timer.c.due_at <= now)
    early = select(timer.c.timer_id).where(
        timer.c.ended_at < timer.c.due_at, timer.c.state == "fired"
    )
    told = (notification.c.subject, notification.c.recipient, notification.c.cause)
    doubled = select(notification.c.subject).group_by(*told).having(func.count() > 1)
    raised: dict[str, list[int]] = defaultdict(list)
    for (body,) in conn.execute(select(outbox.outbox.c.body).order_by(outbox.outbox.c.id)):
        event = json.loads(body)
        if event["type"] == "dealreg.escalation.raised.v1":
            raised[event["data"]["conflict_id"]].append(event["data"]["level"])
    faults = [f"{row[0]} missed" for row in conn.execute(missed)]
    faults += [f"{row[0]} early" for row in conn.execute(early)]
    faults += [f"{row[0]} told twice" for row in conn.execute(doubled)]
    faults += [f"{case}: levels {levels}" for case, levels in raised.items() if levels != [1, 2, 3]]
    total: int = conn.execute(select(func.count()).select_from(timer)).scalar_one()
    return total, faults
