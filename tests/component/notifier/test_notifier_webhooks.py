"""Webhooks over real HTTP: signed, retried for days, switched off, replayed, seen by the owner only."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.factories import notifier as make
from tests.factories import notifier_world as stage
from tests.factories.notifier import MANAGER, VP
from tests.factories.notifier_world import MailServer, World
from tests.factories.outbound import Receiver, Request, answered, receiver

HOOKS = "/v1/webhooks"


@pytest.fixture
async def world(tmp_path: Path, mail: MailServer) -> AsyncIterator[World]:
    async with stage.world(
        tmp_path, notifier_outbound_loopback=True, **stage.mail_settings(mail)
    ) as made:
        await made.others.people()
        await made.others.plan()
        await made.settle()
        yield made


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


async def key(world: World, role: Any, **of: str) -> dict[str, str]:
    headers = await world.others.key(role, **of)
    await world.settle()
    return headers


async def add(
    world: World, headers: dict[str, str], hook: Receiver, kind: str = "webhook", **body: Any
) -> dict[str, Any]:
    url = f"http://127.0.0.1:{hook.port}/hook"
    answer = await world.http.post(HOOKS, headers=headers, json={"kind": kind, "url": url, **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def read(world: World, headers: dict[str, str], endpoint_id: str) -> dict[str, Any]:
    answer = await world.http.get(f"{HOOKS}/{endpoint_id}", headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def log(world: World, headers: dict[str, str], endpoint_id: str) -> list[dict[str, Any]]:
    """The delivery log, the oldest first."""
    answer = await world.http.get(f"{HOOKS}/{endpoint_id}/deliveries", headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items[::-1]


def verified(request: Request, secret: str) -> dict[str, Any]:
    """What a receiver makes of it, with the standard's own library."""
    found: dict[str, Any] = Webhook(secret).verify(request.body, request.headers)
    return found


async def test_a_partners_notices_arrive_signed_and_no_others(world: World, hook: Receiver) -> None:
    acme = await key(world, "partner", partner_id="acme")
    made = await add(world, acme, hook, description="CRM")
    assert (made["owner"], made["enabled"], made["description"]) == ("partner:acme", True, "CRM")
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await world.others.say(
        "registration.filed", make.filed("reg_b", "rival", account_name=make.SECRET_ACCOUNT)
    )
    await world.others.say("conflict.opened", make.opened())
    await world.settle()
    bodies = [verified(request, made["secret"]) for request in hook.requests]
    assert sorted(body["data"]["kind"] for body in bodies) == ["case_open", "decision"]
    notices = {notice["id"]: notice for notice in await world.inbox(acme)}
    for request, body in zip(hook.requests, bodies, strict=True):
        notice = notices[body["data"]["id"]]
        assert body["type"] == f"dealreg.notice.{notice['kind']}"
        assert {
            name: body["data"][name] for name in ("title", "text", "subject", "created_at")
        } == {name: notice[name] for name in ("title", "text", "subject", "created_at")}
        assert request.headers["content-type"] == "application/json"
        for rival in (b"rival", b"Rival", b"reg_b", b"rob", b"zone"):
            assert rival not in request.body
    lines = await log(world, acme, made["id"])
    assert [(line["attempt"], line["status"], line["outcome"]) for line in lines] == [
        (1, 204, "delivered")
    ] * 2
    assert {line["delivery_id"] for line in lines} == {
        request.headers["webhook-id"] for request in hook.requests
    }
    assert all(line["state"] == "delivered" and line["sent_sha256"] for line in lines)


async def test_an_endpoint_gets_the_kinds_it_asked_for(world: World, hook: Receiver) -> None:
    acme = await key(world, "partner", partner_id="acme")
    await add(world, acme, hook, notices=["case", "plan_changes"])
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await world.others.say("conflict.opened", make.opened())
    await world.settle()
    assert [json.loads(r.body)["data"]["kind"] for r in hook.requests] == ["case_open"]


async def test_a_receiver_that_is_down_for_three_days_gets_it_in_the_end(
    world: World, hook: Receiver, mail: MailServer
) -> None:
    """Ten attempts in 75 h 35 min, each with the same id and body and a signature of its own time."""
    hook.answers = [answered(503)]
    acme = await key(world, "partner", partner_id="acme")
    made = await add(world, acme, hook)
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await world.settle()
    for _ in range(8):
        (*_, last) = await log(world, acme, made["id"])
        assert last["state"] == "pending"
        await world.at(world.until(last["next_attempt_at"]))
    hook.answers = [answered(200)]
    (*_, last) = await log(world, acme, made["id"])
    await world.at(world.until(last["next_attempt_at"]))
    lines = await log(world, acme, made["id"])
    assert [line["status"] for line in lines] == [503] * 9 + [200]
    assert [line["attempt"] for line in lines] == list(range(1, 11))
    assert len({request.headers["webhook-id"] for request in hook.requests}) == 1
    assert len({request.body for request in hook.requests}) == 1
    for request in hook.requests:
        verified(request, made["secret"])
    elapsed = world.until(lines[-1]["at"])
    assert timedelta(hours=75.59) * 0.9 <= elapsed <= timedelta(hours=75.59) * 1.1
    assert (await read(world, acme, made["id"]))["failing_since"] is None


async def test_the_log_is_kept_for_its_time(world: World, hook: Receiver) -> None:
    acme = await key(world, "partner", partner_id="acme")
    made = await add(world, acme, hook)
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await world.settle()
    await world.at(timedelta(days=89))
    assert len(await log(world, acme, made["id"])) == 1
    await world.others.say("registration.filed", make.filed("reg_b", "acme"))
    await world.at(timedelta(days=91))
    (left,) = await log(world, acme, made["id"])
    assert left["at"] > "2026-05"
    assert len(await world.inbox(acme)) == 3, "the notices stay"


async def test_an_endpoint_that_fails_the_whole_schedule_is_switched_off_and_its_owner_told(
    world: World, hook: Receiver, mail: MailServer
) -> None:
    hook.answers = [answered(500)]
    acme = await key(world, "partner", partner_id="acme")
    made = await add(world, acme, hook, description="CRM of Acme")
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await world.settle()
    for _ in range(9):
        (*_, last) = await log(world, acme, made["id"])
        assert (await read(world, acme, made["id"]))["enabled"]
        await world.at(world.until(last["next_attempt_at"]))
    off = await read(world, acme, made["id"])
    assert (off["enabled"], len(hook.requests)) == (False, 10)
    assert off["off_reason"] == "10 attempts failed; the last answer: HTTP 500"
    await world.settle()  # the mail leaves with the next tick
    (told,) = [m for m in mail.to("anna") if "switched off" in m["Subject"]]
    assert "CRM of Acme" in told["Subject"]
    assert mail.to("rob") == [m for m in mail.to("rob") if "switched off" not in m["Subject"]]
    (notice,) = [n for n in await world.inbox(acme) if n["kind"] == "endpoint_off"]
    assert notice["subject"] == made["id"]

    hook.answers = [answered(200)]  # nothing goes there while it is off
    await world.others.say("registration.filed", make.filed("reg_c", "acme"))
    await world.settle()
    assert len(hook.requests) == 10
    place = f"{HOOKS}/{made['id']}"
    closed = await world.http.post(f"{place}/replay", headers=acme, json={})
    assert (closed.status_code, closed.json()["type"]) == (409, "/problems/endpoint-off")
    again = await world.http.patch(place, headers=acme, json={"enabled": True})
    assert (again.json()["enabled"], again.json()["off_reason"]) == (True, None)
    replayed = await world.http.post(f"{place}/replay", headers=acme, json={})
    assert replayed.json() == {"deliveries": 1}
    await world.settle()
    assert hook.requests[-1].headers["webhook-id"] == hook.requests[0].headers["webhook-id"]
    await world.others.say("registration.filed", make.filed("reg_d", "acme"))
    await world.settle()
    assert len(hook.requests) == 12


async def test_gone_switches_off_at_once(world: World, hook: Receiver, mail: MailServer) -> None:
    hook.answers = [answered(410)]
    acme = await key(world, "partner", partner_id="acme")
    made = await add(world, acme, hook)
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await world.settle()
    off = await read(world, acme, made["id"])
    assert (off["enabled"], off["off_reason"]) == (False, "HTTP 410: the endpoint is gone")
    assert [line["outcome"] for line in await log(world, acme, made["id"])] == ["refused"]
    await world.settle()  # the mail leaves with the next tick
    assert [m["Subject"] for m in mail.to("anna") if "switched off" in m["Subject"]] == [
        "A webhook of yours was switched off"
    ]


async def test_what_the_former_url_answers_switches_nothing_off(
    world: World, hook: Receiver
) -> None:
    acme = await key(world, "partner", partner_id="acme")
    made = await add(world, acme, hook)
    place = f"/v1/webhooks/{made['id']}"

    async def moved_meanwhile(request: Request, writer: asyncio.StreamWriter) -> None:
        change = {"url": f"http://127.0.0.1:{hook.port}/moved"}
        await world.http.patch(place, headers=acme, json=change)
        writer.write(answered(410))

    hook.answers = [moved_meanwhile, answered(204)]
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await world.settle()
    assert (await read(world, acme, made["id"]))["enabled"]
    assert (await world.http.post(f"{place}/replay", headers=acme, json={})).status_code == 200
    await world.settle()
    assert hook.requests[-1].line.startswith("POST /moved")


async def test_five_days_without_success_switch_off_too(world: World, hook: Receiver) -> None:
    hook.answers = [answered(500, retry_after="86400")]
    acme = await key(world, "partner", partner_id="acme")
    made = await add(world, acme, hook)
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await world.settle()
    for day in range(1, 6):
        assert (await read(world, acme, made["id"]))["enabled"]
        await world.at(timedelta(days=day))
    off = await read(world, acme, made["id"])
    assert not off["enabled"]
    assert off["off_reason"].startswith("nothing was taken for 5 days")


async def test_a_redirect_is_a_failure_and_is_not_followed(world: World, hook: Receiver) -> None:
    async with receiver() as elsewhere:
        hook.answers = [answered(307, location=f"http://127.0.0.1:{elsewhere.port}/")]
        acme = await key(world, "partner", partner_id="acme")
        made = await add(world, acme, hook)
        await world.others.say("registration.filed", make.filed("reg_a", "acme"))
        await world.settle()
        (line,) = await log(world, acme, made["id"])
        assert (line["outcome"], line["error"], line["state"]) == (
            "retry",
            "HTTP 307: a redirect, which is not followed",
            "pending",
        )
        assert elsewhere.connections == 0


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("3600", timedelta(hours=1)),
        ("99999999999", timedelta(hours=24)),
        ("soon", None),
        ("-5", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", timedelta(hours=24)),
        ("Fri, 99 Dec 2026 99:99:99 GMT", None),
    ],
)
async def test_the_wait_that_is_asked_for_is_honoured(
    world: World, hook: Receiver, header: str, wait: timedelta | None
) -> None:
    hook.answers = [answered(429, retry_after=header)]
    acme = await key(world, "partner", partner_id="acme")
    made = await add(world, acme, hook)
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await world.settle()
    (line,) = await log(world, acme, made["id"])
    waited = world.until(line["next_attempt_at"])
    if wait is None:
        assert timedelta(seconds=4.5) <= waited <= timedelta(seconds=5.5)
    else:
        assert waited == wait


async def test_others_wait_while_an_endpoint_fails(world: World, hook: Receiver) -> None:
    """Not every notice knocks at a closed door."""
    hook.answers = [answered(503)]
    acme = await key(world, "partner", partner_id="acme")
    made = await add(world, acme, hook)
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await world.settle()
    for number in range(5):
        await world.others.say("registration.filed", make.filed(f"reg_{number}", "acme"))
        while await world.service.drain():
            pass
    await world.at(timedelta(seconds=6))
    failed = len(hook.requests)
    await world.at(timedelta(seconds=60))
    assert len(hook.requests) <= failed + 1  # at most one of six knocks again
    hook.answers = [answered(200)]
    await world.at(timedelta(minutes=8))  # two pauses of the schedule, jitter included
    assert {line["state"] for line in await log(world, acme, made["id"])} == {"delivered"}


async def test_a_sender_that_dies_after_sending_sends_again_with_the_same_id(
    world: World, hook: Receiver
) -> None:
    taken = asyncio.Event()

    async def take_and_wait(_request: Request, _writer: asyncio.StreamWriter) -> None:
        taken.set()
        await asyncio.Event().wait()

    acme = await key(world, "partner", partner_id="acme")
    made = await add(world, acme, hook)
    hook.answers = [take_and_wait, answered(200)]
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    while await world.service.drain():
        pass
    sending = asyncio.create_task(world.service.extras["postmen"]["webhook"].deliver_due())
    await taken.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await world.at(timedelta(seconds=300))
    first, second = hook.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    (line,) = await log(world, acme, made["id"])
    assert (line["attempt"], line["outcome"]) == (2, "delivered")


async def test_a_slow_endpoint_holds_up_no_mail(
    world: World, hook: Receiver, mail: MailServer
) -> None:
    taken = asyncio.Event()

    async def take_and_wait(_request: Request, _writer: asyncio.StreamWriter) -> None:
        taken.set()
        await asyncio.Event().wait()

    acme = await key(world, "partner", partner_id="acme")
    await add(world, acme, hook)
    hook.answers = [take_and_wait]
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    while await world.service.drain():
        pass
    before = len(mail.to("anna"))
    slow = asyncio.create_task(world.service.extras["postmen"]["webhook"].deliver_due())
    await taken.wait()
    await world.service.extras["postman"].deliver_due()
    assert len(mail.to("anna")) == before + 1
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)


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
