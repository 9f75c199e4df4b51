"""The ladder told as stories, from the filing to the notices: time is moved, people act over HTTP."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.factories.ladder_world import LadderWorld, ladder_world, plan_with
from tests.factories.migrated import postgres_url

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.devstack)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LadderWorld]:
    """On each database; time is moved in the database itself."""
    if request.param == "sqlite":
        async with ladder_world(tmp_path) as made:
            yield made
        return
    server = request.getfixturevalue("postgres_server")
    async with (
        postgres_url(server, "registration") as registration,
        postgres_url(server, "notifier") as notifier,
        ladder_world(tmp_path, urls=(registration, notifier)) as made,
    ):
        yield made


@pytest.mark.parametrize(
    ("offset", "missed"), [(4 * HOUR - SECOND, ()), (4 * HOUR, (1,)), (4 * HOUR + SECOND, (1,))]
)
@pytest.mark.parametrize("ticked", [False, True], ids=["before a tick", "after a tick"])
async def test_a_manager_who_decides_around_the_deadline(
    world: LadderWorld, offset: timedelta, missed: tuple[int, ...], ticked: bool
) -> None:
    """The breach is judged by the instant of the decision, and the manager may still decide."""
    case = await world.conflict()
    await world.to(offset)
    if ticked:
        await world.settle()
    answer = await world.uphold("manager", case)
    assert answer.status_code == 200, answer.text
    await world.settle()
    assert (await world.ladder())[-1] == ("ended", 1 + len(missed), missed)
    shown = await world.case(case)
    assert (shown["state"], shown["level"]) == ("decided", 1 + len(missed))
    assert (await world.kinds("manager"))[-1] == "case_settled"
    vp = await world.kinds("vp")
    assert vp == (["ladder", "case_settled"] if missed and ticked else [])
    await world.at(30 * HOUR)
    assert await world.kinds("vp") == vp


async def test_once_the_vp_has_taken_the_case_the_manager_may_only_comment(
    world: LadderWorld,
) -> None:
    case = await world.conflict()
    await world.at(5 * HOUR)
    assert (await world.act("vp", case, "take")).status_code == 200
    await world.settle()
    assert (await world.told("manager"))[-1][1].startswith("Taken by the VP Partnerships")
    refused = await world.uphold("manager", case)
    assert refused.status_code in (403, 409), refused.text
    assert (await world.act("manager", case, "comment", text="I know them.")).is_success
    await world.settle()
    assert (await world.kinds("vp"))[-1] == "case_commented"
    assert (await world.uphold("vp", case)).status_code == 200
    await world.settle()
    assert (await world.ladder())[-1] == ("ended", 2, (1,))


async def test_the_vp_may_take_it_early_and_nobody_has_missed_anything(world: LadderWorld) -> None:
    case = await world.conflict()
    await world.to(2 * HOUR)
    assert (await world.act("vp", case, "take")).status_code == 200
    await world.settle()
    assert (await world.case(case))["level"] == 2
    await world.at(6 * HOUR)
    assert "Deadline missed" not in str(await world.told("manager"))
    await world.at(13 * HOUR)
    assert await world.kinds("vp") == ["case_reminder"]


async def test_a_review_at_two_hours_moves_the_case_up_and_not_the_deadline(
    world: LadderWorld,
) -> None:
    case = await world.conflict()
    await world.to(2 * HOUR)
    answer = await world.act(
        "manager", case, "review", recommendation="uphold_first", text="Clear to me."
    )
    assert answer.status_code == 200, answer.text
    await world.settle()
    shown = await world.case(case)
    assert (shown["level"], shown["state"]) == (2, "reviewed")
    assert shown["due_at"] == "2026-03-03T09:00:00.000000Z"
    ((kind, title, text),) = await world.told("vp")
    assert kind == "case_reviewed"
    assert title.startswith("Decide by 3 Mar 2026 09:00 UTC")
    assert "Recommended: uphold the first claim" in text
    await world.at(24 * HOUR - SECOND)
    assert (await world.uphold("vp", case)).status_code == 200
    await world.settle()
    assert (await world.ladder())[-1] == ("ended", 2, ())
    assert await world.told("ceo") == []


async def test_a_vp_at_23_59_is_in_time_and_the_manager_was_not(world: LadderWorld) -> None:
    case = await world.conflict()
    await world.at(4 * HOUR)
    await world.at(24 * HOUR - 60 * SECOND)
    assert (await world.uphold("vp", case)).status_code == 200
    await world.settle()
    assert (await world.ladder())[-1] == ("ended", 2, (1,))
    assert await world.told("ceo") == []


async def test_nobody_ever_acts(world: LadderWorld) -> None:
    case = await world.conflict()
    for hours in (2, 4, 14, 20, 24, 48, 72):
        await world.at(hours * HOUR)
    assert await world.kinds("ceo") == ["ladder", "case_reminder", "case_reminder"]
    assert await world.kinds("manager") == ["ladder", "case_reminder", "ladder"]
    assert (await world.case(case))["level"] == 3
    assert [step for step in await world.ladder() if step[0] == "breached"] == [
        ("breached", 1),
        ("breached", 2),
    ]


async def test_a_ruling_while_the_timer_fires_is_followed_by_already_settled(
    world: LadderWorld,
) -> None:
    case = await world.conflict()
    await world.to(4 * HOUR - SECOND)
    assert (await world.uphold("manager", case)).status_code == 200
    world.down.add("registration")  # the ruling stands, its event has not left yet
    await world.at(4 * HOUR)
    assert await world.kinds("vp") == ["ladder"]
    world.down.clear()
    await world.settle()
    (kind, title, text) = (await world.told("vp"))[-1]
    assert (kind, title.split(":")[0]) == ("case_settled", "Already settled")
    assert "That is void: the case was settled in time." in text
    assert (await world.ladder())[-1] == ("ended", 1, ())


async def test_a_delegate_acts_and_is_told_until_the_period_ends(world: LadderWorld) -> None:
    answer = await world.call(
        "POST",
        "manager",
        "/v1/people/manager/delegations",
        {"delegate_id": "dana", "until": "2026-03-02T12:00:00Z"},
    )
    assert answer.status_code == 201, answer.text
    await world.settle()
    case = await world.conflict()
    assert await world.kinds("dana") == ["ladder"]
    await world.publish(plan_with({"reminders": [10]}))  # who stands in does so under any plan
    await world.at(2 * HOUR)
    assert await world.kinds("dana") == ["ladder", "case_reminder"]
    await world.at(3 * HOUR)
    assert (await world.uphold("dana", case)).status_code == 403
    await world.at(3.2 * HOUR)
    assert await world.kinds("dana") == ["ladder", "case_reminder"]
    assert await world.kinds("manager") == ["ladder", "case_reminder", "case_reminder"]


async def test_a_delegate_may_decide_while_the_period_lasts(world: LadderWorld) -> None:
    body = {"delegate_id": "dana", "until": "2026-03-02T12:00:00Z"}
    await world.call("POST", "manager", "/v1/people/manager/delegations", body)
    case = await world.conflict()
    await world.at(3 * HOUR - SECOND)
    assert (await world.uphold("dana", case)).status_code == 200
    await world.settle()
    assert (await world.ladder())[-1] == ("ended", 1, ())
    assert (await world.kinds("dana"))[-1] == "case_settled"


async def test_manager_and_vp_are_one_person(tmp_path: Path) -> None:
    plan = plan_with()
    plan["people"] = [
        person | {"roles": ["partner_manager", "vp"]} if person["id"] == "vp" else person
        for person in plan["people"]
        if person["id"] != "manager"
    ]
    async with ladder_world(tmp_path) as world:
        await world.publish(plan)
        case = await world.conflict()
        assert await world.kinds("vp") == ["ladder"]
        await world.at(4 * HOUR)
        told = await world.told("vp")
        assert [kind for kind, _, _ in told] == ["ladder", "ladder"]
        assert "This is recorded as a missed deadline." in told[1][2]
        assert told[1][1].startswith("Decide by 3 Mar 2026")
        assert (await world.uphold("vp", case)).status_code == 200
        await world.settle()
        assert await world.kinds("vp") == ["ladder", "ladder", "case_settled"]


async def test_a_third_claim_at_three_hours_restarts_no_clock(world: LadderWorld) -> None:
    case = await world.conflict()
    before = (await world.case(case))["deadlines"]
    await world.at(3 * HOUR)
    await world.file("fourth")
    await world.settle()
    shown = await world.case(case)
    assert [d["due_at"] for d in shown["deadlines"]] == [d["due_at"] for d in before]
    assert len(shown["claims"]) == 3
    await world.at(4 * HOUR)
    assert await world.kinds("vp") == ["ladder"]


async def test_the_protection_runs_out_in_mid_case(tmp_path: Path) -> None:
    """The next in line is promoted; with one live claim left nothing is contested any more."""
    async with ladder_world(tmp_path, protection_days=1) as world:
        case = await world.conflict()
        await world.at(24 * HOUR)
        shown = await world.case(case)
        assert (shown["state"], shown["closed_at"]) == ("withdrawn", "2026-03-03T09:00:00.000000Z")
        assert (await world.kinds("manager"))[-1] == "case_settled"
        assert (await world.ladder())[-1] == ("ended", 3, (1, 2))
        states = {claim["partner_id"]: claim["state"] for claim in shown["claims"]}
        assert states == {"acme": "expired", "techstart": "protected"}


async def test_a_plan_that_changes_in_mid_case_changes_nothing_for_it(tmp_path: Path) -> None:
    async with ladder_world(tmp_path, {"vp_clock_from": "review"}) as world:
        case = await world.conflict()
        await world.at(HOUR)
        changed = {"partner_manager_hours": 1, "vp_hours": 2, "reminders": [10]}
        await world.publish(plan_with(changed))
        shown = await world.case(case)
        assert shown["deadlines"][0]["due_at"] == "2026-03-02T13:00:00.000000Z"
        await world.at(2 * HOUR)
        await world.act("manager", case, "review", recommendation="uphold_first", text="Mine.")
        await world.settle()
        shown = await world.case(case)
        assert shown["due_at"] == "2026-03-03T11:00:00.000000Z"  # 24 hours from the review
        await world.at(14 * HOUR)
        assert await world.kinds("vp") == ["case_reviewed", "case_reminder"]


async def test_a_service_that_was_down_over_a_deadline_tells_late_and_says_so(
    world: LadderWorld,
) -> None:
    await world.conflict()
    world.down.add("notifier")
    await world.at(4 * HOUR)
    assert await world.told("vp") == []
    world.down.clear()
    await world.at(5.5 * HOUR)
    ((_, title, text),) = await world.told("vp")
    assert title.startswith("Decide by 3 Mar 2026 09:00 UTC")
    assert "This notice is 1 h 30 min late: it was due at 2 Mar 2026 13:00 UTC" in text


async def test_a_question_pauses_the_clock_and_the_answer_starts_it_again(tmp_path: Path) -> None:
    async with ladder_world(tmp_path, {"pause_for_information": True}) as world:
        case = await world.conflict()
        shown = await world.case(case)
        registration = shown["claims"][1]["registration_id"]
        await world.to(HOUR)
        asked = await world.act(
            "manager",
            case,
            "request-info",
            registration_id=registration,
            question="When did you first meet them?",
            hours=10,
        )
        assert asked.is_success, asked.text
        await world.settle()
        assert (await world.kinds("partner:techstart"))[-1] == "case_asked"
        await world.at(6 * HOUR)
        assert (await world.case(case))["level"] == 1
        answered: Any = await world.act("techstart", case, "answer", text="In May.")
        assert answered.is_success, answered.text
        await world.settle()
        assert (await world.case(case))["due_at"] == "2026-03-02T18:00:00.000000Z"
        await world.at(9 * HOUR - SECOND)
        assert await world.told("vp") == []
        await world.at(9 * HOUR)
        assert await world.kinds("vp") == ["ladder"]


async def test_business_hours_of_each_level(tmp_path: Path) -> None:
    ladder = {
        "partner_manager_clock": "business",
        "partner_manager_hours": 10,
        "vp_clock": "business",
        "vp_hours": 24,
        "vp_calendar": {"holidays_of": "US", "days_off": ["2026-03-03"]},
    }
    async with ladder_world(tmp_path, ladder) as world:
        case = await world.conflict()  # on Monday at nine
        shown = await world.case(case)
        dues = [deadline["due_at"] for deadline in shown["deadlines"]]
        assert dues[:2] == ["2026-03-03T11:00:00.000000Z", "2026-03-05T17:00:00.000000Z"]
        await world.at(23 * HOUR)
        assert await world.kinds("manager") == ["ladder", "case_reminder"]
        await world.at(26 * HOUR - SECOND)
        assert await world.told("vp") == []
        await world.at(26 * HOUR)
        assert await world.kinds("vp") == ["ladder"]
        await world.at(80 * HOUR - SECOND)
        assert await world.told("ceo") == []
        await world.at(80 * HOUR)
        assert await world.kinds("ceo") == ["ladder"]
