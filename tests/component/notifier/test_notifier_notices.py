"""What partners, owners and referral targets are told, and what none of them is told."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dealreg_shared.contracts.base import EventData, Money
from dealreg_shared.contracts.plan import PartnerStatusChanged
from dealreg_shared.contracts.registration import (
    ClaimChange,
    Credit,
    Owner,
    ReferralTarget,
    RegistrationAmended,
)
from dealreg_shared.contracts.transfer import TransferClosed, TransferOpened
from tests.factories import notifier as make
from tests.factories import notifier_world as stage
from tests.factories.notifier import MANAGER, MARKET, START
from tests.factories.notifier_world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with stage.world(tmp_path) as made:
        await made.others.people()
        await made.others.plan()
        await made.settle()
        yield made


async def notices(world: World, partner_id: str = "acme", *kinds: str) -> list[dict[str, Any]]:
    """What a partner was told, but for the plan's own notice."""
    headers = await world.others.key("partner", partner_id=partner_id)
    await world.settle()
    wanted = set(kinds)
    return [
        notice
        for notice in await world.inbox(headers)
        if notice["kind"] != "plan_changes" and (not wanted or notice["kind"] in wanted)
    ]


async def staff(world: World, person_id: str) -> list[dict[str, Any]]:
    headers = await world.others.key("partner_manager", person_id=person_id)
    await world.settle()
    return await world.inbox(headers)


async def say(world: World, name: str, data: EventData) -> None:
    await world.others.say(name, data)
    await world.settle()


async def test_a_decision_is_told_per_line_in_plain_words(world: World) -> None:
    claims = (
        make.decided("clm_1"),
        make.decided(
            "clm_2",
            "contested",
            product_line="backup",
            place=7,
            reasons=("An earlier claim exists.",),
            conflict_id="cnf_1",
        ),
    )
    await say(world, "registration.filed", make.filed("reg_a", "acme", *claims))
    (notice,) = await notices(world)
    assert notice["title"] == "Contoso Ltd: 1 contested, 1 protected (of 2 product lines)"
    text = notice["text"]
    assert "Platform: protected" in text
    assert "until 31 May 2026 09:00 UTC (05:00 EDT)" in text
    assert "Your territory West covers this account." in text
    assert "An earlier claim exists, and it keeps its protection." in text
    assert "7" not in text.replace("clm", "")


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("protected", "This deal is yours to sell"),
        ("contested", "Yours keeps its place behind it"),
        ("open", "open to all partners and not protected"),
        ("referred", "outside your territory"),
        ("duplicate", "already hold a live claim"),
        ("rejected", "was not accepted"),
    ],
)
async def test_every_outcome_has_its_words(world: World, outcome: Any, words: str) -> None:
    await say(
        world,
        "registration.filed",
        make.filed("reg_a", "acme", make.decided("clm_1", outcome, reasons=("Because.",))),
    )
    (notice,) = await notices(world)
    assert words in notice["text"]
    assert "Because." in notice["text"]


async def test_added_lines_and_claims_decided_again_are_told(world: World) -> None:
    await say(world, "registration.lines-added", make.filed("reg_a", "acme"))
    amended = RegistrationAmended(
        registration_id="reg_a",
        partner_id="acme",
        account_id="acc_1",
        account_name="Contoso Ltd",
        market=MARKET,
        plan_number=1,
        amount=make.filed("x", "x").amount,
        amount_base=make.filed("x", "x").amount_base,
        close_date=make.filed("x", "x").close_date,
        changed=("employees",),
        owner=Owner(kind="none"),
        claims=(make.decided("clm_1"),),
    )
    await say(world, "registration.amended", amended)
    await say(world, "registration.amended", amended.model_copy(update={"claims": ()}))
    added, again = await notices(world)
    assert "product lines added" in added["text"]
    assert "was changed (employees)" in again["text"]


SECRETS = ("rival", "Rival", "reg_b", "25000", "clm_")


async def test_a_referral_passes_on_account_and_lines_only(world: World) -> None:
    target = ReferralTarget(kind="partner", id="third")
    claims = tuple(
        make.decided(f"clm_{line}", "referred", product_line=line, referred_to=target, reasons=())
        for line in ("platform", "backup")
    )
    await say(world, "registration.filed", make.filed("reg_b", "rival", *claims))
    assert await notices(world, "third") == []
    await say(world, "referral.offered", make.referred("offered", "platform", "backup"))
    await say(world, "referral.consented", make.referred("consented", "platform"))
    await say(world, "referral.lapsed", make.referred("lapsed", "platform"))
    await say(world, "referral.ended", make.referred("ended", "backup"))
    offered, details, lapsed, ended = await notices(world, "third")
    assert offered["kind"] == "referral"
    assert offered["title"] == "Referred to you: Contoso Ltd (Platform and Backup)"
    assert "before 4 Mar 2026" in offered["text"]
    assert details["kind"] == "referral_details"
    assert "has lapsed" in lapsed["title"]
    assert "has ended" in ended["title"]
    for notice in (offered, details, lapsed, ended):
        words = f"{notice['title']} {notice['text']} {notice['subject']}"
        assert not [secret for secret in SECRETS if secret in words]


async def test_the_referrer_hears_what_became_of_it_and_of_its_own_claim(world: World) -> None:
    await say(world, "referral.accepted", make.referred("accepted", "platform"))
    await say(world, "referral.declined", make.referred("declined", "platform"))
    accepted, declined = await notices(world, "rival")
    assert accepted["title"] == "Contoso Ltd: your referral (Platform) was accepted"
    assert "recorded as its source" in accepted["text"]
    assert "was declined" in declined["title"]
    assert "Platform: protected until" in declined["text"]
    for notice in (accepted, declined):
        words = f"{notice['title']} {notice['text']}"
        assert "Third" not in words
        assert "reg_taken" not in words
    assert await notices(world, "third") == []


async def test_a_referral_to_direct_reaches_the_person(world: World) -> None:
    offered = make.referred("offered", "platform")
    target = ReferralTarget(kind="direct", id=MANAGER)
    await say(world, "referral.offered", offered.model_copy(update={"target": target}))
    (notice,) = await staff(world, MANAGER)
    assert notice["title"] == "Referred to you: Contoso Ltd (Platform)"


async def test_both_sides_of_a_transfer_are_asked_and_neither_hears_of_the_other(
    world: World,
) -> None:
    fact = make.referred("offered", "platform").model_dump(
        include={"registration_id", "partner_id", "account_id", "account_name", "plan_number"}
    )
    fact |= {"market": MARKET, "transfer_id": "trf_1", "to_partner_id": "third"}
    fact |= {"product_lines": ("platform",)}
    opened = TransferOpened(
        **fact, opened_at=START, due_at=START + timedelta(days=7), protected_until=None
    )
    await say(world, "transfer.opened", opened)
    await say(world, "transfer.closed", TransferClosed(**fact, state="lapsed", closed_at=START))
    await say(world, "transfer.closed", TransferClosed(**fact, state="done", closed_at=START))
    for who, other in (("rival", "third"), ("third", "rival")):
        asked, lapsed = await notices(world, who)
        assert "do you agree" in asked["title"]
        assert "has lapsed" in lapsed["title"]
        for notice in (asked, lapsed):
            words = f"{notice['title']} {notice['text']}"
            assert other not in words
            assert other.title() not in words


async def test_a_referral_to_nobody_stops_nothing(world: World) -> None:
    claim = make.decided("clm_1", "referred", referred_to=ReferralTarget(kind="manager", id=None))
    await say(world, "registration.filed", make.filed("reg_b", "rival", claim))
    assert len(await notices(world, "rival")) == 1
    metrics = (await world.http.get("/metrics")).text
    assert 'dealreg_notifier_nobody_to_tell_total{kind="referral"}' in metrics


async def test_the_direct_owner_of_a_named_account_is_told(world: World) -> None:
    owner = Owner(kind="co_sell", partner_id="acme", direct_id="dora")
    await say(world, "registration.filed", make.filed("reg_a", "acme", owner=owner))
    (notice,) = await staff(world, "dora")
    assert notice["title"] == "Your named account Contoso Ltd: Acme Corp registered Platform"
    assert "Market: North America West / Small business" in notice["text"]
    rejected = make.decided("clm_9", "rejected", protected_until=None)
    await say(world, "registration.filed", make.filed("reg_c", "acme", rejected, owner=owner))
    assert len(await staff(world, "dora")) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("won", "recorded as won"),
        ("lost", "recorded as lost"),
        ("withdrawn", "is withdrawn"),
        ("revoked", "The reason given: filed twice"),
    ],
)
async def test_the_end_of_a_registration_is_told(world: World, name: str, words: str) -> None:
    credit = Credit(
        sold_by="acme",
        owner=Owner(kind="partner", partner_id="rival"),
        referred_by="third",
        territory_id="t-west",
        goal=Money(amount=Decimal("5"), currency="USD"),
    )
    data = make.ended(
        "reg_a", "acme", reason="filed twice", credit=credit if name == "won" else None
    )
    await say(world, f"registration.{name}", data)
    (notice,) = await notices(world)
    assert words in notice["text"]
    for secret in ("rival", "third", "Rival", "Third"):
        assert secret not in notice["text"]
    assert ("credited to your company" in notice["text"]) == (name == "won")


async def test_a_result_on_ended_claims_says_that_states_stay(world: World) -> None:
    await say(world, "registration.won", make.ended("reg_a", "acme", claims=()))
    (notice,) = await notices(world)
    assert "their states stay as they were" in notice["text"]


@pytest.mark.parametrize(
    ("name", "before", "state", "words"),
    [
        ("expired", "protected", "expired", "Platform protection has expired"),
        ("promoted", "contested", "protected", "Platform is now protected until 31 May 2026"),
        ("closed", "contested", "closed", "Platform claim is closed"),
        ("superseded", "open", "superseded", "replaced by another registration of the same deal"),
        ("revoked", "protected", "revoked", "Platform claim is revoked"),
    ],
)
async def test_what_becomes_of_a_claim_is_told(
    world: World, name: str, before: Any, state: Any, words: str
) -> None:
    window = {"protected_from": START, "protected_until": START + timedelta(days=90)}
    change = ClaimChange(
        claim_id="clm_reg_a", product_line="platform", place=1, from_state=before, to_state=state
    )
    data = make.changed(
        "reg_a",
        "acme",
        state,
        claim=change,
        reasons=("The former protection ended.",),
        **(window if name == "promoted" else {}),
    )
    await say(world, f"claim.{name}", data)
    (notice,) = await notices(world)
    assert words in notice["title"]
    assert "The former protection ended." in notice["text"]


async def test_a_case_shows_what_its_claims_have_become(world: World) -> None:
    await say(world, "conflict.opened", make.opened())
    change = ClaimChange(
        claim_id="clm_reg_b",
        product_line="platform",
        place=2,
        from_state="contested",
        to_state="withdrawn",
    )
    await say(world, "registration.withdrawn", make.ended("reg_b", "rival", claims=(change,)))
    await world.at(make.FOUR_HOURS)
    (notice,) = await staff(world, make.VP)
    assert "Rival Inc: Platform, withdrawn" in notice["text"]


async def test_a_new_plan_tells_each_partner_its_own_changes(world: World) -> None:
    assignments = [
        {"id": "a1", "territory": "t-west", "partner": "rival", "role": "primary"},
    ]
    world.clock.to(timedelta(days=1))
    await world.others.plan(2, assignments=assignments)
    await world.settle()
    said = {
        partner_id: [
            notice
            for notice in await world.inbox(await _key(world, partner_id))
            if notice["kind"] == "plan_changes" and notice["subject"] == "plan:2"
        ]
        for partner_id in ("acme", "rival", "third")
    }
    assert said["third"] == []
    assert said["acme"][0]["title"] == (
        "Plan 2: 1 change for you from 3 Mar 2026 09:00 UTC (04:00 EST)"
    )
    assert "No longer your territory: West" in said["acme"][0]["text"]
    assert "New territory: West" in said["rival"][0]["text"]
    assert "Rival" not in said["acme"][0]["text"]
    assert "Acme" not in said["rival"][0]["text"]


async def test_a_suspension_and_its_end_are_told(world: World) -> None:
    for status, name in (("suspended", "suspended"), ("active", "reactivated")):
        data = PartnerStatusChanged(
            partner_id="acme",
            status=status,  # type: ignore[arg-type]  # one of its words
            at=START,
            release_at=START + timedelta(days=5) if status == "suspended" else None,
            reason="unpaid fees" if status == "suspended" else None,
        )
        await world.others.say(f"partner.{name}", data, "default")
        await world.settle()
    first, second = await notices(world)
    assert "its protections end at 7 Mar 2026 09:00 UTC" in first["title"]
    assert "unpaid fees" in first["text"]
    assert "active in the programme again" in second["title"]


async def test_an_event_under_a_plan_that_has_not_arrived_waits(world: World) -> None:
    await world.others.say("registration.filed", make.filed("reg_a", "acme", plan_number=2))
    await world.service.drain()
    assert await notices(world) == []
    await world.others.plan(2)
    await world.at(timedelta(minutes=5))
    assert len(await notices(world)) == 1


async def _key(world: World, partner_id: str) -> dict[str, str]:
    headers = await world.others.key("partner", partner_id=partner_id)
    await world.settle()
    return headers
