"""Ten thousand conflicts at once on PostgreSQL and Kafka, all first deadlines within one minute.

Notifier processes, started as their ``serve`` command starts them: one unless told otherwise. Partners
read by webhook, people by mail; every case has people of its own, and storm control is off, so that
every notice is a message. Printed are whether each case climbed exactly once, how late that was told,
and the rate of sending beside what the same receivers take from clients that do nothing else.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from benchmarks import ceiling
from benchmarks.receivers import Receivers
from benchmarks.report import Row
from dealreg_devstack import Kafka, Postgres
from dealreg_notifier import endpoints, tables
from dealreg_shared.bus.headers import event_headers
from dealreg_shared.bus.kafka import KafkaBus
from dealreg_shared.bus.port import Bus, Message
from dealreg_shared.contracts.base import EventData, Market
from dealreg_shared.contracts.catalogue import CATALOGUE, encode, event_model
from dealreg_shared.contracts.conflict import ConflictClaim, ConflictOpened, Deadline
from dealreg_shared.contracts.plan import PlanPart, PlanPublished
from dealreg_shared.db import Database
from dealreg_shared.db.bulk import insert_rows
from dealreg_shared.db.engine import utc_now
from dealreg_shared.ids import new_event_id

RAISED = "dealreg.escalation.raised.v1"
PARTNERS = ("acme", "bolt")


class Sent(NamedTuple):
    """Numbers of notices of the opening, and the seconds in which they were sent."""

    while_reading: tuple[int, float]
    afterwards: tuple[int, float]
    altogether: tuple[int, float]


@dataclass(frozen=True, slots=True)
class Size:
    """How many cases; ``lead`` seconds from their opening to the first deadline, and ``within`` how many
    all of them come. ``ceiling``: mails in a measurement of the receivers. ``notifiers``: processes that
    share the work."""

    cases: int = 10_000
    lead: float = 120.0
    within: float = 60.0
    ceiling: int = 2_000
    notifiers: int = 1


async def run(size: Size) -> list[Row]:
    """Measure and return the table's rows."""
    with (
        Postgres(fsync=True) as server,
        Kafka() as kafka,
        Receivers() as receivers,
        tempfile.TemporaryDirectory() as folder,
    ):
        url = server.create_database("notifier", "notifier")
        database, bus = Database(url), KafkaBus(kafka.bootstrap)
        environment = _environment(url, kafka.bootstrap, receivers.smtp, Path(folder))
        try:
            _migrate(environment)
            secrets = await database.write(lambda conn: _webhooks(conn, receivers.http))
            receivers.counts(secrets)
            await database.write(partial(_people, cases=size.cases))
            await _prepare(bus)
            ceilings = [await ceiling.measure(receivers, secrets, size.ceiling)]
            before = receivers.counts()
            with ExitStack() as processes:
                for _ in range(size.notifiers):
                    processes.enter_context(_notifier(environment))
                await _until(lambda: database.read(_plans), 1)
                opened_at = utc_now()
                await _open(bus, size, opened_at)
                await _until(lambda: database.read(_climbed), size.cases)
                await _until(lambda: database.read(_delivered), size.cases * 5)
            after = receivers.counts()
            ceilings.append(await ceiling.measure(receivers, secrets, size.ceiling))
            told = await database.read(_told)
            sent = await database.read(partial(_sending, opened_at=opened_at, size=size))
        finally:
            await bus.close()
            await database.dispose()
    lateness = sorted(late for _, late in told)
    came = {name: after[name] - before[name] for name in after}
    return [
        {
            "what": f"{size.cases:,} cases opened at once, deadlines within {size.within:.0f} s, "
            f"notifier processes: {size.notifiers}",
            "result": f"{len(told):,} escalations of {len({case for case, _ in told}):,} cases",
            "goal": "each exactly once",
        },
        {
            "what": "a deadline is told after",
            "result": f"p50 {_percentile(lateness, 50):.2f} s, p99 {_percentile(lateness, 99):.2f} s, "
            f"at most {lateness[-1]:.2f} s",
            "goal": "p99 1.5 s",
        },
        {
            "what": "came in all",
            "result": f"{came['mails']:,} mails, {came['posts']:,} webhooks, "
            f"{came['different']:,} different",
            "goal": f"{size.cases * 5:,} different",
        },
        {
            "what": "the receivers take, one mail to two webhooks",
            "result": " and ".join(f"{rate:,.0f}/s" for rate in ceilings) + " (before and after)",
            "goal": "",
        },
        _rate("sent while cases are still being read", sent.while_reading, ceilings),
        _rate("sent once all notices are written", sent.afterwards, ceilings),
        _rate("sent, from the first case to the last notice", sent.altogether, ceilings),
    ]


def _rate(what: str, sent: tuple[int, float], ceilings: Sequence[float]) -> Row:
    count, seconds = sent
    rate, most = count / seconds if seconds else 0.0, sum(ceilings) / len(ceilings)
    return {
        "what": what,
        "result": f"{count:,} in {seconds:.1f} s: {rate:,.0f}/s, {rate / most:.2f} x",
        "goal": "0.5 x" if "once" in what else "",
    }


def _percentile(values: Sequence[float], per_cent: int) -> float:
    return values[min(len(values) - 1, len(values) * per_cent // 100)]


def _environment(url: str, bootstrap: str, smtp: int, folder: Path) -> dict[str, str]:
    return os.environ | {
        "DEALREG_NOTIFIER_DATABASE_URL": url,
        "DEALREG_DATA_DIR": str(folder),
        "DEALREG_BUS": "kafka",
        "DEALREG_KAFKA_BOOTSTRAP": bootstrap,
        "DEALREG_HTTP_PORT": "0",
        "DEALREG_LOG_LEVEL": "error",
        "DEALREG_NOTIFIER_SMTP_HOST": "127.0.0.1",
        "DEALREG_NOTIFIER_SMTP_PORT": str(smtp),
        "DEALREG_NOTIFIER_SMTP_FROM": "deals@example.com",
        "DEALREG_NOTIFIER_STORM_LIMIT": "0",
        "DEALREG_NOTIFIER_OUTBOUND_LOOPBACK": "true",
        "DEALREG_NOTIFIER_DELIVERY_WORKERS": str(ceiling.CLIENTS),
    }


def _migrate(environment: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, "-m", "dealreg_notifier", "migrate"],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )


@contextmanager
def _notifier(environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", "dealreg_notifier", "serve"], env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


def _webhooks(conn: Connection, port: int) -> dict[str, str]:
    """An endpoint for each partner. Returns their secrets."""
    secrets = {}
    for partner in PARTNERS:
        new = endpoints.New(
            "webhook",
            f"partner:{partner}",
            f"http://127.0.0.1:{port}/{partner}",
            "",
            None,
            "benchmark",
        )
        secrets[partner] = endpoints.create(conn, new, utc_now())[1] or ""
    return secrets


def _people(conn: Connection, cases: int) -> None:
    """A manager and a VP for each case, so that no two notices go together. Written as they would be by
    the events that tell of them, which are not what is measured."""
    people = [
        *((f"manager{case}", "partner_manager") for case in range(cases)),
        *((f"vp{case}", "vp") for case in range(cases)),
        ("ceo", "ceo"),
    ]
    rows = [
        {
            "person_id": id_,
            "name": id_.title(),
            "email": f"{id_}@example.com",
            "roles": [role],
            "partner_id": None,
            "erased": False,
        }
        for id_, role in people
    ]
    insert_rows(conn, [(tables.person, rows)])
    conn.exec_driver_sql("ANALYZE")


async def _prepare(bus: Bus) -> None:
    """The plan's names."""
    lines = {"id": "platform", "name": "Platform"}
    partners = tuple({"id": id_, "name": id_.title(), "tier": "gold"} for id_ in PARTNERS)
    now = utc_now()
    parts = [
        PlanPart(plan_number=1, part=1, section="product_lines", items=(lines,)),
        PlanPart(plan_number=1, part=2, section="partners", items=partners),
        PlanPublished(
            plan_number=1, in_force_from=now, published_at=now, parts=2, content_hash="benchmark"
        ),
    ]
    names = ("plan.part", "plan.part", "plan.published")
    await bus.publish(
        [
            _message(name, "default", version, data)
            for version, (name, data) in enumerate(zip(names, parts, strict=True), start=1)
        ]
    )


async def _open(bus: Bus, size: Size, at: datetime) -> None:
    messages = []
    for case in range(size.cases):
        due = at + timedelta(seconds=size.lead + size.within * case / size.cases)
        data = ConflictOpened(
            conflict_id=f"cnf_{case}",
            kind="overlap",
            account_id=f"acc_{case}",
            account_name=f"Customer {case}",
            market=Market(region="na", segment="smb"),
            plan_number=1,
            opened_at=at,
            generation=1,
            deadlines=(
                Deadline(level=1, role="partner_manager", person_id=f"manager{case}", due_at=due),
                Deadline(
                    level=2, role="vp", person_id=f"vp{case}", due_at=due + timedelta(hours=20)
                ),
                Deadline(level=3, role="ceo", person_id="ceo", due_at=None),
            ),
            claims=tuple(
                ConflictClaim(
                    claim_id=f"clm_{case}_{place}",
                    registration_id=f"reg_{case}_{place}",
                    partner_id=partner,
                    product_line="platform",
                    place=place,
                    state="protected" if place == 1 else "contested",
                )
                for place, partner in enumerate(PARTNERS, start=1)
            ),
        )
        messages.append(_message("conflict.opened", data.account_id, 1, data))
    for start in range(0, len(messages), 1000):
        await bus.publish(messages[start : start + 1000])


def _message(name: str, key: str, version: int, data: EventData) -> Message:
    type_ = f"dealreg.{name}.v1"
    event = event_model(type_)(
        id=new_event_id(),
        source="/dealreg/benchmark",
        type=type_,
        subject=key,
        time=utc_now(),
        programme="default",
        partitionkey=key,
        keyversion=version,
        correlationid="benchmark",
        data=data,
    )
    return Message(CATALOGUE[type_].topic, key, encode(event), event_headers(version))


async def _until(count: Callable[[], Awaitable[int]], wanted: int, patience: float = 600) -> None:
    """Wait until ``count`` says ``wanted``. Raises TimeoutError."""
    deadline = time.monotonic() + patience
    while (found := await count()) < wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{found} of {wanted} after {patience:.0f} s")
        await asyncio.sleep(1)


def _plans(conn: Connection) -> int:
    return len(conn.execute(select(tables.plan.c.number)).all())


def _climbed(conn: Connection) -> int:
    case = tables.conflict_case
    return len(conn.execute(select(case.c.conflict_id).where(case.c.level == 2)).all())


def _delivered(conn: Connection) -> int:
    delivery = tables.delivery
    found = conn.execute(select(delivery.c.delivery_id).where(delivery.c.state == "delivered"))
    return len(found.all())


def _told(conn: Connection) -> list[tuple[str, float]]:
    """Case and lateness in seconds of every escalation to the second level."""
    outbox = tables.outbox.outbox
    bodies = conn.execute(select(outbox.c.body).where(outbox.c.body.contains(RAISED))).scalars()
    facts: list[dict[str, Any]] = [json.loads(body)["data"] for body in bodies]
    return [(it["conflict_id"], it["late_seconds"]) for it in facts if it["level"] == 2]


def _sending(conn: Connection, opened_at: datetime, size: Size) -> Sent:
    """How the notices of the opening were sent; what follows trickles in with the deadlines and says
    nothing of how fast it could have gone."""
    delivery = tables.delivery
    rows = conn.execute(
        select(delivery.c.created_at, delivery.c.ended_at)
        .select_from(delivery.join(tables.notification))
        .where(
            delivery.c.state == "delivered",
            tables.notification.c.kind.in_(("case_open", "ladder")),
            delivery.c.created_at < opened_at + timedelta(seconds=size.lead),
        )
    ).all()
    first, written = (pick(row.created_at for row in rows) for pick in (min, max))
    ended = sorted(row.ended_at for row in rows)
    early = sum(1 for instant in ended if instant <= written)
    return Sent(
        while_reading=(early, (written - first).total_seconds()),
        afterwards=(len(ended) - early, (ended[-1] - written).total_seconds()),
        altogether=(len(ended), (ended[-1] - first).total_seconds()),
    )
