"""A case whose notices are sent, and the deliveries as they are shown."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from dealreg_notifier.channels.port import Contact, Delivered, Outbound, Outcome
from dealreg_notifier.domain.retries import PAUSES, Schedule
from tests.factories import notifier as make
from tests.factories import notifier_world as stage
from tests.factories.notifier import MANAGER
from tests.factories.notifier_world import MailServer, World

MINUTE = timedelta(minutes=1)
LEASE = timedelta(seconds=10)


async def open_case(world: World) -> None:
    await world.others.say("conflict.opened", make.opened())
    await world.settle()


async def deliveries(world: World, **query: str) -> list[dict[str, Any]]:
    admin = await world.others.key("admin")
    while await world.service.drain():
        pass
    answer = await world.http.get("/v1/deliveries", headers=admin, params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


class PinBoard:
    """A further channel: all that has to be written to add one."""

    name = "pinboard"
    gathers = True
    private = False
    places = False
    schedule = Schedule(PAUSES, 10)

    def __init__(self) -> None:
        self.pinned: list[Outbound] = []

    def reaches(self, contact: Contact) -> bool:
        return contact.person_id == MANAGER

    @asynccontextmanager
    async def session(self) -> AsyncIterator["PinBoard"]:
        yield self

    async def send(self, outbound: Outbound) -> Outcome:
        self.pinned.append(outbound)
        return Delivered()


@asynccontextmanager
async def mail_world(folder: Path, mail: MailServer) -> AsyncIterator[World]:
    """A notifier that knows people and plan, sends mails and gives up after four attempts."""
    async with stage.world(
        folder, **stage.mail_settings(mail), notifier_delivery_attempts=4
    ) as made:
        await made.others.people()
        await made.others.plan()
        await made.settle()
        mail.messages.clear()
        yield made
