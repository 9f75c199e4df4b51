"""Ten thousand conflicts at once on PostgreSQL and Kafka, all first deadlines within one minute.

One notifier process, started as its ``serve`` command starts it. Partners read by webhook, people by
mail; every case has people of its own, and storm control is off, so that every notice is a message.
Printed are whether each case climbed exactly once, how late that was told, and the rate of sending
beside what the same receivers take from clients that do nothing else.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiosmtplib
from sqlalchemy import Connection, select

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
from dealreg_shared.contracts.people import PersonUpdated
from dealreg_shared.contracts.plan import PlanPart, PlanPublished
from dealreg_shared.db import Database
from dealreg_shared.db.engine import utc_now
from dealreg_shared.ids import new_event_id

RAISED = "dealreg.escalation.raised.v1"
PARTNERS = ("acme", "bolt")
CLIENTS = 16
"""Connections at a time, as many as notifier uses on a channel."""

_MAIL = (
    "Subject: x\r\n\r\n" + "A line of a mail of the usual length, with words in it.\r\n" * 100
).encode()
_POST = b'{"text":"' + b"a notice " * 120 + b'"}'


@dataclass(frozen=True, slots=True)
class Size:
    """How many cases; ``lead`` seconds from their opening to the first deadline."""

    cases: int = 10_000
    lead: float = 60.0
    within: float = 60.0
    ceiling: int = 3_000


async def run(size: Size) -> list[Row]:
    """Measure and return the table's rows."""
    with (
        Postgres(fsync=True) as server,
        Kafka() as kafka,
        Receivers() as receivers,
        tempfile.TemporaryDirectory() as folder,
    ):
        mails = await _rate(lambda: _mails(receivers.smtp, size.ceiling // CLIENTS), size.ceiling)
        posts = await _rate(lambda: _posts(receivers.http, size.ceiling // CLIENTS), size.ceiling)
        before = receivers.counts()
        url = server.create_database("notifier", "notifier")
        database, bus = Database(url), KafkaBus(kafka.bootstrap)
        environment = _environment(url, kafka.bootstrap, receivers.smtp, Path(folder))
        try:
            _migrate(environment)
            await database.write(lambda conn: _webhooks(conn, receivers.http))
            await _prepare(bus, size.cases)
            with _notifier(environment):
                await _until(lambda: database.read(_people), size.cases * 2 + 1)
                opened_at = utc_now()
                await _open(bus, size, opened_at)
                await _until(lambda: database.read(_climbed), size.cases)
                await _until(lambda: database.read(_delivered), size.cases * 5)
            told = await database.read(_told)
            first_due = opened_at + timedelta(seconds=size.lead)
            mailed = await database.read(partial(_sending, channel="email", until=first_due))
            posted = await database.read(partial(_sending, channel="webhook", until=first_due))
        finally:
            await bus.close()
            await database.dispose()
        after = receivers.counts()
    lateness = sorted(late for _, late in told)
    return [
        {
            "what": f"{size.cases:,} cases opened at once, deadlines within {size.within:.0f} s",
            "result": f"{len(told):,} escalations of {len({case for case, _ in told}):,} cases",
            "goal": "each exactly once",
        },
        {
            "what": "a deadline is told after",
            "result": f"p50 {_percentile(lateness, 50):.2f} s, p99 {_percentile(lateness, 99):.2f} s, "
            f"at most {lateness[-1]:.2f} s",
            "goal": "p99 1.5 s",
        },
        *_sent("mails", after["mails"] - before["mails"], mailed, mails),
        *_sent("webhooks", after["posts"] - before["posts"], posted, posts),
    ]


def _sent(what: str, came: int, sent: tuple[int, float], ceiling: float) -> Iterator[Row]:
    count, seconds = sent
    rate = count / seconds
    yield {
        "what": f"{what} sent",
        "result": f"{came:,} came; {count:,} at the opening at {rate:,.0f}/s; "
        f"the receiver takes {ceiling:,.0f}/s: {rate / ceiling:.2f} x",
        "goal": "0.5 x",
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
        "DEALREG_NOTIFIER_DELIVERY_WORKERS": str(CLIENTS),
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


def _webhooks(conn: Connection, port: int) -> None:
    for partner in PARTNERS:
        new = endpoints.New(
            "webhook",
            f"partner:{partner}",
            f"http://127.0.0.1:{port}/{partner}",
            "",
            None,
            "benchmark",
        )
        endpoints.create(conn, new, utc_now())


async def _prepare(bus: Bus, cases: int) -> None:
    """The plan's names, and a manager and a VP for each case, so that no two notices go together."""
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
    people = [
        PersonUpdated(person_id=id_, name=id_.title(), email=f"{id_}@example.com", roles=(role,))
        for id_, role in [
            *((f"manager{case}", "partner_manager") for case in range(cases)),
            *((f"vp{case}", "vp") for case in range(cases)),
            ("ceo", "ceo"),
        ]
    ]
    await _publish(bus, [_message("person.updated", it.person_id, 1, it) for it in people])


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
    await _publish(bus, messages)


async def _publish(bus: Bus, messages: Sequence[Message]) -> None:
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


def _people(conn: Connection) -> int:
    return len(conn.execute(select(tables.person.c.person_id)).all())


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


def _sending(conn: Connection, channel: str, until: datetime) -> tuple[int, float]:
    """How many of the notices of the opening were delivered, and how many seconds that took; what
    follows trickles in with the deadlines and says nothing of how fast it could have gone."""
    delivery = tables.delivery
    rows = conn.execute(
        select(delivery.c.created_at, delivery.c.ended_at).where(
            delivery.c.channel == channel,
            delivery.c.state == "delivered",
            delivery.c.created_at < until,
        )
    ).all()
    first, last = min(row.created_at for row in rows), max(row.ended_at for row in rows)
    return len(rows), (last - first).total_seconds()


async def _rate(drive: Callable[[], Awaitable[None]], count: int) -> float:
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(_run(drive))
    return count / (time.perf_counter() - started)


async def _run(drive: Callable[[], Awaitable[None]]) -> None:
    await drive()


async def _mails(port: int, count: int) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port) as smtp:
        for _ in range(count):
            await smtp.sendmail("deals@example.com", ["someone@example.com"], _MAIL)


async def _posts(port: int, count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        head = f"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {len(_POST)}\r\n\r\n"
        writer.write(head.encode() + _POST)
        await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
