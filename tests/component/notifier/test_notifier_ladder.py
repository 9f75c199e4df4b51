"""How a conflict climbs, told as stories: the clock is moved, and everybody's inbox is read."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.factories import notifier as make
from tests.factories import notifier_world as stage
from tests.factories.notifier import CEO, DAY, FOUR_HOURS, MANAGER, START, VP
from tests.factories.notifier_world import World

SECOND = timedelta(seconds=1)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with stage.world(tmp_path) as made:
        await made.others.people()
        await made.others.plan()
        await made.others.say("registration.filed", make.filed("reg_a", "acme"))
        contested = make.decided("clm_reg_b", "contested", place=2, conflict_id="cnf_1")
        await made.others.say(
            "registration.filed",
            make.filed("reg_b", "rival", contested, account_name="Contoso Limited"),
        )
        await made.settle()
        yield made


async def told(world: World, person_id: str, kind: str = "ladder") -> list[dict[str, Any]]:
    headers = await world.others.key("partner_manager", person_id=person_id)
    await world.settle()
    return [notice for notice in await world.inbox(headers) if notice["kind"] == kind]


async def titles(world: World, person_id: str, kind: str = "ladder") -> list[str]:
    return [notice["title"] for notice in await told(world, person_id, kind)]


async def steps(world: World) -> list[tuple[Any, ...]]:
    """What was published about the ladder: (word, level or levels)."""
    found: list[tuple[Any, ...]] = []
    for event in await world.events():
        word = event.type.split(".")[2]
        if word == "ended":
            found.append((word, event.data.level, event.data.breached_levels))
        else:
            found.append((word, event.data.level))
    return found


async def test_on_opening_the_manager_is_told_what_and_by_when(world: World) -> None:
    await world.others.say("conflict.opened", make.opened())
    await world.settle()
    (notice,) = await told(world, MANAGER)
    assert notice["title"] == (
        "Decide by 2 Mar 2026 13:00 UTC (08:00 EST): conflict on Rival spelling Ltd (Platform)"
    )
    assert "Acme Corp: Platform, protected" in notice["text"]
    assert "Market: North America West / Small business" in notice["text"]
    assert "late" not in notice["text"]
    assert await told(world, VP) == []
    assert await told(world, CEO) == []
    assert await steps(world) == [("raised", 1)]


async def test_the_manager_is_told_which_account_may_be_the_same_and_partners_are_not(
    world: World,
) -> None:
    matched = ("id:duns:77", "domain:example.com")
    suspected = make.opened(
        kind="possible_duplicate",
        claims=(make.conflict_claim("reg_a", "acme", 1),),
        other_account_id="acc_2",
        other_account_name="Twin Holding",
        matched_by=matched,
    )
    await world.others.say("conflict.opened", suspected)
    await world.settle()
    (notice,) = await told(world, MANAGER)
    assert (
        "May be the same as: Twin Holding (found by id:duns:77 and domain:example.com)"
        in (notice["text"])
    )
    headers = await world.others.key("partner", partner_id="acme")
    await world.settle()
    partner = await world.inbox(headers)
    assert partner
    assert not any(word in str(partner) for word in ("Twin", "acc_2", "duns", "example.com"))
    await world.at(FOUR_HOURS)
    (escalated,) = await told(world, VP)
    assert "Twin Holding" in escalated["text"]


@pytest.mark.parametrize(
    ("offset", "level", "missed"),
    [
        (FOUR_HOURS - SECOND, 1, ()),
        (FOUR_HOURS, 2, (1,)),
        (FOUR_HOURS + SECOND, 2, (1,)),
        (DAY - SECOND, 2, (1,)),
        (DAY, 3, (1, 2)),
    ],
)
async def test_a_case_that_closes_near_a_deadline_is_judged_by_its_instant(
    world: World, offset: timedelta, level: int, missed: tuple[int, ...]
) -> None:
    """The closing arrives before any tick has seen the deadline."""
    await world.others.say("conflict.opened", make.opened())
    await world.settle()
    if offset > FOUR_HOURS + SECOND:
        await world.at(FOUR_HOURS)
    world.clock.to(offset)
    await world.others.say("conflict.closed", make.closed(at=START + offset, level=level))
    while await world.service.drain():
        pass
    await world.settle()
    published = await steps(world)
    assert published[-1] == ("ended", level, missed)
    assert [step[1] for step in published if step[0] == "breached"] == list(missed)
    assert len(await told(world, MANAGER, "case_settled")) == 1
    assert await titles(world, CEO) == []
    await world.at(offset + 30 * DAY)
    assert await steps(world) == published


async def test_a_closing_that_arrives_after_the_timer_fired_takes_the_breach_back(
    world: World,
) -> None:
    await world.others.say("conflict.opened", make.opened())
    await world.at(FOUR_HOURS)
    assert len(await told(world, VP)) == 1
    await world.others.say("conflict.closed", make.closed(at=START + FOUR_HOURS - SECOND, level=1))
    await world.at(FOUR_HOURS + SECOND)
    (settled,) = await told(world, VP, "case_settled")
    assert settled["title"].startswith("Already settled")
    assert "That is void: the case was settled in time." in settled["text"]
    assert (await steps(world))[-1] == ("ended", 1, ())


async def test_nobody_ever_acts(world: World) -> None:
    await world.others.say("conflict.opened", make.opened())
    await world.at(FOUR_HOURS - SECOND)
    assert await told(world, VP) == []
    await world.at(FOUR_HOURS)
    assert await titles(world, MANAGER) == [
        "Decide by 2 Mar 2026 13:00 UTC (08:00 EST): conflict on Rival spelling Ltd (Platform)",
        "Deadline missed: conflict on Rival spelling Ltd has passed to the VP Partnerships",
    ]
    assert (await titles(world, VP))[0].startswith("Decide by 3 Mar 2026 09:00 UTC (04:00 EST)")
    await world.at(DAY)
    await world.at(40 * DAY)
    assert await titles(world, CEO) == ["Decide now: conflict on Rival spelling Ltd (Platform)"]
    assert len(await told(world, VP)) == 2
    assert len(await told(world, MANAGER)) == 2
    assert await steps(world) == [
        ("raised", 1),
        ("breached", 1),
        ("raised", 2),
        ("breached", 2),
        ("raised", 3),
    ]


async def test_one_person_at_two_levels_gets_one_notice_for_the_change(world: World) -> None:
    await world.others.say("conflict.opened", make.opened(people=(VP, VP, CEO)))
    await world.settle()
    await world.at(FOUR_HOURS)
    notices = await told(world, VP)
    assert len(notices) == 2
    assert notices[1]["title"].startswith("Decide by 3 Mar 2026")
    assert "As partner manager (level 1) you had until" in notices[1]["text"]


async def test_a_third_claim_after_three_hours_moves_no_deadline(world: World) -> None:
    await world.others.say("conflict.opened", make.opened())
    world.clock.to(timedelta(hours=3))
    await world.others.say(
        "registration.filed",
        make.filed("reg_c", "third", make.decided("clm_reg_c", "contested", place=3)),
    )
    joined = make.joined(make.conflict_claim("reg_c", "third", 3), at=START + timedelta(hours=3))
    await world.others.say("conflict.joined", joined)
    await world.settle()
    await world.at(FOUR_HOURS)
    (notice,) = await told(world, VP)
    assert "Third Ltd: Platform, contested" in notice["text"]
    third = await world.others.key("partner", partner_id="third")
    await world.settle()
    assert [n["kind"] for n in await world.inbox(third) if "case" in n["kind"]] == ["case_open"]


async def test_a_service_that_was_down_tells_late_and_says_so(world: World) -> None:
    await world.others.say("conflict.opened", make.opened())
    await world.settle()
    await world.at(FOUR_HOURS + timedelta(hours=2, minutes=10))
    (notice,) = await told(world, VP)
    assert "This notice is 2 h 10 min late: it was due at 2 Mar 2026 13:00 UTC" in notice["text"]
    raised = [event for event in await world.events() if event.type.endswith("raised.v1")]
    assert raised[-1].data.late_seconds == 7_800
    assert raised[-1].data.due_at == START + DAY


async def test_a_service_that_was_down_over_both_deadlines_tells_each_person_once(
    world: World,
) -> None:
    await world.others.say("conflict.opened", make.opened())
    await world.at(30 * timedelta(hours=1))
    assert [len(await told(world, person)) for person in (MANAGER, VP, CEO)] == [1, 1, 1]
    assert (await titles(world, MANAGER))[0].startswith("Deadline missed")
    assert (await titles(world, VP))[0].startswith("Deadline missed")
    assert (await titles(world, CEO))[0].startswith("Decide now")
    assert [step[1] for step in await steps(world) if step[0] == "raised"] == [1, 2, 3]


async def test_a_level_without_anybody_is_raised_and_the_next_above_is_called(
    world: World,
) -> None:
    await world.others.say("conflict.opened", make.opened(people=(None, VP, CEO)))
    await world.settle()
    (notice,) = await told(world, VP)
    assert "nobody is named as partner manager" in notice["text"]
    assert await steps(world) == [("raised", 1)]
    await world.at(FOUR_HOURS)
    assert len(await told(world, VP)) == 2


async def test_an_erased_person_is_passed_over(world: World) -> None:
    await world.others.erase(MANAGER)
    await world.settle()
    await world.others.say("conflict.opened", make.opened())
    await world.settle()
    assert await told(world, MANAGER) == []
    assert len(await told(world, VP)) == 1


async def test_the_parties_hear_that_a_case_is_open_and_no_fact_of_the_rival(
    world: World,
) -> None:
    await world.others.say("conflict.opened", make.opened())
    world.clock.to(timedelta(hours=1))
    await world.others.say("conflict.closed", make.closed(at=START + timedelta(hours=1)))
    await world.settle()
    for partner_id, own, others in (
        ("acme", "Contoso Ltd", ("Rival", "Contoso Limited", "reg_b", "rival")),
        ("rival", "Contoso Limited", ("Acme", "Contoso Ltd", "reg_a", "acme", "Rival spelling")),
    ):
        headers = await world.others.key("partner", partner_id=partner_id)
        await world.settle()
        notices = [n for n in await world.inbox(headers) if n["kind"].startswith("case_")]
        assert [notice["kind"] for notice in notices] == ["case_open", "case_closed"]
        for notice in notices:
            words = f"{notice['title']} {notice['text']}"
            assert own in words
            assert [fact for fact in others if fact in words] == []
    (holder, _) = [
        notice["text"]
        for notice in await world.inbox(await _fresh(world, "acme"))
        if notice["kind"].startswith("case_")
    ]
    assert "Your protection goes on unchanged" in holder


async def _fresh(world: World, partner_id: str) -> dict[str, str]:
    headers = await world.others.key("partner", partner_id=partner_id)
    await world.settle()
    return headers


async def test_a_conflict_without_a_ladder_is_kept_and_closed(world: World) -> None:
    await world.others.say("conflict.opened", make.opened(deadlines=()))
    await world.settle()
    await world.others.say("conflict.closed", make.closed(at=START + SECOND))
    await world.at(SECOND)
    assert await steps(world) == []
