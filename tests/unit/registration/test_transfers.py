"""Transfers with both sides' consent; objections under a plan that opens cases only when disputed."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealreg_registration.domain.account import Claim, Registration
from dealreg_registration.domain.appealing import open_direct_engagement
from dealreg_registration.domain.case import CaseMoved
from dealreg_registration.domain.ending import report_result, withdraw
from dealreg_registration.domain.handover_errors import (
    NothingToObject,
    NothingToTransfer,
    ObjectionTooLate,
    TransferClosed,
    UnfitReceiver,
)
from dealreg_registration.domain.objecting import object_to
from dealreg_registration.domain.plan import Policy, Standing, StatusPeriod
from dealreg_registration.domain.ruling import Ruling, rule
from dealreg_registration.domain.transfer import Transfer
from dealreg_registration.domain.transferring import (
    Side,
    accept_transfer,
    decline_transfer,
    open_transfer,
)
from dealreg_registration.events import events_for
from dealreg_registration.views import co_sell_view
from dealreg_shared.contracts.registration import RegistrationEnded
from tests.factories.registration import START, World, assignment, partner, plan, territory

DUE = START + timedelta(days=8) - timedelta(hours=9)
"""Five business days after Monday, 09:00, end with the next Monday."""


def world(policy: Policy | None = None, standing: Standing | None = None) -> World:
    us = territory("us", "a", "b", "c", countries=["US"])
    return World(plan(us, policy=policy), standing=standing)


def asked(w: World, registration: Registration, to: str) -> Transfer:
    w.settle()
    claims = w.account.of_registration(registration.id)
    return open_transfer(w.account, claims, to, w.context, w.new_id)


def accept(w: World, transfer: Transfer, side: Side) -> Registration | None:
    w.settle()
    _, taken = accept_transfer(
        w.account, transfer.id, side, f"reg_{transfer.id}", w.context, w.new_id
    )
    return taken


def claim(w: World, registration: Registration) -> Claim:
    w.settle()
    [found] = w.account.of_registration(registration.id)
    return found


@pytest.mark.parametrize("first", ["holder", "receiver"])
def test_when_both_have_accepted_the_remaining_term_passes(first: Side) -> None:
    w = world()
    held, waiting = w.file("a"), w.file("b")
    ends = claim(w, held).protected_until
    transfer = asked(w.after(days=1), held, "c")
    second: Side = "receiver" if first == "holder" else "holder"
    assert accept(w.after(days=1), transfer, first) is None
    assert w.state(held) == "protected"
    taken = accept(w.after(days=1), transfer, second)
    assert taken is not None
    assert taken.partner_id == "c"
    passed = claim(w, taken)
    assert (passed.state, passed.protected_until, passed.protected_from) == (
        "protected",
        ends,
        w.now,
    )
    assert passed.place == 3, "a new place at the back, and yet it holds the line"
    assert (w.state(held), w.state(waiting)) == ("transferred", "contested")
    case = w.account.cases[passed.case_id or ""]
    assert case.pending
    assert passed.id in case.claim_ids
    w.at(ends or w.now)
    assert (w.state(taken), w.state(waiting)) == ("expired", "protected")


def test_a_receiver_on_standby_has_one_claim_afterwards() -> None:
    w = world()
    held, waiting = w.file("a"), w.file("b")
    transfer = asked(w, held, "b")
    accept(w, transfer, "holder")
    taken = accept(w, transfer, "receiver")
    assert taken is not None
    assert (w.state(taken), w.state(waiting)) == ("protected", "closed")
    assert not any(case.pending for case in w.account.cases.values()), "nobody is left to dispute"


def pass_on(w: World, held: Registration, to: str) -> Registration:
    transfer = asked(w, held, to)
    accept(w, transfer, "holder")
    taken = accept(w, transfer, "receiver")
    assert taken is not None
    return taken


def test_a_win_is_credited_to_the_territory_of_the_receiver() -> None:
    us = territory("us", "a", assignment("us-b", "us", "b", goal=Decimal(500)), countries=["US"])
    w = World(plan(us, partners=[partner("far")]))
    taken = pass_on(w, w.file("a", referred_by="x"), "b")
    passed = claim(w, taken)
    assert (passed.territory_id, passed.assignment_id) == ("us", "us-b")
    start = len(w.account.journal)
    report_result(w.account, w.current(taken), w.book, w.context, "won")
    won = events_for(
        w.account, w.account.journal[start:], w.context.plan, filed_by="partner", correlation_id="c"
    )[0].data
    assert isinstance(won, RegistrationEnded)
    assert won.credit is not None
    assert (won.credit.sold_by, won.credit.territory_id) == ("b", "us")
    assert won.credit.referred_by == "x", "whoever brought the deal is its source as before"
    assert won.credit.goal is not None
    assert won.credit.goal.amount == 500
    elsewhere = pass_on(w, w.file("a"), "far")
    assert (claim(w, elsewhere).territory_id, claim(w, elsewhere).state) == (None, "protected")


def test_co_holders_share_with_whoever_has_the_protection() -> None:
    w = world()
    held, sharing = w.file("a"), w.file("b")
    [case] = w.account.cases.values()
    lead, co = claim(w, held).id, claim(w, sharing).id
    ruling = Ruling("co_sell", lead, co_holders=(co,))
    rule(w.account, case, ruling, w.book, w.context, w.new_id, level=1, by=None, actor="test")
    taken = pass_on(w, held, "c")
    shared = claim(w, sharing)
    assert (shared.state, shared.co_holds) == ("contested", claim(w, taken).id)
    view = co_sell_view(w.account, claim(w, taken))
    assert view == {"role": "lead", "with": ["b"]}
    again = pass_on(w, taken_by(w), "b")
    assert (claim(w, again).state, w.state(sharing)) == ("protected", "closed")
    assert co_sell_view(w.account, claim(w, again)) is None


def taken_by(w: World) -> Registration:
    holder = w.account.holder("platform")
    assert holder is not None
    return w.account.registrations[holder.registration_id]


def test_open_cases_about_the_protection_go_on_with_it_and_each_is_told_once() -> None:
    w = world()
    held = w.file("a", "platform", "backup")
    w.file("b", "platform", "backup")
    open_direct_engagement(w.account, w.current(held), w.context, w.new_id)
    start = len(w.account.journal)
    taken = pass_on(w, held, "c")
    mine = {found.id for found in w.account.of_registration(taken.id)}
    joined = [e for e in w.account.journal[start:] if isinstance(e, CaseMoved)]
    assert sorted(e.case.kind for e in joined) == ["direct_engagement", "overlap"]
    assert all(e.step == "joined" and set(e.joined) == mine for e in joined)
    overlap, direct = sorted(w.account.cases.values(), key=lambda case: case.kind, reverse=True)
    rule(
        w.account,
        direct,
        Ruling("release_all"),
        w.book,
        w.context,
        w.new_id,
        level=1,
        by=None,
        actor="test",
    )
    assert {found.state for found in w.account.of_registration(taken.id)} == {"revoked"}
    assert overlap.id in w.account.cases


def test_a_case_about_another_line_does_not_go_with_a_transfer() -> None:
    w = world()
    held = w.file("a", "platform", "backup")
    w.file("b", "platform")
    [backup] = [c for c in w.account.of_registration(held.id) if c.product_line == "backup"]
    transfer = open_transfer(w.account, [backup], "c", w.context, w.new_id)
    for side in ("holder", "receiver"):
        accept_transfer(w.account, transfer.id, side, "reg_taken", w.context, w.new_id)
    [case] = w.account.cases.values()
    assert len(case.claim_ids) == 2
    [passed] = w.account.of_registration("reg_taken")
    assert passed.case_id is None


@pytest.mark.parametrize("how", ["declined", "lapsed", "ended"])
def test_without_both_everything_stays_as_it_is(how: str) -> None:
    w = world()
    held = w.file("a")
    transfer = asked(w, held, "b")
    accept(w, transfer, "receiver")
    if how == "declined":
        decline_transfer(w.account, transfer.id, w.now)
    elif how == "lapsed":
        w.at(DUE - timedelta(microseconds=1)).settle()
        assert w.account.transfers[transfer.id].pending
        w.at(DUE).settle()
    else:
        withdraw(w.account, w.current(held), w.book, w.context)
    assert w.account.transfers[transfer.id].state == how
    assert claim(w, held).flags.transfer_until is None
    with pytest.raises(TransferClosed):
        accept(w, transfer, "holder")
    if how != "ended":
        assert w.state(held) == "protected"
        assert asked(w, held, "c").pending, "it can be asked anew"


def test_what_cannot_pass_is_refused() -> None:
    gone = Standing({"c": [StatusPeriod(START, True, START + timedelta(days=5))]})
    w = world(standing=gone)
    held, waiting = w.file("a"), w.file("b")
    with pytest.raises(NothingToTransfer, match="not protected"):
        asked(w, waiting, "a")
    for to in ("a", "nobody", "c"):
        with pytest.raises(UnfitReceiver):
            asked(w, held, to)
    asked(w, held, "b")
    with pytest.raises(NothingToTransfer, match="already"):
        asked(w, held, "b")


def objects(w: World, registration: Registration) -> None:
    w.settle()
    claims = w.account.of_registration(registration.id)
    object_to(w.account, w.current(registration), claims, w.context, w.new_id)


def test_under_disputed_a_case_opens_by_objection_and_counts_from_then() -> None:
    w = world(Policy(overlap_cases="disputed"))
    w.file("a")
    second, third = w.file("b"), w.file("c")
    assert w.account.cases == {}
    told = next(m for m in w.account.moves() if m.after.registration_id == second.id)
    assert "If you object before 2026-03-10 00:00 UTC" in told.reasons[-1]
    objects(w.after(days=2), second)
    [case] = w.account.cases.values()
    assert case.opened_at == w.now
    assert case.deadlines[0].due_at == w.now + timedelta(hours=4)
    objects(w.after(hours=1), third)
    [case] = w.account.cases.values()
    assert len(case.claim_ids) == 3
    assert case.opened_at == w.now - timedelta(hours=1)
    with pytest.raises(NothingToObject):
        objects(w, third)


def test_after_its_time_nobody_can_object() -> None:
    w = world(Policy(overlap_cases="disputed"))
    w.file("a")
    second = w.file("b")
    with pytest.raises(ObjectionTooLate):
        objects(w.at(DUE), second)
    assert w.state(second) == "contested"


def test_by_default_a_case_opens_at_once() -> None:
    w = world()
    w.file("a")
    second = w.file("b")
    assert len(w.account.cases) == 1
    with pytest.raises(NothingToObject):
        objects(w, second)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.integers(1, 200)), max_size=6
    )
)
def test_whatever_passes_a_line_has_one_holder_and_a_partner_one_live_claim(
    story: list[tuple[str, str, int]],
) -> None:
    w = world()
    for number, (who, to, hours) in enumerate(story):
        w.after(hours=hours).file(who)
        w.settle()
        holder = w.account.holder("platform")
        if holder is not None and holder.partner_id != to and holder.flags.transfer_until is None:
            transfer = open_transfer(w.account, [holder], to, w.context, w.new_id)
            for side in ("holder", "receiver"):
                accept_transfer(w.account, transfer.id, side, f"reg_t{number}", w.context, w.new_id)
            assert w.account.holder("platform") is not None
        live = [c for c in w.account.claims.values() if c.live]
        assert sum(c.holds for c in live) <= 1
        assert len({c.partner_id for c in live}) == len(live)
        places = sorted(c.place for c in w.account.claims.values())
        assert places == list(range(1, len(places) + 1))
