"""Webhooks over real HTTP: signed, retried for days, switched off, replayed, seen by the owner only."""

import asyncio
import json
from datetime import timedelta

import pytest

from tests.factories import notifier as make
from tests.factories.notifier_hooks import HOOKS, add, key, log, read, verified
from tests.factories.notifier_world import MailServer, World
from tests.factories.outbound import Answering, Receiver, Request, answered, receiver


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


def takes_and_waits() -> tuple[asyncio.Event, Answering]:
    """A receiver that takes a request and never answers; the event tells that it has taken one."""
    taken = asyncio.Event()

    async def answer(_request: Request, _writer: asyncio.StreamWriter) -> None:
        taken.set()
        await asyncio.Event().wait()

    return taken, answer


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
    taken, take_and_wait = takes_and_waits()
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
    taken, take_and_wait = takes_and_waits()
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
