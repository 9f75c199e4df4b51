"""Notifier's tables and ticks on SQLite and on PostgreSQL: two processes, histories at random."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, func, select

from dealreg_devstack import Postgres
from dealreg_notifier import deliveries, signing, tables
from dealreg_notifier.app import build
from dealreg_notifier.channels.email import EmailChannel
from dealreg_notifier.handlers import conflicts
from dealreg_notifier.handlers.timers import fire_due
from dealreg_notifier.notices import Draft
from dealreg_notifier.settings import NotifierSettings
from dealreg_notifier.signing import Keyring
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.db import Database
from dealreg_shared.db.migrate import downgrade, migrate
from dealreg_shared.outbox import Outbox
from tests.factories import notifier as make
from tests.factories import notifier_world as stage
from tests.factories.notifier import START, Events, Publisher
from tests.factories.notifier_store import (
    PACKAGE,
    REFERRAL,
    PostgresClock,
    Store,
    desk,
    open_cases,
    published,
)
from tests.factories.notifier_world import Clock


async def test_migrations_go_down_and_up_again_and_agree_with_the_tables(
    database: Store,
) -> None:
    def differences(conn: Connection) -> list[Any]:
        return [
            found
            for found in compare_metadata(MigrationContext.configure(conn), tables.metadata)
            if "alembic_version" not in str(found)
        ]

    assert await database.first.write(differences) == []
    await downgrade(database.first, PACKAGE)
    assert await database.first.write(differences) != []
    await migrate(database.first, PACKAGE)
    assert await database.first.write(differences) == []


async def test_two_notifiers_fire_each_timer_once(ready: tuple[Store, Events]) -> None:
    made, publisher = ready
    await open_cases(made, publisher, 450)
    await made.at(START + make.FOUR_HOURS)

    async def ticking(on: Database) -> int:
        fired = 0
        while batch := await on.write(lambda conn: fire_due(conn, desk())):
            fired += batch
        return fired

    fired = await asyncio.gather(*[ticking(on) for on in (made.first, made.second) * 2])
    assert sum(fired) == 450
    events = await made.first.read(published)
    keys = [f"cnf_{number:03}" for number in range(450)]
    assert sorted(key for word, key, _ in events if word == "breached") == keys
    assert sorted(key for word, key, level in events if (word, level) == ("raised", 2)) == keys

    def notices(conn: Connection) -> dict[str, int]:
        table = tables.notification
        rows = conn.execute(
            select(table.c.recipient, func.count())
            .where(table.c.kind == "ladder")
            .group_by(table.c.recipient)
        )
        return {row[0]: row[1] for row in rows}

    assert await made.first.read(notices) == {"mia": 900, "vic": 450}


async def test_both_deadlines_of_a_case_at_once_on_two_notifiers(
    ready: tuple[Store, Events],
) -> None:
    made, publisher = ready
    await open_cases(made, publisher, 40)
    await made.at(START + 2 * make.DAY)
    await asyncio.gather(
        *[on.write(lambda conn: fire_due(conn, desk())) for on in (made.first, made.second) * 3]
    )
    events = await made.first.read(published)
    assert len(events) == len(set(events)) == 40 * 5


async def test_a_closing_and_a_tick_at_the_same_time(ready: tuple[Store, Events]) -> None:
    made, publisher = ready
    await open_cases(made, publisher, 30)
    await made.at(START + make.FOUR_HOURS)

    def close(number: int) -> Callable[[Connection], None]:
        data = make.closed(f"cnf_{number:03}", START + make.FOUR_HOURS, level=2)
        event = publisher.event("conflict.closed", data)

        def work(conn: Connection) -> None:
            conflicts.conflict_closed(conn, event, desk())

        return work

    works: list[Coroutine[Any, Any, Any]] = [
        made.first.write(close(number)) for number in range(30)
    ]
    works += [made.second.write(lambda conn: fire_due(conn, desk())) for _ in range(10)]
    await asyncio.gather(*works)
    events = await made.first.read(published)
    assert len(events) == len(set(events))
    for number in range(30):
        mine = [(word, level) for word, key, level in events if key == f"cnf_{number:03}"]
        assert mine[-1] == ("ended", 2)
        assert mine.count(("breached", 1)) == 1

    def pending(conn: Connection) -> int:
        table = tables.timer
        found = conn.execute(
            select(func.count()).select_from(table).where(table.c.state == "pending")
        )
        return int(found.scalar_one())

    assert await made.first.read(pending) == 0


async def test_a_delivery_is_claimed_by_one_process_and_again_after_its_lease(
    ready: tuple[Store, Events],
) -> None:
    made, _ = ready
    mail = EmailChannel(
        NotifierSettings(notifier_smtp_host="localhost", notifier_smtp_from="desk@example.org")
    )

    def tell(conn: Connection) -> None:
        drafts = [
            Draft(
                "referral",
                "mia",
                f"acc_{number}",
                f"cause-{number}",
                REFERRAL,
                "cor",
            )
            for number in range(20)
        ]
        desk(email=mail).tell(conn, drafts, START)

    await made.first.write(tell)
    lease = timedelta(minutes=5)

    def claim(at: datetime, most: int = 5) -> Callable[[Connection], list[deliveries.Claimed]]:
        return lambda conn: deliveries.claim(conn, {"email": mail}, at, lease, most)

    claims = await asyncio.gather(*[on.write(claim(START)) for on in (made.first, made.second) * 3])
    ids = [item.delivery_id for batch in claims for item in batch]
    assert len(ids) == len(set(ids)) == 20
    assert await made.first.write(claim(START + lease - timedelta(seconds=1))) == []
    (again,) = await made.second.write(claim(START + lease, 1))
    assert again.attempt == 2
    assert again.email == "mia@example.com"
    stale = next(
        item for batch in claims for item in batch if item.delivery_id == again.delivery_id
    )

    def record(*items: deliveries.Claimed) -> Callable[[Connection], set[str]]:
        return lambda conn: deliveries.record_delivered(conn, items, START + lease)

    own = next(batch for batch in claims if stale in batch)
    others = {item.delivery_id for item in own if item is not stale}
    assert await made.first.write(record(*own)) == others  # all but the one that was overtaken
    assert await made.first.write(record(stale)) == set()
    assert await made.second.write(record(again)) == {again.delivery_id}
    assert await made.second.write(record(again)) == set()


async def test_a_sender_prolongs_its_latest_attempts_alone(ready: tuple[Store, Events]) -> None:
    made, _ = ready
    mail = EmailChannel(
        NotifierSettings(notifier_smtp_host="localhost", notifier_smtp_from="desk@example.org")
    )
    drafts = [
        Draft("referral", "mia", f"acc_{number}", f"cause-{number}", REFERRAL, "cor")
        for number in range(3)
    ]
    await made.first.write(lambda conn: desk(email=mail).tell(conn, drafts, START))
    lease = timedelta(seconds=12)

    def claim(at: datetime) -> Callable[[Connection], list[deliveries.Claimed]]:
        return lambda conn: deliveries.claim(conn, {"email": mail}, at, lease, 5)

    kept, overtaken, done = await made.first.write(claim(START))
    await made.first.write(lambda conn: deliveries.record_delivered(conn, [done], START))
    late = {kept.delivery_id: 1, overtaken.delivery_id: 0, done.delivery_id: 1}
    await made.first.write(lambda conn: deliveries.prolong(conn, late, START + 2 * lease))
    (taken,) = await made.second.write(claim(START + lease))
    assert (taken.delivery_id, taken.attempt) == (overtaken.delivery_id, 2)
    taken_later = await made.second.write(claim(START + 2 * lease))
    assert {item.delivery_id for item in taken_later} == {kept.delivery_id, overtaken.delivery_id}


async def test_processes_that_start_at_once_make_one_key_and_publish_it_once(
    database: Store,
) -> None:
    ring = Keyring(Outbox(tables.outbox, "/dealreg/notifier", "default"))

    def ensure(conn: Connection) -> None:
        ring.ensure(conn, START)

    await asyncio.gather(*[on.write(ensure) for on in (database.first, database.second) * 3])
    keys = await database.first.read(lambda conn: signing.published(conn, START))
    assert [key["current"] for key in keys] == [True]
    told = select(func.count()).select_from(tables.outbox.outbox)
    assert await database.first.read(lambda conn: conn.execute(told).scalar_one()) == 1
    new = await database.second.write(lambda conn: ring.rotate(conn, START))
    keys = await database.first.read(lambda conn: signing.published(conn, START))
    assert {key["key_id"]: key["private_key"] is not None for key in keys} == {
        key["key_id"]: key["key_id"] == new for key in keys
    }


async def test_a_storm_is_one_message_however_many_processes_claim_it(
    ready: tuple[Store, Events],
) -> None:
    made, _ = ready
    mail = EmailChannel(
        NotifierSettings(notifier_smtp_host="localhost", notifier_smtp_from="desk@example.org")
    )
    drafts = [
        Draft(
            "referral",
            person,
            f"acc_{number}",
            f"cause-{number}",
            REFERRAL,
            "cor",
        )
        for number in range(60)
        for person in ("mia", "vic")
    ]
    await made.first.write(lambda conn: desk(email=mail).tell(conn, drafts, START))
    lease = timedelta(minutes=5)

    def claim(conn: Connection) -> list[deliveries.Claimed]:
        return deliveries.claim(conn, {"email": mail}, START, lease, 7, 10)

    claims = await asyncio.gather(*[on.write(claim) for on in (made.first, made.second) * 4])
    found = [item for batch in claims for item in batch]
    assert sorted((item.person_id, 1 + len(item.others)) for item in found) == [
        ("mia", 60),
        ("vic", 60),
    ]


async def test_two_whole_notifiers_share_a_postgresql_database(
    tmp_path: Path, postgres_server: Postgres
) -> None:
    """Two services, each with its own ticks, and one mail per notice."""
    name = f"notifier_{uuid4().hex[:12]}"
    url = postgres_server.create_database(name, name)
    async with stage.mail_server() as mail:
        bus = EmbeddedBus(tmp_path / "bus.db")
        configured = NotifierSettings(
            data_dir=tmp_path, notifier_database_url=url, **stage.mail_settings(mail)
        )
        services = [build(configured, bus=bus, now=Clock()) for _ in range(2)]
        await asyncio.gather(*[service.migrate() for service in services])
        first, second = services
        async with first.open(), second.open():
            clock = PostgresClock(first.database)
            await clock.move(START)
            publisher = Publisher(bus, clock)
            await publisher.people()
            await publisher.plan()
            await publisher.say("conflict.opened", make.opened(claims=()))
            while await first.drain():
                pass
            for at in (START + make.FOUR_HOURS, START + make.DAY):
                await clock.move(at)
                await asyncio.gather(*[service.tick() for service in services * 2])
            sent = [(mail_["To"], mail_["Subject"]) for mail_ in mail.messages]
            assert len(sent) == len(set(sent))
            assert [len(mail.to(person)) for person in ("mia", "vic", "cleo")] == [2, 2, 1]
        await bus.close()
    postgres_server.drop_database(name, name)
