"""Addresses that are refused for good: told from blocks and from what is retried, shown, and mended."""

from datetime import timedelta
from typing import Any

import pytest

from dealreg_shared.contracts.people import PersonUpdated
from tests.factories import notifier as make
from tests.factories.notifier import MANAGER
from tests.factories.notifier_world import MailServer, World


async def bounced(world: World, headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
    known = headers or await world.others.key("vp", person_id="vic")
    await world.settle()
    answer = await world.http.get("/v1/bounces", headers=known)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def open_case(world: World, conflict_id: str = "cnf_1") -> None:
    await world.others.say(
        "conflict.opened", make.opened(conflict_id, claims=()), f"acc_{conflict_id}"
    )
    await world.settle()


async def moved(world: World, address: str) -> None:
    person = PersonUpdated(
        person_id=MANAGER, name="Mia Example", email=address, roles=("partner_manager",)
    )
    await world.others.say("person.updated", person, MANAGER)
    await world.settle()


async def test_a_refused_address_is_marked_and_left_alone_until_it_changes(
    world: World, mail: MailServer
) -> None:
    mail.refused = {"mia@example.com"}
    await open_case(world)
    (found,) = await bounced(world)
    assert (found["person_id"], found["error"]) == (
        MANAGER,
        "SMTP 550: the address is refused for good",
    )
    assert "example.com" not in str(found)
    mail.refused = set()
    await open_case(world, "cnf_2")  # nothing goes there, though it would be taken
    assert mail.to(MANAGER) == []
    await moved(world, "MIA@example.com")  # the same
    assert mail.to(MANAGER) == []
    assert len(await bounced(world)) == 1
    await moved(world, "mia@new.example.org")
    assert (
        sorted(m["To"] for m in mail.messages if "new.example.org" in m["To"])
        == ["Mia Example <mia@new.example.org>"] * 2
    )
    assert await bounced(world) == []


async def test_what_is_too_old_is_not_sent_to_a_new_address(world: World, mail: MailServer) -> None:
    mail.refused = {"mia@example.com"}
    await open_case(world)
    admin = await world.others.key("admin")
    await world.at(timedelta(days=8))
    await moved(world, "mia@new.example.org")
    found = await world.http.get("/v1/deliveries", headers=admin)
    old, new = [item for item in found.json()["items"] if item["recipient"] == MANAGER]
    assert (old["state"], new["state"]) == (
        "dead",
        "delivered",
    )  # told of the deadline that it missed


async def test_an_admin_may_have_the_address_tried_again(world: World, mail: MailServer) -> None:
    mail.refused = {"mia@example.com"}
    await open_case(world)
    mail.refused = set()
    admin = await world.others.key("admin")
    manager = await world.others.key("partner_manager", person_id=MANAGER)
    await world.settle()
    place = f"/v1/bounces/{MANAGER}"
    assert (await world.http.delete(place, headers=manager)).status_code == 403
    assert (await world.http.delete(place, headers=admin)).status_code == 204
    await world.settle()
    assert len(mail.to(MANAGER)) == 1
    again = await world.http.delete(place, headers=admin)
    assert (again.status_code, again.json()["type"]) == (404, "/problems/no-such-bounce")


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("550 5.7.1 blocked by policy", "dead"),
        ("554 5.7.26 unauthenticated sender", "dead"),
        ("552 5.2.2 mailbox full", "dead"),
        ("450 4.2.0 greylisted", "pending"),
        ("421 4.3.2 going down", "pending"),
    ],
)
async def test_blocks_and_delays_say_nothing_about_the_address(
    world: World, mail: MailServer, answer: str, state: str
) -> None:
    mail.answers = [answer]
    await open_case(world)
    assert await bounced(world) == []
    admin = await world.others.key("admin")
    await world.settle()
    found = await world.http.get("/v1/deliveries", headers=admin, params={"state": state})
    assert [item["recipient"] for item in found.json()["items"]] == [MANAGER]


async def test_partners_do_not_see_whose_address_is_refused(world: World) -> None:
    acme = await world.others.key("partner", partner_id="acme")
    await world.settle()
    assert (await world.http.get("/v1/bounces", headers=acme)).status_code == 403


async def test_an_erased_persons_mark_goes_too(world: World, mail: MailServer) -> None:
    mail.refused = {"mia@example.com"}
    await open_case(world)
    await world.others.erase(MANAGER)
    await world.settle()
    assert await bounced(world) == []
