"""Who is written to and who is not: no address, no server, erased, reached by a further channel."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dealreg_notifier.channels import registry
from dealreg_notifier.channels.email import EmailChannel
from dealreg_notifier.tables import metadata
from dealreg_shared.contracts.people import PersonUpdated
from tests.factories import notifier as make
from tests.factories import notifier_world as stage
from tests.factories.notifier import MANAGER
from tests.factories.notifier_mail import MINUTE, PinBoard, deliveries, mail_world, open_case
from tests.factories.notifier_world import MailServer, World


@pytest.fixture
async def world(tmp_path: Path, mail: MailServer) -> AsyncIterator[World]:
    async with mail_world(tmp_path, mail) as made:
        yield made


async def test_erasing_a_person_stops_what_is_unsent_and_forgets_the_address(
    world: World, mail: MailServer
) -> None:
    mail.answers = ["451 try later"]
    await world.others.say("conflict.opened", make.opened(claims=()))
    await world.settle()
    (waiting,) = await deliveries(world, state="pending")
    assert waiting["recipient"] == MANAGER
    await world.others.erase(MANAGER)
    await world.at(MINUTE)
    assert mail.to(MANAGER) == []
    (stopped,) = [d for d in await deliveries(world) if d["id"] == waiting["id"]]
    assert (stopped["state"], stopped["error"]) == ("cancelled", "the person was erased")
    assert not await _mentions(world, "mia@example.com", "Mia Example")


async def _mentions(world: World, *words: str) -> list[str]:
    """Tables in which any of the words stands anywhere."""

    def look(conn: Any) -> list[str]:
        return [
            table.name
            for table in metadata.sorted_tables
            for row in conn.execute(table.select())
            if any(word in str(value) for value in row for word in words)
        ]

    return await world.service.database.read(look)


async def test_without_a_mail_server_the_inbox_alone_tells(tmp_path: Path) -> None:
    async with stage.world(tmp_path) as world:
        await world.others.people()
        await world.others.plan()
        await world.others.say("conflict.opened", make.opened())
        await world.settle()
        assert await deliveries(world) == []
        headers = await world.others.key("partner_manager", person_id=MANAGER)
        await world.settle()
        assert len(await world.inbox(headers)) == 1


async def test_a_person_without_an_address_gets_no_mail(world: World, mail: MailServer) -> None:
    silent = PersonUpdated(person_id=MANAGER, name="Mia", email=None, roles=("partner_manager",))
    await world.others.say("person.updated", silent, MANAGER)
    await world.settle()
    await open_case(world)
    assert [d for d in await deliveries(world) if d["recipient"] == MANAGER] == []


async def test_several_messages_share_a_connection(world: World, mail: MailServer) -> None:
    channel = world.service.extras["desk"].channels["email"]
    assert isinstance(channel, EmailChannel)
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await open_case(world)
    async with channel.session() as sender:
        first = await sender._connected()
        assert await sender._connected() is first


async def test_a_person_who_becomes_known_later_is_written_to_then(
    tmp_path: Path, mail: MailServer
) -> None:
    """People travel on another topic than conflicts: it may lag behind."""
    async with stage.world(tmp_path, **stage.mail_settings(mail)) as world:
        await world.others.plan()
        await world.others.say("conflict.opened", make.opened(claims=()))
        await world.settle()
        (waiting,) = await deliveries(world)
        assert (waiting["state"], waiting["error"]) == ("pending", "no address is known")
        await world.others.people()
        await world.at(timedelta(seconds=30))
        assert len(mail.to(MANAGER)) == 1


async def test_a_further_channel_needs_its_own_code_and_an_entry(
    tmp_path: Path, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = PinBoard()
    builders = (*registry.BUILDERS, lambda _settings, _outbound: board)
    monkeypatch.setattr(registry, "BUILDERS", builders)
    async with stage.world(tmp_path, **stage.mail_settings(mail)) as world:
        await world.others.people()
        await world.others.plan()
        await open_case(world)
        (pinned,) = board.pinned
        assert pinned.title.startswith("Decide by")
        assert len(mail.to(MANAGER)) == 1
        channels = sorted(
            d["channel"] for d in await deliveries(world) if d["recipient"] == MANAGER
        )
        assert channels == ["email", "pinboard"]
