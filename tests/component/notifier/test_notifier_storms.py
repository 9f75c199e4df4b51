"""Storms and digests at a real mail server: one message, and every notice still its own."""

from datetime import timedelta
from email.message import EmailMessage
from typing import Any

from tests.factories import notifier as make
from tests.factories.notifier import FOUR_HOURS, MANAGER, VP
from tests.factories.notifier_world import MailServer, World

MANY = 200
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
DIGEST = {"time_zone": "America/New_York", "at": "08:00", "groups": ["decision", "case"]}
"""13:00 UTC, four hours after a test's world begins."""


async def open_cases(world: World, first: int, number: int) -> None:
    for index in range(first, first + number):
        case = make.opened(
            f"cnf_{index}", at=world.clock(), claims=(), account_name=f"Account {index}"
        )
        await world.others.say("conflict.opened", case, key=f"acc_{index}")


async def deliveries(world: World, **query: Any) -> list[dict[str, Any]]:
    """All of them that are about the ladder."""
    admin = await world.others.key("admin")
    while await world.service.drain():
        pass
    items: list[dict[str, Any]] = []
    params = {"limit": 200, **query}
    while True:
        answer = (await world.http.get("/v1/deliveries", headers=admin, params=params)).json()
        items += answer["items"]
        if answer["next"] is None:
            return [item for item in items if item["kind"] == "ladder"]
        params["after"] = answer["next"]


async def notices(world: World, role: Any, person_id: str) -> list[dict[str, Any]]:
    headers = await world.others.key(role, person_id=person_id)
    while await world.service.drain():
        pass
    return await world.inbox(headers, limit=200)


def text_of(message: EmailMessage) -> str:
    text = next(iter(message.iter_parts())).get_content()
    assert isinstance(text, str)
    return " ".join(text.split())


async def test_200_conflicts_at_once_are_one_mail_200_notices_and_200_escalations(
    world: World, mail: MailServer
) -> None:
    await open_cases(world, 0, MANY)
    await world.settle()
    (message,) = mail.to(MANAGER)
    assert message["Subject"] == "200 notices at once: conflicts on your ladder"
    for index in range(MANY):
        assert f"conflict on Account {index}" in text_of(message)
    told = await notices(world, "partner_manager", MANAGER)
    assert {notice["subject"] for notice in told} == {f"cnf_{index}" for index in range(MANY)}
    raised = [e for e in await world.events() if e.type == "dealreg.escalation.raised.v1"]
    assert sorted(event.data.conflict_id for event in raised) == sorted(
        f"cnf_{index}" for index in range(MANY)
    )
    rows = await deliveries(world)
    (lead,) = [row for row in rows if row["carries"]]
    assert message["Message-ID"] == f"<{lead['id']}@example.org>"
    assert lead["carries"] == MANY
    assert {row["carried_by"] for row in rows if row != lead} == {lead["id"]}
    assert {(row["state"], row["attempts"]) for row in rows} == {("delivered", 1)}

    mail.messages.clear()
    await world.at(FOUR_HOURS)
    assert len(mail.to(VP)) == len(mail.to(MANAGER)) == 1
    breached = [e for e in await world.events() if e.type == "dealreg.escalation.breached.v1"]
    assert len(breached) == MANY


async def test_200_conflicts_over_a_minute_are_a_few_mails_and_one_list(
    world: World, mail: MailServer
) -> None:
    for second in range(50):
        await open_cases(world, 4 * second, 4)
        await world.at(second * SECOND)
    sent = len(mail.to(MANAGER))
    assert sent <= 10
    waiting = await deliveries(world, state="pending")
    await world.at(2 * MINUTE)
    assert len(mail.to(MANAGER)) == sent + 1
    assert str(mail.to(MANAGER)[-1]["Subject"]).startswith(f"{len(waiting)} notices at once")
    rows = await deliveries(world)
    assert {row["state"] for row in rows} == {"delivered"}
    assert sum(row["carries"] for row in rows) == MANY


async def test_up_to_the_limit_everybody_gets_a_mail_for_each(
    world: World, mail: MailServer
) -> None:
    await open_cases(world, 0, 10)
    await world.settle()
    assert len(mail.to(MANAGER)) == 10


async def test_a_list_that_is_put_off_is_sent_again_as_it_was_and_under_the_same_id(
    world: World, mail: MailServer
) -> None:
    mail.answers = ["451 later"]
    await open_cases(world, 0, 30)
    await world.settle()
    assert mail.to(MANAGER) == []
    rows = await deliveries(world)
    assert {(row["state"], row["attempts"]) for row in rows} == {("pending", 1)}
    (lead,) = [row for row in rows if row["carries"]]
    await open_cases(world, 30, 1)
    await world.at(MINUTE)
    subjects = {message["Message-ID"]: str(message["Subject"]) for message in mail.to(MANAGER)}
    assert len(subjects) == 2
    listed = subjects.pop(f"<{lead['id']}@example.org>")
    assert listed.startswith("30 notices at once")
    assert "conflict on Account 30" in next(iter(subjects.values()))


async def test_a_list_that_is_refused_is_put_aside_whole_and_replayed_whole(
    world: World, mail: MailServer
) -> None:
    mail.answers = ["550 no"]
    await open_cases(world, 0, 30)
    await world.settle()
    dead = await deliveries(world, state="dead")
    assert len(dead) == 30
    failed = [e for e in await world.events() if e.type == "dealreg.notification.failed.v1"]
    assert len({event.data.notification_id for event in failed}) == 30
    admin = await world.others.key("admin")
    await world.settle()
    carried = next(row for row in dead if row["carried_by"])
    again = await world.http.post(f"/v1/deliveries/{carried['id']}/replay", headers=admin)
    assert again.json()["state"] == "pending"
    await world.settle()
    (message,) = mail.to(MANAGER)
    assert message["Message-ID"] == f"<{carried['carried_by']}@example.org>"
    assert {row["state"] for row in await deliveries(world)} == {"delivered"}


async def test_a_daily_digest_lists_what_waited_once(world: World, mail: MailServer) -> None:
    admin = await world.others.key("admin")
    await world.settle()
    answer = await world.http.put(
        "/v1/preferences", headers=admin, params={"person": "anna"}, json={"digest": DIGEST}
    )
    assert answer.status_code == 200
    for name in ("reg_a", "reg_b"):
        await world.others.say("registration.filed", make.filed(name, "acme"))
    await world.others.say("conflict.opened", make.opened())
    await world.at(FOUR_HOURS - SECOND)
    assert mail.to("anna") == []
    await world.at(FOUR_HOURS)
    (message,) = mail.to("anna")
    assert message["Subject"] == "Your digest: 3 notices"
    assert message["X-Dealreg-Kind"] == "gathered"
    assert "Decisions on registrations" in text_of(message)
    assert "Conflicts on your registrations" in text_of(message)
    await world.at(FOUR_HOURS + 3 * DAY)
    assert len(mail.to("anna")) == 1


async def test_a_digest_of_one_is_the_notice_itself_and_what_missed_it_goes_alone(
    world: World, mail: MailServer
) -> None:
    admin = await world.others.key("admin")
    await world.settle()
    await world.http.put(
        "/v1/preferences", headers=admin, params={"person": "anna"}, json={"digest": DIGEST}
    )
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await world.settle()
    await world.at(FOUR_HOURS)
    (message,) = mail.to("anna")
    assert message["X-Dealreg-Kind"] == "decision"
    # Written before the digest by a transaction that ended after it.
    world.clock.to(FOUR_HOURS - SECOND)
    for name in ("reg_b", "reg_c"):
        await world.others.say("registration.filed", make.filed(name, "acme"))
    while await world.service.drain():
        pass
    await world.at(FOUR_HOURS + SECOND)
    assert len(mail.to("anna")) == 3
