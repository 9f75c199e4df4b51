"""What is under way on a claim is told to its partner, and to the manager who is to act."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dealreg_notifier.consumers import TELLING
from dealreg_shared.contracts.catalogue import CATALOGUE, REGISTRATION
from tests.factories import notifier as make
from tests.factories import notifier_world as stage
from tests.factories.notifier import MANAGER, START
from tests.factories.notifier_world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with stage.world(tmp_path) as made:
        await made.others.people()
        await made.others.plan()
        await made.settle()
        yield made


async def told(world: World, *, partner_id: str | None = None) -> list[dict[str, Any]]:
    """A partner's notices, else the manager's, but for the plan's own."""
    headers = (
        await world.others.key("partner", partner_id=partner_id)
        if partner_id is not None
        else await world.others.key("partner_manager", person_id=MANAGER)
    )
    await world.settle()
    return [n for n in await world.inbox(headers) if n["kind"] != "plan_changes"]


TO_PARTNER = {
    "offered": ("offer", "next in line"),
    "offer-lapsed": ("offer_lapsed", "keeps its place"),
    "information-wanted": ("information_wanted", "Which subsidiary signs?"),
    "extension-refused": ("extension_refused", "Which subsidiary signs?"),
    "expiring": ("expiring", "ends on 9 Mar 2026 09:00 UTC"),
    "idle": ("idle", "note your activity"),
}
TO_MANAGER = {
    "extension-asked": ("extension_asked", "grant the extension or refuse it"),
    "information-given": ("information_given", "Acme Corp has answered"),
}


@pytest.mark.parametrize("event", TO_PARTNER)
async def test_the_partner_is_told_what_to_do_until_when(world: World, event: str) -> None:
    data = make.noted("reg_a", "acme", text="Which subsidiary signs?")
    await world.others.say(f"claim.{event}", data)
    kind, words = TO_PARTNER[event]
    [notice] = await told(world, partner_id="acme")
    assert notice["kind"] == kind
    assert words in notice["text"]
    assert await told(world, partner_id="rival") == []
    assert await told(world) == []


@pytest.mark.parametrize("event", TO_MANAGER)
async def test_the_manager_of_the_market_is_told_what_waits(world: World, event: str) -> None:
    await world.others.say(f"claim.{event}", make.noted("reg_a", "acme"))
    kind, words = TO_MANAGER[event]
    [notice] = await told(world)
    assert notice["kind"] == kind
    assert words in notice["text"]
    assert await told(world, partner_id="acme") == []


async def test_with_no_manager_in_the_plan_the_event_is_still_taken(world: World) -> None:
    data = make.noted("reg_a", "acme", manager_id=None)
    await world.others.say("claim.extension-asked", data)
    await world.others.say("claim.expiring", data)
    assert await told(world) == []
    assert len(await told(world, partner_id="acme")) == 1


@pytest.mark.parametrize("event", ["offered", "information-wanted", "expiring", "idle"])
async def test_what_can_no_longer_be_done_is_not_asked_for(world: World, event: str) -> None:
    await world.at(timedelta(days=7))
    await world.others.say(f"claim.{event}", make.noted("reg_a", "acme"))
    assert await told(world, partner_id="acme") == []


async def test_an_extension_and_a_lapse_are_told_as_changes_of_the_claim(world: World) -> None:
    until = START + timedelta(days=120)
    await world.others.say(
        "claim.extended",
        make.changed(
            "reg_a",
            "acme",
            "extended",
            cause="extension_granted",
            protected_from=START,
            protected_until=until,
        ),
    )
    await world.others.say(
        "claim.withdrawn", make.changed("reg_b", "acme", "withdrawn", cause="information_lapsed")
    )
    extended, lapsed = await told(world, partner_id="acme")
    assert extended["title"].startswith(
        "Contoso Ltd: Platform protection was extended until 30 Jun"
    )
    assert "has lapsed and counts as withdrawn" in lapsed["text"]


def test_every_step_of_a_claim_has_its_words_or_a_reason_to_have_none() -> None:
    """A partner's own no needs no notice; all else under ``claim.`` is told to somebody."""
    claims = {name for name in CATALOGUE if name.startswith("dealreg.claim.")}
    assert claims - set(TELLING[REGISTRATION]) <= {
        "dealreg.claim.offer-declined.v1",
        "dealreg.claim.restored.v1",
    }
