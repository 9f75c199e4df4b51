"""Slack and Teams: what is posted, what its text can do (nothing), and what their answers mean."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealreg_notifier.channels import slack, teams
from dealreg_notifier.channels.port import Action
from tests.contract.channels.rigs import outbound
from tests.factories import notifier as make
from tests.factories import notifier_world as stage
from tests.factories.notifier import MANAGER
from tests.factories.notifier_world import World
from tests.factories.outbound import Receiver, answered, receiver

EVIL = "<!channel> <https://evil.example|click> & *bold* [a](https://evil.example) <script>"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with stage.world(
        tmp_path,
        notifier_outbound_loopback=True,
        notifier_public_url="https://deals.example.com",
    ) as made:
        await made.others.people()
        await made.others.plan()
        await made.settle()
        yield made


@pytest.fixture
async def chat() -> AsyncIterator[Receiver]:
    async with receiver(answered(200, b"ok")) as made:
        yield made


async def add(world: World, chat: Receiver, **body: Any) -> tuple[dict[str, str], str]:
    headers = await world.others.key("partner_manager", person_id=MANAGER)
    await world.settle()
    url = f"http://127.0.0.1:{chat.port}/services/T0/B0/x"
    answer = await world.http.post(
        "/v1/webhooks", headers=headers, json={"kind": "slack", "url": url} | body
    )
    assert answer.status_code == 201, answer.text
    return headers, answer.json()["id"]


async def open_case(world: World) -> None:
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await world.others.say("registration.filed", make.filed("reg_b", "rival"))
    await world.others.say("conflict.opened", make.opened())
    await world.settle()


def buttons(message: dict[str, Any]) -> list[str]:
    """Addresses behind a message's buttons, of either chat."""
    if "attachments" in message:
        return [each["url"] for each in message["attachments"][0]["content"]["actions"]]
    found = [block for block in message["blocks"] if block["type"] == "actions"]
    return [element["url"] for block in found for element in block["elements"]]


@pytest.mark.parametrize("kind", ["slack", "teams"])
async def test_a_person_is_told_in_the_chat(world: World, chat: Receiver, kind: str) -> None:
    headers, _ = await add(world, chat, kind=kind, private=True)
    await open_case(world)
    (request,) = chat.requests
    message = json.loads(request.body)
    (notice,) = await world.inbox(headers, unread=True)
    shown = json.dumps(message)
    assert notice["title"][:20] in shown
    links = buttons(message)
    assert links
    assert all(link.startswith("https://deals.example.com/decide/") for link in links)


@pytest.mark.parametrize("kind", ["slack", "teams"])
async def test_where_others_read_along_no_link_decides(
    world: World, chat: Receiver, kind: str
) -> None:
    await add(world, chat, kind=kind)
    async with receiver(answered(200)) as shared:
        await add(world, shared, kind=kind, owner="role:partner_manager")
        await open_case(world)
        for request in (*chat.requests, *shared.requests):
            assert b"/decide/" not in request.body
        assert len(chat.requests) == len(shared.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "webhook", "private": True},
        {"kind": "slack", "private": True, "owner": "programme"},
        {"kind": "teams", "private": True, "owner": "role:vp"},
    ],
)
async def test_only_a_persons_own_chat_is_private(
    world: World, chat: Receiver, body: dict[str, Any]
) -> None:
    headers = await world.others.key("partner_manager", person_id=MANAGER)
    await world.settle()
    answer = await world.http.post(
        "/v1/webhooks", headers=headers, json={"url": "https://hooks.example.com/"} | body
    )
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["/private"]


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_a_channel_that_was_removed_is_switched_off(
    world: World, chat: Receiver, status: int
) -> None:
    chat.answers = [answered(status, b"no_service")]
    headers, endpoint_id = await add(world, chat)
    await open_case(world)
    found = (await world.http.get(f"/v1/webhooks/{endpoint_id}", headers=headers)).json()
    assert (found["enabled"], len(chat.requests)) == (False, 1)
    kinds = [notice["kind"] for notice in await world.inbox(headers)]
    assert "endpoint_off" in kinds


async def test_a_malformed_message_is_final_for_itself_alone(world: World, chat: Receiver) -> None:
    chat.answers = [answered(400, b"invalid_blocks"), answered(200)]
    headers, endpoint_id = await add(world, chat)
    await open_case(world)
    place = f"/v1/webhooks/{endpoint_id}"
    assert (await world.http.get(place, headers=headers)).json()["enabled"]
    (line,) = (await world.http.get(f"{place}/deliveries", headers=headers)).json()["items"]
    assert (line["state"], line["status"]) == ("dead", 400)


async def test_a_rate_limit_is_honoured(world: World, chat: Receiver) -> None:
    chat.answers = [answered(429, b"rate_limited", retry_after="120"), answered(200)]
    await add(world, chat)
    await open_case(world)
    await world.at(timedelta(seconds=119))
    assert len(chat.requests) == 1
    await world.at(timedelta(seconds=120))
    assert len(chat.requests) == 2


@pytest.mark.parametrize(("wanted", "chats", "mails"), [("email", 0, 1), ("slack", 1, 0)])
async def test_a_persons_preferences_hold_for_the_chat(
    tmp_path: Path, chat: Receiver, wanted: str, chats: int, mails: int
) -> None:
    async with (
        stage.mail_server() as mail,
        stage.world(
            tmp_path, notifier_outbound_loopback=True, **stage.mail_settings(mail)
        ) as world,
    ):
        await world.others.people()
        await world.others.plan()
        headers, _ = await add(world, chat)
        chosen = await world.http.put(
            "/v1/preferences", headers=headers, json={"channels": {"escalation": [wanted]}}
        )
        assert chosen.status_code == 200, chosen.text
        await open_case(world)
        assert (len(chat.requests), len(mail.to(MANAGER))) == (chats, mails)


async def test_many_conflicts_at_once_are_one_message_with_a_list(
    world: World, chat: Receiver
) -> None:
    await add(world, chat)
    for number in range(30):
        await world.others.say(
            "conflict.opened", make.opened(f"cnf_{number}", claims=()), f"acc_{number}"
        )
    await world.settle()
    assert len(chat.requests) == 1
    assert b"30" in chat.requests[0].body


def test_texts_are_texts() -> None:
    message = slack.message(outbound("dlv_1", None, title=EVIL, body=EVIL))
    assert "<" not in message["text"]
    for block in message["blocks"]:
        for part in [block.get("text"), *block.get("elements", [])]:
            if part is not None and part["type"] != "button":
                assert part["type"] == "plain_text"
    card = teams.message(outbound("dlv_1", None, title=EVIL, body=EVIL))
    for block in card["attachments"][0]["content"]["body"]:
        plain = block["text"].replace("\\\\", "")
        for sign in "*[]<>`_~":
            assert plain.count(sign) == plain.count(f"\\{sign}")


@given(
    title=st.text(max_size=4000),
    body=st.text(max_size=30_000),
    paragraphs=st.integers(1, 60),
    actions=st.integers(0, 12),
)
def test_whatever_the_notice_the_limits_of_the_chats_are_kept(
    title: str, body: str, paragraphs: int, actions: int
) -> None:
    sent = outbound(
        "dlv_1",
        None,
        title=title or "x",
        body="\n\n".join([body[:3000] or "x"] * paragraphs),
        actions=tuple(Action("x" * 90, "https://deals.example.com/") for _ in range(actions)),
    )
    message = slack.message(sent)
    assert len(message["blocks"]) <= 50
    for block in message["blocks"]:
        if block["type"] == "header":
            assert 1 <= len(block["text"]["text"]) <= 150
        if block["type"] == "section":
            assert 1 <= len(block["text"]["text"]) <= 3000
        if block["type"] == "actions":
            assert len(block["elements"]) <= 25
            assert all(len(each["text"]["text"]) <= 75 for each in block["elements"])
    assert len(json.dumps(teams.message(sent), ensure_ascii=False)) < 28_000
