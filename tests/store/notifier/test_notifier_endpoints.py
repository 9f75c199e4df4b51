"""Endpoints on both databases with two notifiers at once: nothing twice, nothing stuck, told once."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import func, select, update

from dealreg_notifier import endpoints
from dealreg_notifier.app import build
from dealreg_notifier.settings import NotifierSettings
from dealreg_notifier.tables import delivery, delivery_attempt, endpoint, notification
from dealreg_shared.bus.embedded import EmbeddedBus
from tests.factories import notifier as make
from tests.factories.notifier import Publisher
from tests.factories.outbound import answered, receiver

SENT = 40


async def test_two_notifiers_share_endpoints(database_url: str, tmp_path: Path) -> None:
    bus = EmbeddedBus(tmp_path / "bus.db")
    settings = NotifierSettings(
        data_dir=tmp_path, notifier_database_url=database_url, notifier_outbound_loopback=True
    )
    services = [build(settings, bus=bus, now=lambda: datetime.now(UTC)) for _ in range(2)]
    first, second = services
    await first.migrate()
    async with receiver() as good, receiver(answered(500)) as bad, first.open(), second.open():
        made = {}
        for name, server in (("good", good), ("bad", bad)):
            new = endpoints.New(
                "webhook", "partner:acme", f"http://127.0.0.1:{server.port}/", name, None, "key_1"
            )
            made[name], _ = await first.database.write(
                partial(endpoints.create, new=new, now=datetime.now(UTC))
            )
        publisher = Publisher(bus, lambda: datetime.now(UTC))
        await publisher.people()
        await publisher.plan()
        for number in range(SENT):
            await publisher.say(
                "registration.filed", make.filed(f"reg_{number}", "acme"), f"acc_{number}"
            )
        while await first.drain():
            pass
        await asyncio.gather(*[service.tick() for service in services * 2])
        arrived = Counter(request.headers["webhook-id"] for request in good.requests)
        assert len(arrived) == SENT + 1  # and the plan
        assert set(arrived.values()) == {1}
        assert bad.requests

        long_ago = datetime.now(UTC) - timedelta(days=6)
        await first.database.write(
            lambda conn: (
                conn.execute(
                    update(endpoint)
                    .where(endpoint.c.endpoint_id == made["bad"])
                    .values(failing_since=long_ago)
                )
                and None
            )
        )
        await first.database.write(
            lambda conn: conn.execute(update(delivery).values(due_at=long_ago)) and None
        )
        await asyncio.gather(*[service.tick() for service in services * 2])
        off = await first.database.read(lambda conn: endpoints.one(conn, made["bad"]))
        on = await first.database.read(lambda conn: endpoints.one(conn, made["good"]))
        assert (off["enabled"], on["enabled"], on["failing_since"]) == (False, True, None)
        told = await first.database.read(
            lambda conn: conn.execute(
                select(func.count())
                .select_from(notification)
                .where(notification.c.kind == "endpoint_off")
            ).scalar_one()
        )
        assert told == 1
        logged = await first.database.read(
            lambda conn: conn.execute(
                select(func.count()).select_from(delivery_attempt)
            ).scalar_one()
        )
        assert logged == len(good.requests) + len(bad.requests)
        await first.database.write(lambda conn: endpoints.remove_of(conn, "partner:acme"))
        left = await first.database.read(
            lambda conn: conn.execute(
                select(func.count())
                .select_from(delivery)
                .where(delivery.c.recipient.in_(list(made.values())))
            ).scalar_one()
        )
        assert left == 0
    await bus.close()
