"""Endpoints and their owners: made, changed, tried and deleted, each by whom it belongs to."""

import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from tests.factories import notifier as make
from tests.factories.notifier import MANAGER, VP
from tests.factories.notifier_hooks import HOOKS, add, key, log, read, verified
from tests.factories.notifier_world import World
from tests.factories.outbound import Receiver, answered, receiver


async def test_two_secrets_sign_while_one_replaces_the_other(world: World, hook: Receiver) -> None:
    acme = await key(world, "partner", partner_id="acme")
    made = await add(world, acme, hook)
    place = f"{HOOKS}/{made['id']}"
    assert "secret" not in await read(world, acme, made["id"])
    rotated = (
        await world.http.post(f"{place}/rotate", headers=acme, json={"overlap_hours": 2})
    ).json()
    assert rotated["old_secret_ends_at"] == "2026-03-02T11:00:00.000000Z"
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await world.settle()
    verified(hook.requests[0], made["secret"])
    verified(hook.requests[0], rotated["secret"])
    await world.at(timedelta(hours=2))
    await world.others.say("registration.filed", make.filed("reg_b", "acme"))
    await world.settle()
    verified(hook.requests[1], rotated["secret"])
    with pytest.raises(WebhookVerificationError):
        verified(hook.requests[1], made["secret"])
    assert (await read(world, acme, made["id"]))["old_secret_ends_at"] is None
    for _ in range(3):
        newest = (await world.http.post(f"{place}/rotate", headers=acme, json={})).json()
    await world.http.post(f"{place}/test", headers=acme)
    assert len(hook.requests[-1].headers["webhook-signature"].split()) == 2
    verified(hook.requests[-1], newest["secret"])


async def test_a_test_message_answers_with_what_it_met(world: World, hook: Receiver) -> None:
    acme = await key(world, "partner", partner_id="acme")
    made = await add(world, acme, hook)
    place = f"{HOOKS}/{made['id']}/test"
    good = (await world.http.post(place, headers=acme)).json()
    assert (good["outcome"], good["status"], good["error"]) == ("delivered", 204, None)
    assert verified(hook.requests[0], made["secret"])["type"] == "dealreg.notice.test"
    hook.answers = [answered(500)]
    bad = (await world.http.post(place, headers=acme)).json()
    assert (bad["outcome"], bad["status"], bad["error"]) == ("retry", 500, "HTTP 500")
    assert (await log(world, acme, made["id"]), await world.inbox(acme, unread=True)) == (
        [],
        await world.inbox(acme),
    )


async def test_endpoints_are_changed_and_deleted(world: World, hook: Receiver) -> None:
    acme = await key(world, "partner", partner_id="acme")
    made = await add(world, acme, hook)
    place = f"{HOOKS}/{made['id']}"
    body = {"description": " My  CRM ", "notices": ["decision"], "enabled": False}
    changed = (await world.http.patch(place, headers=acme, json=body)).json()
    assert (changed["description"], changed["notices"], changed["enabled"]) == (
        "My CRM",
        ["decision"],
        False,
    )
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await world.settle()
    assert hook.requests == []
    all_kinds = (await world.http.patch(place, headers=acme, json={"notices": None})).json()
    assert (all_kinds["notices"], all_kinds["description"]) == (None, "My CRM")
    assert (await world.http.delete(place, headers=acme)).status_code == 204
    assert (await world.http.get(place, headers=acme)).status_code == 404
    assert (await world.http.get(HOOKS, headers=acme)).json()["items"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "http://hooks.example.com/"}, "/url"),
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"url": "https://user@hooks.example.com/"}, "/url"),
        ({"url": "https://hooks.example.com/\u0000"}, "/url"),
        ({"kind": "pigeon"}, "/kind"),
        ({"notices": ["weather"]}, "/notices/0"),
        ({"notices": []}, "/notices"),
        ({"owner": "partner:"}, "/owner"),
        ({"owner": "role:king"}, "/owner"),
        ({"colour": "red"}, "/colour"),
        ({"description": "x" * 201}, "/description"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(
    world: World, body: dict[str, Any], field: str
) -> None:
    acme = await key(world, "partner", partner_id="acme")
    whole = {"kind": "webhook", "url": "https://hooks.example.com/"} | body
    answer = await world.http.post(HOOKS, headers=acme, json=whole)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_nobody_manages_anothers_endpoints(world: World, hook: Receiver) -> None:
    acme = await key(world, "partner", partner_id="acme")
    made = await add(world, acme, hook)
    others = [
        await key(world, "partner", partner_id="rival"),
        await key(world, "partner_manager", person_id=MANAGER),
        await key(world, "auditor", person_id=VP),
    ]
    absent = f"{HOOKS}/whk_absent"
    for headers in others:
        assert (await world.http.get(HOOKS, headers=headers)).json()["items"] == []
        for method, tail, body in (
            ("GET", "", None),
            ("PATCH", "", {"enabled": False}),
            ("DELETE", "", None),
            ("GET", "/deliveries", None),
            ("POST", "/rotate", {}),
            ("POST", "/test", None),
            ("POST", "/replay", {}),
        ):
            mine = await world.http.request(
                method, f"{HOOKS}/{made['id']}{tail}", headers=headers, json=body
            )
            none = await world.http.request(method, absent + tail, headers=headers, json=body)
            assert mine.status_code == none.status_code == 404
            plain = [
                {k: v for k, v in answer.json().items() if k != "correlation_id"}
                for answer in (mine, none)
            ]
            assert plain[0] == plain[1]
        for owner in ("partner:acme", "cleo"):
            answer = await world.http.post(
                HOOKS,
                headers=headers,
                json={"kind": "webhook", "url": "https://hooks.example.com/", "owner": owner},
            )
            assert (answer.status_code, answer.json()["type"]) == (
                403,
                "/problems/not-your-endpoint",
            )
    admin = await key(world, "admin")
    assert [e["id"] for e in (await world.http.get(HOOKS, headers=admin)).json()["items"]] == [
        made["id"]
    ]
    assert (await read(world, admin, made["id"]))["owner"] == "partner:acme"


async def test_an_owner_has_twenty_endpoints_at_most(world: World, hook: Receiver) -> None:
    acme = await key(world, "partner", partner_id="acme")
    for _ in range(20):
        await add(world, acme, hook)
    answer = await world.http.post(
        HOOKS, headers=acme, json={"kind": "webhook", "url": "https://hooks.example.com/"}
    )
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/too-many-endpoints")
    pages = []
    after = None
    while True:
        query = {"limit": 7, **({"after": after} if after else {})}
        page = (await world.http.get(HOOKS, headers=acme, params=query)).json()
        pages.append(page["items"])
        after = page["next"]
        if after is None:
            break
    assert [len(page) for page in pages] == [7, 7, 6]
    made = [item["created_at"] for page in pages for item in page]
    assert all(first <= second for first, second in pairwise(made))


async def test_a_programmes_endpoint_gets_a_notice_to_several_people_once(
    world: World, hook: Receiver
) -> None:
    manager = await key(world, "partner_manager", person_id=MANAGER)
    await add(world, manager, hook, owner="programme", notices=["programme"])
    async with receiver() as role, receiver() as own:
        await add(world, manager, role, owner="role:vp")
        await add(world, manager, own)
        await world.others.say("conflict.opened", make.opened())
        await world.settle()
        await world.at(make.FOUR_HOURS)
        kinds = [json.loads(r.body)["data"] for r in role.requests]
        assert [(data["kind"], data["recipient"]) for data in kinds] == [("ladder", VP)]
        mine = [json.loads(r.body)["data"] for r in own.requests]
        assert [(data["kind"], data["recipient"]) for data in mine] == [
            ("ladder", MANAGER),
            ("ladder", MANAGER),
        ]
    assert hook.requests == []


async def test_an_erased_persons_endpoints_are_gone(world: World, hook: Receiver) -> None:
    manager = await key(world, "partner_manager", person_id=MANAGER)
    made = await add(world, manager, hook)
    hook.answers = [answered(503)]
    await world.others.say("conflict.opened", make.opened())
    await world.settle()
    sent = len(hook.requests)
    await world.others.erase(MANAGER)
    await world.at(timedelta(hours=1))
    admin = await key(world, "admin")
    assert (await world.http.get(f"{HOOKS}/{made['id']}", headers=admin)).status_code == 404
    assert len(hook.requests) == sent


async def test_no_secret_and_no_url_of_a_chat_is_ever_shown_or_logged(
    world: World, hook: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    acme = await key(world, "partner", partner_id="acme")
    made = await add(world, acme, hook)
    hook.answers = [answered(410, b"your secret words")]
    url = f"http://127.0.0.1:{hook.port}/services/T0/B0/chat-token"
    chat = await world.http.post(HOOKS, headers=acme, json={"kind": "slack", "url": url})
    assert chat.json()["secret"] is None
    assert chat.json()["url"] == f"https://127.0.0.1:{hook.port}/…"
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await world.settle()
    shown = [
        (await world.http.get(HOOKS, headers=acme)).text,
        (await world.http.get(f"{HOOKS}/{made['id']}/deliveries", headers=acme)).text,
        (await world.http.get("/v1/notifications", headers=acme)).text,
        capsys.readouterr().out,
        str(await world.events()),
    ]
    for text in shown:
        assert made["secret"] not in text
        assert "chat-token" not in text
        assert "your secret words" not in text
    rotate = await world.http.post(f"{HOOKS}/{chat.json()['id']}/rotate", headers=acme, json={})
    assert (rotate.status_code, rotate.json()["type"]) == (
        409,
        "/problems/endpoint-has-no-secret",
    )
