"""Referrals: offered, taken, declined, left to lapse, and what becomes of the referrer."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealreg_registration.domain.account import Registration
from dealreg_registration.domain.ending import report_result, withdraw
from dealreg_registration.domain.entries import Decided
from dealreg_registration.domain.handover_errors import (
    NotEligible,
    NothingReferred,
    ReferralAnswered,
)
from dealreg_registration.domain.plan import Policy
from dealreg_registration.domain.referral import Referral, ReferralMoved
from dealreg_registration.domain.referral_answers import accept, consent, decline
from dealreg_registration.domain.replay import replay
from dealreg_registration.domain.settle import next_due, settle
from tests.factories.registration import START, World, filing, partner, plan, territory

DUE = START + timedelta(days=3) - timedelta(hours=9)
"""START is a Monday, 09:00: two business days after it end with Wednesday."""


def world(*others: str, policy: Policy | None = None) -> World:
    """``p`` is primary and the others secondary in the US; ``out`` covers nothing."""
    return World(
        plan(
            territory("us", "p", *others, countries=["US"]),
            partners=[partner("out"), partner("out2")],
            policy=policy,
        )
    )


def only(world: World, state: str = "offered") -> Referral:
    world.settle()
    [found] = [r for r in world.account.referrals.values() if r.state == state]
    return found


def take(world: World, referral: Referral, **changes: object) -> Registration:
    world.settle()
    own = filing(
        referral.target_id,
        id=f"reg_own_{referral.id}",
        filed_at=world.now,
        last_activity_at=world.now,
        referred_by=referral.referrer_id,
        **changes,
    )
    _, registration, _ = accept(world.account, referral.id, own, world.context, world.new_id)
    assert registration is not None
    return registration


def refuse(world: World, referral: Referral) -> None:
    world.settle()
    decline(world.account, referral.id, world.context)


def steps(world: World) -> list[str]:
    return [entry.step for entry in world.account.journal if isinstance(entry, ReferralMoved)]


def test_a_referred_claim_is_offered_until_the_end_of_the_second_business_day() -> None:
    w = world("s")
    referring = w.file("out", "platform", "backup")
    referrals = sorted(w.account.referrals.values(), key=lambda it: it.product_line)
    assert [it.product_line for it in referrals] == ["backup", "platform"]
    assert {it.target_id for it in referrals} == {"p"}
    assert {it.due_at for it in referrals} == {DUE}
    assert steps(w) == ["offered"], "both lines are offered together"
    assert next_due(w.account, w.book, w.standing) == DUE
    assert w.states(referring) == {"platform": "referred", "backup": "referred"}


def test_what_is_accepted_is_decided_by_the_rules_at_that_instant() -> None:
    w = world("s")
    referring = w.file("out")
    own = take(w.after(hours=5), only(w))
    assert w.state(own) == "protected"
    [claim] = w.account.of_registration(own.id)
    assert claim.protected_from == w.now
    taken = only(w, "accepted")
    assert (taken.taken_claim_id, taken.decided_at) == (claim.id, w.now)
    assert w.state(referring) == "referred", "the referrer keeps what it has"
    w.after(days=30).settle()
    assert only(w, "accepted") == taken, "nothing lapses any more"


def test_an_accepted_referral_queues_behind_who_came_first() -> None:
    w = world("s")
    w.file("out")
    w.after(hours=1).file("s")
    assert w.state(take(w.after(hours=1), only(w))) == "contested"


def test_what_rule_1_would_reject_is_refused_and_stays_on_offer() -> None:
    w = world("s", policy=Policy(minimum_amount=Decimal(10)))
    w.file("out")
    with pytest.raises(NotEligible, match="below the minimum"):
        take(w, only(w), amount=Decimal(1), amount_base=Decimal(1))
    assert only(w).state == "offered"
    assert w.account.last_place == 1


def test_the_next_covering_partner_is_offered_it_by_specificity() -> None:
    w = World(
        plan(
            territory("us", "p", "s", countries=["US"]),
            territory("all", "broad", regions=["na"]),
            partners=[partner("out")],
        )
    )
    referring = w.file("out")
    order = []
    while any(r.pending for r in w.account.referrals.values()):
        order.append(only(w).target_id)
        refuse(w.after(hours=1), only(w))
    assert order == ["p", "broad", "s"], "primaries first, each the more specific first"
    assert w.state(referring) == "protected"


@pytest.mark.parametrize("lapses", [True, False])
def test_when_all_have_let_it_pass_the_referrer_counts_as_in_territory(lapses: bool) -> None:
    w = world()
    referring = w.file("out")
    if lapses:
        w.at(DUE - timedelta(microseconds=1)).settle()
        assert w.state(referring) == "referred"
        w.at(DUE + timedelta(days=4))
    else:
        refuse(w, only(w))
    assert w.state(referring) == "protected"
    [claim] = w.account.of_registration(referring.id)
    assert claim.protected_from == (DUE if lapses else START), "at the very instant"
    told = next(m for m in w.account.moves() if m.cause == "referral_returned")
    assert told.reasons[0] == (
        "Your referral was not answered in time." if lapses else "Your referral was declined."
    )
    assert "you count as in territory" in told.reasons[1]


def test_it_is_decided_with_its_old_place() -> None:
    w = world("s")
    first = w.file("out")
    w.after(hours=1).file("out2")
    w.after(hours=1).file("s")
    refuse(w, next(r for r in w.account.referrals.values() if r.referrer_id == "out"))
    w.settle()
    again = next(r for r in w.account.referrals.values() if r.pending and r.referrer_id == "out")
    assert again.target_id == "s"
    refuse(w, again)
    assert w.state(first) == "contested", "the line is taken by now"
    [claim] = w.account.of_registration(first.id)
    assert claim.place == 1
    assert w.account.cases[claim.case_id or ""].claim_ids == ("clm_3", claim.id)


def test_who_counts_as_in_territory_is_promoted_too() -> None:
    w = world("s")
    first = w.file("out")
    holder = w.file("s")
    for _ in range(2):
        refuse(w, only(w))
    assert w.state(first) == "contested"
    withdraw(w.account, holder, w.book, w.context)
    assert w.state(first) == "protected"


def test_a_plan_may_leave_it_open_instead() -> None:
    w = world(policy=Policy(referral_exhausted="open"))
    referring = w.file("out")
    refuse(w, only(w))
    assert w.state(referring) == "open"
    w.after(days=40)
    assert w.state(referring) == "open"


def test_direct_is_offered_what_it_alone_covers() -> None:
    from tests.factories.registration import assignment

    direct = assignment("d", "us", None, direct_id="dana")
    w = World(plan(territory("us", direct, countries=["US"]), partners=[partner("out")]))
    referring = w.file("out")
    offered = only(w)
    assert (offered.target_kind, offered.target_id) == ("direct", "dana")
    taken, own, _ = accept(w.account, offered.id, None, w.context, w.new_id)
    assert (taken.state, own, w.state(referring)) == ("accepted", None, "referred")
    other = w.file("out")
    w.after(days=7)
    assert w.state(other) == "protected"


@pytest.mark.parametrize("how", ["refiled", "withdrawn", "won", "lost"])
def test_a_referral_ends_with_its_claim(how: str) -> None:
    w = world()
    referring = w.file("out")
    offered = only(w)
    if how == "refiled":
        w.file("out")
    elif how == "withdrawn":
        withdraw(w.account, referring, w.book, w.context)
    else:
        report_result(w.account, referring, w.book, w.context, "won" if how == "won" else "lost")
    assert w.account.referrals[offered.id].state == "ended"
    with pytest.raises(ReferralAnswered):
        take(w, offered)


def test_lapsed_is_lapsed_at_the_very_instant() -> None:
    w = world("s")
    w.file("out")
    offered = only(w)
    w.at(DUE)
    with pytest.raises(ReferralAnswered, match="has lapsed"):
        take(w, offered)


def test_consent_is_for_those_who_have_it_now() -> None:
    w = world("s")
    referring = w.file("out")
    consent(w.account, referring.id, w.now)
    consent(w.account, referring.id, w.now)
    assert steps(w) == ["offered", "consented"]
    refuse(w, only(w))
    assert only(w).consent_at is None, "the next one is another company"
    with pytest.raises(NothingReferred):
        consent(w.account, w.file("p").id, w.now)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(["out", "out2", "p", "s"]), st.integers(0, 30)), max_size=5),
    st.lists(st.integers(1, 100), max_size=10),
)
def test_one_step_to_an_instant_equals_many_and_every_decision_replays(
    filed: list[tuple[str, int]], hours: list[int]
) -> None:
    worlds = [world("s") for _ in range(2)]
    for w in worlds:
        for who, after in filed:
            w.after(hours=after).file(who, "platform")
    often, once = worlds
    for elapsed in hours:
        often.after(hours=elapsed).settle()
    once.at(often.now)
    for w in worlds:
        w.settle()
    assert often.account.referrals == once.account.referrals
    assert often.account.claims == once.account.claims
    assert often.account.journal == once.account.journal
    for entry in often.account.journal:
        if isinstance(entry, Decided):
            in_force = often.book.at(entry.at)
            assert in_force is not None
            assert replay(entry.inputs, in_force) == entry.result
    for claim in often.account.claims.values():
        offered = [
            r for r in often.account.referrals.values() if r.claim_id == claim.id and r.pending
        ]
        assert len(offered) == (1 if claim.state == "referred" else 0)
    settle(often.account, often.book, often.standing, often.now)
