"""What people do with an open case, and what time does: who hears of it, once, and what they read."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dealreg_shared.contracts import conflict
from dealreg_shared.contracts.base import EventData
from dealreg_shared.contracts.people import Delegation
from tests.factories import notifier as make
from tests.factories import notifier_world as stage
from tests.factories.ladder_story import MARKET, Story
from tests.factories.notifier import CEO, MANAGER, START, VP
from tests.factories.notifier_world import World

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
CLAIMS = (make.conflict_claim("reg_a", "acme", 1), make.conflict_claim("reg_b", "rival", 2))


class Told:
    """A notifier with one open case, and everybody's inbox."""

    def __init__(self, world: World, *people: str | None) -> None:
        self.world = world
        self.story = Story("cnf_1", people or (MANAGER, VP, CEO), claims=CLAIMS)

    async def open(self) -> None:
        await self.say("opened", self.story.opened(START))

    async def say(self, word: str, data: EventData | None) -> None:
        assert data is not None
        await self.world.others.say(f"conflict.{word}", data)
        await self.world.settle()

    async def by(self, person_id: str) -> list[dict[str, Any]]:
        headers = await self.world.others.key("partner_manager", person_id=person_id)
        await self.world.settle()
        return await self.world.inbox(headers)

    async def kinds(self, person_id: str) -> list[str]:
        return [notice["kind"] for notice in await self.by(person_id)]

    async def at(self, offset: timedelta) -> None:
        await self.world.at(offset)


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[Told]:
    async with stage.world(tmp_path) as made:
        await made.others.people()
        await made.others.plan()
        for registration_id, partner_id in (("reg_a", "acme"), ("reg_b", "rival")):
            await made.others.say("registration.filed", make.filed(registration_id, partner_id))
        await made.settle()
        yield Told(made)


async def test_each_level_is_reminded_at_half_and_at_80_per_cent_of_its_own_time(
    told: Told,
) -> None:
    await told.open()
    await told.at(2 * HOUR - SECOND)
    assert await told.kinds(MANAGER) == ["ladder"]
    await told.at(2 * HOUR)
    await told.at(3.2 * HOUR)
    notices = await told.by(MANAGER)
    assert [notice["kind"] for notice in notices] == ["ladder", "case_reminder", "case_reminder"]
    assert notices[1]["title"].startswith("2 h left, until 2 Mar 2026 13:00 UTC")
    assert notices[2]["title"].startswith("48 min left")
    for notice in notices:
        assert "Market: North America West / Enterprise" in notice["text"]
    for hours in (4, 14, 20):
        await told.at(hours * HOUR)
    assert await told.kinds(VP) == ["ladder", "case_reminder", "case_reminder"]
    assert await told.kinds(MANAGER) == ["ladder", "case_reminder", "case_reminder", "ladder"]


async def test_a_reminder_that_time_has_overtaken_is_not_sent(told: Told) -> None:
    await told.open()
    await told.at(3.5 * HOUR)  # nobody ticked at 2:00 and 3:12
    (_, reminder) = await told.by(MANAGER)
    assert "This reminder is 18 min late" in reminder["text"]
    await told.at(21 * HOUR)
    assert await told.kinds(VP) == ["ladder"]


async def test_the_ceo_is_reminded_every_day_and_once_after_an_outage(told: Told) -> None:
    await told.open()
    for hours in (4, 24, 48 - 1, 48, 72):
        await told.at(hours * HOUR)
    assert await told.kinds(CEO) == ["ladder", "case_reminder", "case_reminder"]
    await told.at(24 * 10 * HOUR)
    notices = await told.by(CEO)
    assert len(notices) == 4
    assert notices[-1]["title"].startswith("Still waiting for you")
    await told.at(24 * 11 * HOUR)
    assert len(await told.by(CEO)) == 5
    await told.say("closed", told.story.closed(START + 24 * 11 * HOUR))
    await told.at(24 * 30 * HOUR)
    assert (await told.kinds(CEO))[5:] == ["case_settled"]


async def test_a_review_calls_the_next_level_with_the_recommendation(told: Told) -> None:
    await told.open()
    told.world.clock.to(2 * HOUR)
    await told.say("reviewed", told.story.reviewed(START + 2 * HOUR))
    (notice,) = await told.by(VP)
    assert notice["kind"] == "case_reviewed"
    assert notice["title"].startswith("Decide by 3 Mar 2026 09:00 UTC")
    assert "Recommended: uphold the first claim (Acme Corp, Platform)" in notice["text"]
    assert "Market: North America West / Enterprise" in notice["text"]
    await told.at(4 * HOUR)
    await told.at(13 * HOUR)
    assert await told.kinds(VP) == ["case_reviewed", "case_reminder"]
    assert "Deadline missed" not in " ".join(n["title"] for n in await told.by(MANAGER))
    await told.at(24 * HOUR)
    assert (await told.kinds(CEO)) == ["ladder"]
    events = [(e.type.split(".")[2], e.data.level) for e in await told.world.events()]
    assert events == [("raised", 1), ("raised", 2), ("breached", 2), ("raised", 3)]


async def test_a_review_that_arrives_after_the_timer_fired_is_told_and_sets_the_record_right(
    told: Told,
) -> None:
    await told.open()
    await told.at(4 * HOUR)
    await told.say("reviewed", told.story.reviewed(START + 4 * HOUR - SECOND))
    assert await told.kinds(VP) == ["ladder", "case_reviewed"]
    await told.say("closed", told.story.closed(START + 5 * HOUR))
    settled = (await told.by(MANAGER))[-1]
    assert "That is void: the case was settled in time." in settled["text"]
    assert (await told.world.events())[-1].data.breached_levels == ()


async def test_a_taking_tells_the_levels_below_and_not_the_taker(told: Told) -> None:
    await told.open()
    told.world.clock.to(2 * HOUR)
    await told.say("taken", told.story.taken(START + 2 * HOUR, 3))
    for person in (MANAGER, VP):
        notice = (await told.by(person))[-1]
        assert notice["title"].startswith("Taken by the CEO")
        assert "you may still comment, and no longer decide" in notice["text"]
    assert await told.by(CEO) == []
    await told.at(26 * HOUR)
    assert await told.kinds(CEO) == ["case_reminder"]
    assert len(await told.by(MANAGER)) == 2


async def test_a_pause_holds_timers_and_resuming_tells_the_new_deadline(told: Told) -> None:
    await told.open()
    told.world.clock.to(HOUR)
    await told.say("paused", told.story.paused(START + HOUR, 10 * HOUR))
    assert (await told.by(MANAGER))[-1]["title"].startswith(
        "The clock stands until 2 Mar 2026 20:00"
    )
    await told.at(6 * HOUR)
    assert await told.by(VP) == []
    auditor = await told.world.others.key("auditor")
    await told.world.settle()
    shown = (await told.world.http.get("/v1/escalations/cnf_1", headers=auditor)).json()
    assert (shown["level"], shown["seconds_left"]) == (1, None)
    assert shown["paused_until"] == "2026-03-02T20:00:00.000000Z"
    told.world.clock.to(6 * HOUR)
    await told.say("resumed", told.story.resumed(START + 6 * HOUR))
    assert (await told.by(MANAGER))[-1]["title"].startswith("Decide by 2 Mar 2026 18:00 UTC")
    await told.at(8 * HOUR)
    await told.at(9 * HOUR - SECOND)
    assert await told.by(VP) == []
    await told.at(9 * HOUR)
    assert await told.kinds(VP) == ["ladder"]
    reminded = [n for n in await told.by(MANAGER) if n["kind"] == "case_reminder"]
    assert len(reminded) == 2


async def test_a_pause_that_nobody_ends_ends_by_itself(told: Told) -> None:
    await told.open()
    told.world.clock.to(HOUR)
    await told.say("paused", told.story.paused(START + HOUR, 10 * HOUR))
    await told.at(14 * HOUR - SECOND)
    assert await told.by(VP) == []
    await told.at(14 * HOUR)
    assert await told.kinds(VP) == ["ladder"]


async def test_a_comment_is_told_to_who_must_act_and_not_to_its_author(told: Told) -> None:
    await told.open()

    def comment(by: str, kind: Any = "comment") -> EventData:
        return conflict.ConflictCommented(
            conflict_id="cnf_1", account_id="acc_1", entry_id="e", kind=kind, by=by, at=START
        )

    await told.say("commented", comment(MANAGER))
    assert await told.kinds(MANAGER) == ["ladder"]
    await told.say("commented", comment("acme", "answer"))
    assert (await told.by(MANAGER))[-1]["title"].startswith("Answer: conflict on")


async def test_a_question_and_a_ruling_reach_their_party_and_no_other(told: Told) -> None:
    await told.open()
    asked = conflict.ConflictAsked(
        conflict_id="cnf_1",
        account_id="acc_1",
        registration_id="reg_b",
        partner_id="rival",
        account_name="Contoso Limited",
        question="When did you meet them?",
        asked_at=START,
        due_at=START + 24 * HOUR,
        pauses=False,
    )
    await told.say("asked", asked)

    def party(claim: conflict.ConflictClaim, sentence: str) -> conflict.RulingParty:
        return conflict.RulingParty(
            claim_id=claim.claim_id,
            registration_id=claim.registration_id,
            partner_id=claim.partner_id,
            product_line=claim.product_line,
            effect="holds",
            state="protected",
            sentence=sentence,
        )

    decided = conflict.ConflictDecided(
        conflict_id="cnf_1",
        account_id="acc_1",
        kind="overlap",
        account_name=make.SECRET_ACCOUNT,
        market=MARKET,
        ruling="uphold_first",
        level=1,
        by=MANAGER,
        decided_at=START,
        breached=False,
        winners=("clm_reg_a",),
        departs=("prc_1",),
        parties=(party(CLAIMS[0], "You hold it."), party(CLAIMS[1], "It is not yours.")),
    )
    await told.say("decided", decided)
    await told.say("closed", told.story.closed(START))
    texts = {}
    for partner_id in ("acme", "rival"):
        headers = await told.world.others.key("partner", partner_id=partner_id)
        await told.world.settle()
        inbox = await told.world.inbox(headers)
        texts[partner_id] = [n for n in inbox if n["kind"].startswith("case_")]
    assert [n["kind"] for n in texts["acme"]] == ["case_open", "case_decided"]
    assert [n["kind"] for n in texts["rival"]] == ["case_open", "case_asked", "case_decided"]
    assert "When did you meet them?" in texts["rival"][1]["text"]
    assert "Platform: It is not yours." in texts["rival"][2]["text"]
    rivals = " ".join(n["title"] + n["text"] for n in texts["rival"])
    assert "Acme" not in rivals
    assert "You hold it." not in rivals
    assert make.SECRET_ACCOUNT not in rivals
    settled = (await told.by(MANAGER))[-1]["text"]
    assert "on level 1: uphold the first claim, against what similar cases before it" in settled


async def test_what_a_ruling_did_is_told_once_also_to_who_waited(told: Told) -> None:
    """The claims' own events come first; the ruling says it all, also to a claim of no case."""
    await told.open()
    others = told.world.others
    await others.say("claim.revoked", make.changed("reg_a", "acme", "revoked", cause="ruling"))
    await others.say("claim.restored", make.changed("reg_c", "third", "contested", cause="ruling"))
    parties = tuple(
        conflict.RulingParty(
            claim_id=f"clm_{registration_id}",
            registration_id=registration_id,
            partner_id=partner_id,
            product_line="platform",
            effect="ended",
            state="closed",
            sentence=f"Said to {registration_id}.",
        )
        for registration_id, partner_id in (("reg_a", "acme"), ("reg_c", "third"))
    )
    decided = conflict.ConflictDecided(
        conflict_id="cnf_1",
        account_id="acc_1",
        kind="overlap",
        account_name=make.SECRET_ACCOUNT,
        market=MARKET,
        ruling="release_all",
        level=1,
        by=MANAGER,
        decided_at=START,
        breached=False,
        winners=(),
        parties=parties,
    )
    await told.say("decided", decided)
    for partner_id, before in (("acme", ["case_open"]), ("third", [])):
        headers = await others.key("partner", partner_id=partner_id)
        await told.world.settle()
        inbox = await told.world.inbox(headers)
        kinds = [n["kind"] for n in inbox if n["kind"].startswith(("case_", "claim_"))]
        assert kinds == [*before, "case_decided"]
        assert "Said to reg_" in inbox[-1]["text"]


async def test_who_stands_in_is_told_too_while_it_lasts(told: Told) -> None:
    standing_in = Delegation(delegate_id="dana", start=START, end=START + 3 * HOUR)
    mia = make.person(MANAGER, "partner_manager", delegations=[standing_in])
    await told.world.others.say("person.updated", make.person("dana", "partner_manager"), "dana")
    await told.world.others.say("person.updated", mia, MANAGER)
    await told.world.settle()
    await told.open()
    (notice,) = await told.by("dana")
    assert (
        "You read this because you stand in for somebody until 2 Mar 2026 12:00" in notice["text"]
    )
    assert "stand in" not in (await told.by(MANAGER))[0]["text"]
    await told.at(2 * HOUR)
    assert await told.kinds("dana") == ["ladder", "case_reminder"]
    await told.at(3 * HOUR)
    await told.at(3.2 * HOUR)
    await told.at(4 * HOUR)
    assert await told.kinds("dana") == ["ladder", "case_reminder"]
    assert await told.kinds(MANAGER) == ["ladder", "case_reminder", "case_reminder", "ladder"]


async def test_who_stands_in_and_is_told_anyway_is_told_once(told: Told) -> None:
    standing_in = Delegation(delegate_id=VP, start=START, end=START + 30 * HOUR)
    mia = make.person(MANAGER, "partner_manager", delegations=[standing_in])
    await told.world.others.say("person.updated", mia, MANAGER)
    await told.world.settle()
    await told.open()
    await told.at(4 * HOUR)
    assert await told.kinds(VP) == ["ladder", "ladder"]
    assert (await told.by(VP))[1]["title"].startswith("Decide by")
