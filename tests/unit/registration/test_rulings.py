"""Rulings: what becomes of every claim, and what holds after any of them."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealreg_registration.commands import Actor
from dealreg_registration.domain.account import ACTIVE, ClaimMoved, Registration
from dealreg_registration.domain.appealing import appeal, open_direct_engagement
from dealreg_registration.domain.case import Case, CaseActed, CaseMoved, Part, RulingKind
from dealreg_registration.domain.contradicting import contradict
from dealreg_registration.domain.ending import report_result, withdraw
from dealreg_registration.domain.errors import (
    AppealedAlready,
    AppealTooLate,
    DomainError,
    NoNewEvidence,
    NotAppealable,
    RulingFinal,
    RulingOvertaken,
    RulingUnfit,
)
from dealreg_registration.domain.offers import accept_offer
from dealreg_registration.domain.plan import Ladder, Policy, Standing, StatusPeriod
from dealreg_registration.domain.ruling import (
    APPEAL_REFUSED,
    LEADS,
    SHARED,
    UPHELD,
    Ruling,
    rule,
)
from dealreg_registration.events import events_for
from dealreg_registration.journal import audit_rows
from dealreg_shared.contracts.conflict import ConflictDecided
from dealreg_shared.ladder import level_at
from tests.factories.registration import START, World, plan, territory

LINES = ("platform", "backup")
PARTNERS = ("acme", "tech", "fourth")


def world(**changes: Any) -> World:
    return World(plan(territory("us", *PARTNERS, countries=["US"]), **changes))


def the_case(it: World, kind: str = "overlap") -> Case:
    [case] = [case for case in it.account.cases.values() if case.kind == kind and case.pending]
    return case


def decide(it: World, ruling: Ruling, case: Case | None = None, level: int = 1) -> Case:
    it.settle()
    return rule(
        it.account,
        case or the_case(it),
        ruling,
        it.book,
        it.context,
        it.new_id,
        level=level,
        by="manager",
        actor="person:manager",
    )


def claim_id(it: World, registration: Registration, line: str = "platform") -> str:
    [found] = [c.id for c in it.account.of_registration(registration.id) if c.product_line == line]
    return found


def until(it: World, registration: Registration) -> Any:
    return it.account.claims[claim_id(it, registration)].protected_until


def test_upholding_the_first_leaves_its_running_term_and_ends_the_rest() -> None:
    it = world()
    first, second, third = (it.file(p) for p in PARTNERS)
    before = until(it, first)
    it.after(hours=2)
    closed = decide(it, Ruling("uphold_first"))
    assert [it.state(r) for r in (first, second, third)] == ["protected", "closed", "closed"]
    assert until(it, first) == before
    assert (closed.state, closed.closed_level, closed.closed_at) == ("decided", 1, it.now)


def test_an_award_protects_for_a_full_window_and_takes_the_holders_protection() -> None:
    it = world()
    first, second, third = (it.file(p) for p in PARTNERS)
    it.after(hours=5)
    decide(it, Ruling("award", claim_id(it, second)), level=2)
    assert [it.state(r) for r in (first, second, third)] == ["revoked", "protected", "closed"]
    assert until(it, second) == it.now + timedelta(days=90)


def test_a_split_gives_each_line_to_its_winner_and_names_all() -> None:
    it = world()
    first, second = it.file("acme", *LINES), it.file("tech", *LINES)
    named = (("platform", claim_id(it, first)), ("backup", claim_id(it, second, "backup")))
    with pytest.raises(RulingUnfit, match="backup"):
        decide(it, Ruling("split", lines=named[:1]))
    to_one = tuple((line, claim_id(it, second, line)) for line in LINES)
    with pytest.raises(RulingUnfit, match="several partners"):
        decide(it, Ruling("split", lines=to_one))
    decide(it, Ruling("split", lines=named))
    assert it.states(first) == {"platform": "protected", "backup": "revoked"}
    assert it.states(second) == {"platform": "closed", "backup": "protected"}


def test_co_sell_has_one_lead_and_co_holders_that_share_its_protection() -> None:
    it = world()
    first, second, third = (it.file(p) for p in PARTNERS)
    lead, co = claim_id(it, second), claim_id(it, first)
    decide(it, Ruling("co_sell", lead, co_holders=(co,)))
    assert [it.state(r) for r in (first, second, third)] == ["contested", "protected", "closed"]
    assert it.account.claims[co].co_holds == lead
    with pytest.raises(RulingUnfit):
        again = world()
        again.file("acme")
        mine = again.file("tech")
        decide(again, Ruling("co_sell", claim_id(again, mine)))


def test_releasing_all_leaves_the_line_free_with_nobody_after() -> None:
    it = world()
    registrations = [it.file(p) for p in PARTNERS]
    decide(it, Ruling("release_all"))
    assert [it.state(r) for r in registrations] == ["revoked", "closed", "closed"]
    assert it.state(it.file("tech")) == "protected"


def test_a_ruling_that_does_not_fit_or_comes_too_late_changes_nothing() -> None:
    it = world()
    _, second, third = (it.file(p) for p in PARTNERS)
    withdraw(it.account, it.current(second), it.book, it.context)
    length = len(it.account.journal)
    for ruling, error in (
        (Ruling("award", claim_id(it, second)), RulingOvertaken),
        (Ruling("award", "clm_none"), RulingUnfit),
        (Ruling("correct_record"), RulingUnfit),
        (Ruling("same_account"), RulingUnfit),
    ):
        with pytest.raises(error):
            decide(it, ruling)
    assert len(it.account.journal) == length
    assert it.state(third) == "contested"


def test_a_suspended_partner_is_not_protected_by_a_ruling() -> None:
    it = world()
    it.file("acme")
    second = it.file("tech")
    it.standing = Standing({"tech": [StatusPeriod(START, True, START + timedelta(days=5))]})
    with pytest.raises(RulingOvertaken, match="suspended"):
        decide(it, Ruling("award", claim_id(it, second)))


def test_direct_engagement_is_upheld_or_released() -> None:
    it = world()
    first, second = it.file("acme"), it.file("tech")
    case = open_direct_engagement(it.account, first, it.context, it.new_id)
    decide(it, Ruling("uphold_first"), case)
    assert it.state(first) == "protected"
    case = open_direct_engagement(it.account, first, it.context, it.new_id)
    decide(it, Ruling("release_all"), case)
    assert (it.state(first), it.state(second)) == ("revoked", "closed")
    assert all(not case.pending for case in it.account.cases.values())


@pytest.mark.parametrize("restore", [True, False])
def test_a_corrected_win_restores_the_standby_or_leaves_it(restore: bool) -> None:
    it = world()
    first, second, third = (it.file(p) for p in PARTNERS)
    it.after(days=1)
    report_result(it.account, it.current(first), it.book, it.context, "won")
    it.after(days=1)
    case = contradict(it.account, it.current(first), "lost", it.context, it.new_id)
    assert contradict(it.account, it.current(first), "lost", it.context, it.new_id) is case
    decide(it, Ruling("correct_record", restore=restore), case)
    assert it.current(first).result == "lost"
    assert it.state(first) == "lost"
    assert {it.state(second), it.state(third)} == {"contested" if restore else "closed"}
    assert it.account.claims[claim_id(it, second)].offered == restore


def test_a_corrected_loss_ends_what_was_promoted() -> None:
    it = world()
    first, second = it.file("acme"), it.file("tech")
    report_result(it.account, it.current(first), it.book, it.context, "lost")
    accept_offer(it.account, [it.account.claims[claim_id(it, second)]], it.context)
    assert it.state(second) == "protected"
    case = contradict(it.account, it.current(first), "won", it.context, it.new_id)
    decide(it, Ruling("correct_record"), case)
    assert (it.state(first), it.state(second)) == ("won", "revoked")


def lost_by_ruling(it: World, level: int = 1) -> tuple[Registration, Registration]:
    first, second = it.file("acme"), it.file("tech")
    decide(it, Ruling("uphold_first"), level=level)
    return first, second


def appealed(it: World, registration: Registration, **changes: Any) -> Case:
    return appeal(
        it.account,
        it.current(registration),
        changes.get("line"),
        changes.get("evidence", ("minutes of a meeting",)),
        (),
        it.context,
        it.new_id,
    )


def test_an_appeal_starts_above_the_ruling_with_new_clocks_and_another_person() -> None:
    it = world()
    first, second = lost_by_ruling(it)
    it.after(days=9)
    case = appealed(it, second)
    assert level_at(case.course, it.now) == 2
    assert case.deadlines[0].due_at == it.now + timedelta(hours=24)
    assert case.barred == ("manager",)
    decide(it, Ruling("award", claim_id(it, second)), case, level=2)
    assert (it.state(first), it.state(second)) == ("revoked", "protected")
    with pytest.raises(AppealedAlready):
        it.after(hours=1)
        decide(it, Ruling("award", claim_id(it, first)), appealed(it, first), level=3)
        appealed(it, second)


def test_what_cannot_be_appealed() -> None:
    it = world()
    first, second = lost_by_ruling(it)
    with pytest.raises(NotAppealable):
        appealed(it, first)
    with pytest.raises(NoNewEvidence):
        appealed(it, second, evidence=())
    it.after(days=10)
    with pytest.raises(AppealTooLate):
        appealed(it, second)


def test_the_ceos_ruling_goes_to_the_reviewer_or_is_final() -> None:
    it = world()
    _, second = lost_by_ruling(it, level=3)
    with pytest.raises(RulingFinal):
        appealed(it, second)
    it = world(ladder=Ladder({}, "manager", "vp", "ceo", "judge"))
    _, second = lost_by_ruling(it, level=3)
    case = appealed(it, second)
    assert [(d.level, d.role, d.person_id) for d in case.deadlines] == [(4, "reviewer", "judge")]


def test_an_automatic_verdict_is_appealed_to_the_first_level() -> None:
    it = world(policy=Policy(minimum_amount=None, cooling_off_days=30))
    first = it.file("acme")
    it.after(days=90)
    assert it.state(first) == "expired"
    rejected = it.file("acme")
    assert it.state(rejected) == "rejected"
    case = appealed(it, rejected)
    assert level_at(case.course, it.now) == 1
    decide(it, Ruling("award", claim_id(it, rejected)), case)
    assert it.state(rejected) == "protected"


KINDS: tuple[RulingKind, ...] = ("uphold_first", "award", "split", "co_sell", "release_all")


@given(st.data())
def test_after_any_ruling_everything_holds_together(data: st.DataObject) -> None:
    it = world()
    filings = data.draw(
        st.lists(
            st.tuples(st.sampled_from(PARTNERS), st.sets(st.sampled_from(LINES), min_size=1)),
            min_size=2,
            max_size=6,
        )
    )
    for partner_id, lines in filings:
        it.file(partner_id, *sorted(lines))
        it.after(minutes=data.draw(st.integers(0, 120)))
    cases = [case for case in it.account.cases.values() if case.pending]
    if not cases:
        return
    case = data.draw(st.sampled_from(cases))
    ids = st.sampled_from(case.claim_ids)
    ruling = Ruling(
        data.draw(st.sampled_from(KINDS)),
        data.draw(ids),
        tuple((line, data.draw(ids)) for line in LINES),
        tuple(data.draw(st.lists(ids, max_size=2, unique=True))),
    )
    before, length = dict(it.account.claims), len(it.account.journal)
    try:
        decide(it, ruling, case)
    except DomainError:
        assert it.account.claims == before
        assert len(it.account.journal) == length
        return
    claims = list(it.account.claims.values())
    held = [c.product_line for c in claims if c.holds]
    assert len(held) == len(set(held))
    assert sorted(c.place for c in claims) == list(range(1, len(claims) + 1))
    for id_ in case.claim_ids:
        claim = it.account.claims[id_]
        assert claim.holds or claim.ended_at is not None or claim.co_holds is not None
        assert (claim.ended_at is None) == (claim.state in ACTIVE)
        if claim.holds:
            assert claim.protected_from is not None and claim.protected_until is not None
    decided = it.account.cases[case.id]
    assert (decided.state, decided.closed_at) == ("decided", it.now)
    entries = it.account.journal[length:]
    changed = {id_ for id_, claim in it.account.claims.items() if before.get(id_) != claim}
    assert {e.after.id for e in entries if isinstance(e, ClaimMoved)} == changed
    assert [e.step for e in entries if isinstance(e, CaseActed)] == ["decided"]
    assert decided.id in {e.case.id for e in entries if isinstance(e, CaseMoved)}
    plan_now = it.context.plan
    events = events_for(it.account, entries, plan_now, filed_by="staff", correlation_id="c")
    rows = audit_rows(entries, Actor("person:m", "staff"), it.now)
    assert len(events) == len(entries) == len(rows)
    assert [e.type for e in events if e.subject == case.id][:2] == [
        "dealreg.conflict.decided.v1",
        "dealreg.conflict.closed.v1",
    ]


def parts(it: World) -> dict[str, Part]:
    """Claim id -> what the latest ruling says of it."""
    *_, verdict = [e.verdict for e in it.account.journal if isinstance(e, CaseActed) and e.verdict]
    return {part.claim_id: part for part in verdict.parts}


def test_who_loses_is_told_until_when_it_may_appeal() -> None:
    it = world(policy=Policy(appeal_days=7))
    first, second, third = (it.file(p) for p in PARTNERS)
    decide(it, Ruling("award", claim_id(it, second)))
    told = parts(it)
    for loser in (first, third):
        assert told[claim_id(it, loser)].appeal_until == it.now + timedelta(days=7)
    assert told[claim_id(it, second)].appeal_until is None
    it.after(days=6, hours=23)
    appeal(it.account, third, None, ["new"], [], it.context, it.new_id)
    it.after(hours=1)
    with pytest.raises(AppealTooLate):
        appeal(it.account, first, None, ["new"], [], it.context, it.new_id)


@pytest.mark.parametrize("reviewer", [None, "rae"])
def test_a_ceos_ruling_is_final_without_a_reviewer_and_so_is_a_reviewers(
    reviewer: str | None,
) -> None:
    it = world(ladder=Ladder(reviewer=reviewer))
    first, second, _ = (it.file(p) for p in PARTNERS)
    decide(it, Ruling("award", claim_id(it, second)), level=3)
    assert (parts(it)[claim_id(it, first)].appeal_until is None) == (reviewer is None)
    if reviewer is not None:
        case = appeal(it.account, first, None, ["new"], [], it.context, it.new_id)
        decide(it, Ruling("award", claim_id(it, first)), case, level=4)
        assert parts(it)[claim_id(it, second)].appeal_until is None


def test_what_each_side_reads_fits_what_was_ruled() -> None:
    it = world()
    first, second, _ = (it.file(p) for p in PARTNERS)
    decide(it, Ruling("co_sell", claim_id(it, first), co_holders=(claim_id(it, second),)))
    assert parts(it)[claim_id(it, first)].sentence == LEADS
    assert parts(it)[claim_id(it, second)].sentence == SHARED

    it = world()
    first, second, _ = (it.file(p) for p in PARTNERS)
    decide(it, Ruling("co_sell", claim_id(it, second), co_holders=(claim_id(it, first),)))
    assert "You lead; another partner" in parts(it)[claim_id(it, second)].sentence

    it = world()
    first, second, _ = (it.file(p) for p in PARTNERS)
    decide(it, Ruling("uphold_first"))
    refused = appeal(it.account, second, None, ["new"], [], it.context, it.new_id)
    decide(it, Ruling("uphold_first"), refused, level=2)
    assert parts(it)[claim_id(it, second)].sentence == APPEAL_REFUSED
    assert parts(it)[claim_id(it, first)].sentence == UPHELD

    it = world()
    first, second, _ = (it.file(p) for p in PARTNERS)
    decide(it, Ruling("uphold_first"))
    granted = appeal(it.account, second, None, ["new"], [], it.context, it.new_id)
    decide(it, Ruling("award", claim_id(it, second)), granted, level=2)
    won = parts(it)[claim_id(it, second)].sentence
    assert won.startswith("The vendor has granted your appeal: you are protected for 90 days")
    events = events_for(
        it.account, it.account.journal, it.context.plan, filed_by="staff", correlation_id="test"
    )
    [*_, decided] = [e.data for e in events if isinstance(e.data, ConflictDecided)]
    assert {p.claim_id: p.appeals for p in decided.parties} == {
        claim_id(it, first): False,
        claim_id(it, second): True,
    }
