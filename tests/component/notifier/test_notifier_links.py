"""Links in mails: who gets which, how long they count, and the keys that sign them."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from dealreg_notifier.app import build
from dealreg_notifier.settings import NotifierSettings
from dealreg_notifier.signing import Keyring
from dealreg_notifier.tables import metadata
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.config import ConfigurationError, load
from dealreg_shared.contracts.catalogue import KEYS, decode
from dealreg_shared.ids import new_event_id
from dealreg_shared.links import Link, LinkRefused, bytes_of, key_id_of, public_of, text_of, verify
from tests.factories import notifier as make
from tests.factories import notifier_world as stage
from tests.factories.notifier import CEO, DAY, FOUR_HOURS, MANAGER, START, VP
from tests.factories.notifier_world import Clock, MailServer, World

URL = "https://deals.example.com/programme"
GIVEN = bytes(range(32))
FINDER = re.compile(re.escape(URL) + r"/decide/([A-Za-z0-9_.-]+)")


@pytest.fixture
async def world(tmp_path: Path, mail: MailServer) -> AsyncIterator[World]:
    async with stage.world(tmp_path, **stage.mail_settings(mail), notifier_public_url=URL) as made:
        await made.others.people()
        await made.others.plan()
        await made.settle()
        mail.messages.clear()
        yield made


async def public_keys(world: World) -> dict[str, bytes]:
    answer = await world.http.get("/.well-known/dealreg-keys.json")
    assert answer.status_code == 200
    return {key["kid"]: bytes_of(key["x"]) for key in answer.json()["keys"]}


async def published(bus: EmbeddedBus) -> dict[str, Any]:
    """What a new reader of the topic of keys learns, by key id; None where it was taken back."""
    async with bus.subscribe(f"test-{new_event_id()}", [KEYS]) as subscription:
        found = await subscription.fetch(100, 0)
    return {
        item.message.key: None if item.message.value is None else decode(item.message.value).data
        for item in found
    }


def parts(message: EmailMessage) -> tuple[str, str]:
    text, html = [part.get_content() for part in message.iter_parts()]
    return text, html


async def links(world: World, message: EmailMessage) -> list[Link]:
    keys = await public_keys(world)
    text, html = parts(message)
    tokens = FINDER.findall(text)
    assert FINDER.findall(html) == tokens
    return [verify(token, keys, world.clock()) for token in tokens]


async def open_case(world: World, **changes: Any) -> None:
    await world.others.say("conflict.opened", make.opened(**changes))
    await world.settle()


async def test_a_mail_that_asks_for_a_decision_carries_a_link_per_choice(
    world: World, mail: MailServer
) -> None:
    await open_case(world)
    (message,) = mail.to(MANAGER)
    found = await links(world, message)
    assert [(link.action, link.ruling, link.claims) for link in found] == [
        ("take", None, ()),
        ("decide", "uphold_first", ()),
        ("decide", "award", ("clm_reg_b",)),
        ("review", "uphold_first", ()),
    ]
    assert {(link.person_id, link.conflict_id) for link in found} == {(MANAGER, "cnf_1")}
    assert {link.expires_at for link in found} == {START + FOUR_HOURS}
    assert len({link.link_id for link in found}) == 4
    text, html = parts(message)
    for words in ("Take the case", "Uphold the first: Acme Corp", "Award Platform to Rival Inc"):
        assert words in text
        assert words in html
    assert "<script" not in html
    assert "work until 2 Mar 2026 13:00 UTC" in " ".join(text.split())


async def test_without_a_deadline_a_link_counts_for_a_day_and_nothing_is_above(
    world: World, mail: MailServer
) -> None:
    await open_case(world)
    await world.at(DAY)
    (message,) = mail.to(CEO)
    found = await links(world, message)
    assert {link.expires_at for link in found} == {START + 2 * DAY}
    assert [link.action for link in found] == ["take", "decide", "decide"]


async def test_who_is_only_told_gets_no_link(world: World, mail: MailServer) -> None:
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await open_case(world)
    await world.at(FOUR_HOURS)
    missed = next(m for m in mail.to(MANAGER) if str(m["Subject"]).startswith("Deadline missed"))
    for message in (missed, *mail.to("anna")):
        assert FINDER.search("".join(parts(message))) is None
    assert await links(world, mail.to(VP)[0])


async def test_a_token_stands_in_the_mail_alone(world: World, mail: MailServer) -> None:
    await open_case(world)
    token = FINDER.findall(parts(mail.to(MANAGER)[0])[0])[0]
    headers = await world.others.key("partner_manager", person_id=MANAGER)
    await world.settle()
    assert token not in str(await world.inbox(headers))

    def look(conn: Any) -> list[str]:
        return [
            table.name
            for table in metadata.sorted_tables
            for row in conn.execute(table.select())
            if any(token in str(value) for value in row)
        ]

    assert await world.service.database.read(look) == []


async def test_without_an_address_of_registration_a_mail_has_no_links(
    tmp_path: Path, mail: MailServer
) -> None:
    async with stage.world(tmp_path, **stage.mail_settings(mail)) as world:
        await world.others.people()
        await world.others.plan()
        await open_case(world)
        text, html = parts(mail.to(MANAGER)[0])
    assert "Decide at one click" not in text + html
    assert "/v1/conflicts/cnf_1/decide" in text


async def test_a_key_is_made_once_and_its_public_half_published(world: World) -> None:
    keys = await public_keys(world)
    assert len(keys) == 1
    topic = await published(world.bus)
    assert {id_: bytes_of(data.public_key) for id_, data in topic.items()} == keys
    ring: Keyring = world.service.extras["keyring"]
    await world.service.database.write(lambda conn: ring.ensure(conn, START + DAY))
    assert await public_keys(world) == keys


async def test_a_retired_key_counts_until_its_last_link_has_expired(
    world: World, mail: MailServer
) -> None:
    await open_case(world)
    (former,) = await public_keys(world)
    ring: Keyring = world.service.extras["keyring"]
    new = await world.service.database.write(lambda conn: ring.rotate(conn, START))
    await world.settle()
    assert set(await public_keys(world)) == {former, new}
    assert await links(world, mail.to(MANAGER)[0])
    assert (await published(world.bus))[former].valid_until == START + DAY
    await world.at(DAY)
    assert set(await public_keys(world)) == {new}
    await world.service.database.write(lambda conn: ring.ensure(conn, START + DAY))
    await world.settle()
    assert (await published(world.bus)).get(former) is None


async def test_a_key_that_is_taken_back_opens_nothing_any_more(
    world: World, mail: MailServer
) -> None:
    await open_case(world)
    (former,) = await public_keys(world)
    ring: Keyring = world.service.extras["keyring"]
    await world.service.database.write(lambda conn: ring.rotate(conn, START, revoke=True))
    await world.settle()
    assert former not in await public_keys(world)
    assert (await published(world.bus)).get(former) is None
    with pytest.raises(LinkRefused):
        await links(world, mail.to(MANAGER)[0])


async def test_a_key_can_be_given_and_then_is_not_stored(tmp_path: Path) -> None:
    bus = EmbeddedBus(tmp_path / "bus.db")
    given = NotifierSettings(data_dir=tmp_path, notifier_link_key=text_of(GIVEN))
    made = build(NotifierSettings(data_dir=tmp_path), bus=bus, now=Clock())
    await made.migrate()
    async with made.open():
        pass
    service = build(given, bus=bus, now=Clock())
    async with service.open():
        ring: Keyring = service.extras["keyring"]
        assert await service.database.read(ring.current) == GIVEN
        raw = (tmp_path / "notifier.db").read_bytes() + (tmp_path / "notifier.db-wal").read_bytes()
        assert text_of(GIVEN).encode() not in raw
        await service.drain()
        assert key_id_of(public_of(GIVEN)) in await published(bus)
        with pytest.raises(ValueError, match="NOTIFIER_LINK_KEY"):
            await service.database.write(lambda conn: ring.rotate(conn, START))
    await bus.close()


@pytest.mark.parametrize("value", ["short", "!" * 43, text_of(bytes(31)), text_of(bytes(33))])
def test_a_key_that_is_none_stops_the_start(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEALREG_NOTIFIER_LINK_KEY", value)
    with pytest.raises(ConfigurationError, match="NOTIFIER_LINK_KEY") as error:
        load(NotifierSettings)
    assert value not in str(error.value)


async def test_the_longest_life_is_a_setting(tmp_path: Path, mail: MailServer) -> None:
    async with stage.world(
        tmp_path, **stage.mail_settings(mail), notifier_public_url=URL, notifier_link_hours=0.5
    ) as world:
        await world.others.people()
        await world.others.plan()
        await open_case(world)
        found = await links(world, mail.to(MANAGER)[0])
    assert {link.expires_at for link in found} == {START + timedelta(minutes=30)}
