"""Preferences over HTTP and what they do to mails: quiet hours, digest, channels, language, erasure."""

from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from dealreg_notifier import wishes
from dealreg_notifier.wording import in_language
from tests.factories import notifier as make
from tests.factories.notifier import MANAGER, VP
from tests.factories.notifier_world import MailServer, World

PLACE = "/v1/preferences"
QUIET = {"time_zone": "Europe/Berlin", "start": "09:00", "end": "12:30"}
"""It is 10:00 in Berlin when a test's world begins."""
DIGEST = {"time_zone": "America/New_York", "at": "08:00", "groups": ["decision", "case"]}


async def key(world: World, role: Any, **of: str) -> dict[str, str]:
    headers = await world.others.key(role, **of)
    while await world.service.drain():
        pass
    return headers


async def wish(world: World, person_id: str, **body: Any) -> None:
    admin = await key(world, "admin")
    answer = await world.http.put(PLACE, headers=admin, params={"person": person_id}, json=body)
    assert answer.status_code == 200, answer.text


async def file(world: World, name: str = "reg_a") -> None:
    await world.others.say("registration.filed", make.filed(name, "acme"))
    await world.settle()


def text_of(message: EmailMessage) -> str:
    text = next(iter(message.iter_parts())).get_content()
    assert isinstance(text, str)
    return text


async def test_a_person_reads_and_replaces_its_own(world: World) -> None:
    manager = await key(world, "partner_manager", person_id=MANAGER)
    first = await world.http.get(PLACE, headers=manager)
    assert first.json() == {
        "person_id": MANAGER,
        "channels": {},
        "quiet_hours": None,
        "digest": None,
        "language": None,
    }
    body = {
        "channels": {"case": ["email"], "plan_changes": []},
        "quiet_hours": QUIET,
        "digest": {**DIGEST, "groups": ["case", "decision"]},
        "language": "de-AT",
    }
    written = await world.http.put(PLACE, headers=manager, json=body)
    assert written.status_code == 200, written.text
    assert written.json() == {"person_id": MANAGER, **body}
    assert (await world.http.get(PLACE, headers=manager)).json() == written.json()
    emptied = await world.http.put(PLACE, headers=manager, json={})
    assert emptied.json() == first.json()


async def test_nobody_but_an_admin_speaks_for_another(world: World) -> None:
    manager = await key(world, "partner_manager", person_id=MANAGER)
    acme = await key(world, "partner", partner_id="acme")
    admin = await key(world, "admin")
    auditor = await key(world, "auditor")

    async def status(headers: dict[str, str], person: str | None) -> int:
        params = {"person": person} if person else {}
        answer = await world.http.put(PLACE, headers=headers, params=params, json={})
        return answer.status_code

    assert [await status(manager, who) for who in (None, MANAGER, VP, "nobody")] == [
        200,
        200,
        403,
        403,
    ]
    assert [await status(acme, who) for who in ("anna", "rob", MANAGER, "nobody", None)] == [
        200,
        403,
        403,
        403,
        403,
    ]
    assert [await status(admin, who) for who in (VP, "anna", "nobody", None)] == [
        200,
        200,
        404,
        403,
    ]
    assert await status(auditor, None) == 403
    told = (await world.http.get(PLACE, headers=auditor)).json()["detail"]
    assert told.startswith("this key stands for no person"), "it asked for no other's"
    others = await world.http.get(PLACE, headers=acme, params={"person": "rob"})
    absent = await world.http.get(PLACE, headers=acme, params={"person": "nobody"})
    unlike = {"correlation_id"}
    assert {k: v for k, v in others.json().items() if k not in unlike} == {
        k: v for k, v in absent.json().items() if k not in unlike
    }


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({"channels": {"case": ["pigeon"]}}, "/channels/case/0", "must be one of email"),
        ({"channels": {"news": ["email"]}}, "/channels/news", "a group or a kind of notice"),
        ({"channels": {"escalation": []}}, "/channels/escalation", "at least one channel"),
        ({"channels": {"ladder": []}}, "/channels/ladder", "at least one channel"),
        ({"digest": {**DIGEST, "groups": ["escalation"]}}, "/digest/groups/0", "for no digest"),
        ({"digest": {**DIGEST, "groups": ["news"]}}, "/digest/groups/0", "must be one of"),
        ({"quiet_hours": {**QUIET, "time_zone": "Mars"}}, "/quiet_hours/time_zone", "IANA"),
        ({"quiet_hours": {**QUIET, "end": "09:00"}}, "/quiet_hours", "must differ"),
        ({"quiet_hours": {**QUIET, "end": "24:00"}}, "/quiet_hours/end", "pattern"),
        ({"language": "DE"}, "/language", "pattern"),
        ({"colour": "red"}, "/colour", "not a known field"),
    ],
)
async def test_what_cannot_be_chosen_is_refused_by_field_and_rule(
    world: World, body: dict[str, Any], field: str, rule: str
) -> None:
    manager = await key(world, "partner_manager", person_id=MANAGER)
    answer = await world.http.put(PLACE, headers=manager, json=body)
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["field"] == field
    assert rule in fault["rule"]


async def test_the_choices_are_listed(world: World) -> None:
    acme = await key(world, "partner", partner_id="acme")
    choices = (await world.http.get(f"{PLACE}/choices", headers=acme)).json()
    assert choices["channels"] == ["email", "slack", "teams", "webhook"]
    assert "en" in choices["languages"]
    assert "ladder" in choices["groups"]["escalation"]
    kinds = {kind for listed in choices["groups"].values() for kind in listed}
    assert kinds == set(world.service.extras["desk"].wording.kinds())


async def test_quiet_hours_hold_a_mail_back_and_the_inbox_has_it_at_once(
    world: World, mail: MailServer
) -> None:
    await wish(world, "anna", quiet_hours=QUIET)
    await file(world)
    acme = await key(world, "partner", partner_id="acme")
    assert "decision" in [notice["kind"] for notice in await world.inbox(acme)]
    assert mail.to("anna") == []
    await world.at(timedelta(hours=2, minutes=29, seconds=59))
    assert mail.to("anna") == []
    await world.at(timedelta(hours=2, minutes=30))
    assert len(mail.to("anna")) == 1


async def test_escalations_pass_quiet_hours_and_channels_that_are_switched_off(
    world: World, mail: MailServer
) -> None:
    await wish(world, MANAGER, quiet_hours=QUIET)
    await world.others.say("conflict.opened", make.opened())
    await world.settle()
    assert len(mail.to(MANAGER)) == 1


async def test_a_kind_that_is_switched_off_stands_in_the_inbox_alone(
    world: World, mail: MailServer
) -> None:
    await wish(world, "anna", channels={"decision": []})
    await file(world)
    await world.others.say("conflict.opened", make.opened())
    await world.settle()
    acme = await key(world, "partner", partner_id="acme")
    kinds = [notice["kind"] for notice in await world.inbox(acme)]
    assert "decision" in kinds
    (message,) = mail.to("anna")
    assert message["X-Dealreg-Kind"] == "case_open"


async def test_an_unknown_language_falls_back(world: World, mail: MailServer) -> None:
    await wish(world, "anna", language="xx-YY")
    await file(world)
    (message,) = mail.to("anna")
    assert message["Content-Language"] == "en"
    assert "Hello Anna Example," in text_of(message)
    assert in_language("en-GB", "en") is in_language(None, "en")


async def test_preferences_go_with_the_person(world: World) -> None:
    await wish(world, "anna", quiet_hours=QUIET)
    await world.others.erase("anna")
    await world.settle()
    assert await world.service.database.read(lambda conn: wishes.read(conn, ["anna"])) == {}
    admin = await key(world, "admin")
    answer = await world.http.get(PLACE, headers=admin, params={"person": "anna"})
    assert answer.status_code == 404
