"""Random histories of filings, rulings, appeals, contradictions and time: what holds after each step."""

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dealreg_registration.domain.account import ACTIVE
from dealreg_registration.domain.appealing import appeal, open_direct_engagement
from dealreg_registration.domain.case import Case, CaseMoved
from dealreg_registration.domain.contradicting import contradict
from dealreg_registration.domain.ending import report_result, withdraw
from dealreg_registration.domain.errors import DomainError
from dealreg_registration.domain.plan import Ladder
from dealreg_registration.domain.ruling import FITTING, Ruling, rule
from dealreg_registration.events import events_for
from dealreg_shared.contracts.catalogue import CATALOGUE
from dealreg_shared.ladder import level_at
from tests.factories.registration import World, plan, territory

PARTNERS = ("acme", "tech", "fourth")
LINES = ("platform", "backup")
ACTS = (
    *("file",) * 4,
    *("rule",) * 4,
    *("appeal",) * 3,
    "win",
    "lose",
    "withdraw",
    "engage",
    "wait",
)


def step(it: World, data: st.DataObject) -> None:
    act = data.draw(st.sampled_from(ACTS))
    registrations = sorted(it.account.registrations)
    if act == "wait":
        it.after(hours=data.draw(st.sampled_from([1, 5, 30, 24 * 8, 24 * 91])))
        it.settle()
        return
    if act == "file" or not registrations:
        lines = data.draw(st.sets(st.sampled_from(LINES), min_size=1))
        it.file(data.draw(st.sampled_from(PARTNERS)), *sorted(lines))
        return
    registration = it.account.registrations[data.draw(st.sampled_from(registrations))]
    if act == "withdraw":
        withdraw(it.account, registration, it.book, it.context)
    elif act == "engage":
        open_direct_engagement(it.account, registration, it.context, it.new_id)
    elif act == "appeal":
        line = data.draw(st.sampled_from(LINES))
        appeal(it.account, registration, line, ("new",), (), it.context, it.new_id)
    elif act in ("win", "lose"):
        result: Any = "won" if act == "win" else "lost"
        if registration.result not in (None, result):
            contradict(it.account, registration, result, it.context, it.new_id)
        else:
            report_result(it.account, registration, it.book, it.context, result)
    else:
        settle_a_case(it, data)


def settle_a_case(it: World, data: st.DataObject) -> None:
    pending = [case for case in it.account.cases.values() if case.pending]
    if not pending:
        return
    case = data.draw(st.sampled_from(pending))
    ids = st.sampled_from(case.claim_ids)
    ruling = Ruling(
        data.draw(st.sampled_from(sorted(FITTING[case.kind]))),
        data.draw(ids),
        tuple((line, data.draw(ids)) for line in LINES),
        tuple(data.draw(st.lists(ids, max_size=1))),
        data.draw(st.booleans()),
    )
    rule(
        it.account,
        case,
        ruling,
        it.book,
        it.context,
        it.new_id,
        level=data.draw(st.sampled_from([d.level for d in case.deadlines])),
        by=data.draw(st.sampled_from(["manager", "vp", "ceo"])),
        actor="person:x",
    )


def check(it: World) -> None:
    claims = list(it.account.claims.values())
    assert max(Counter(c.product_line for c in claims if c.holds).values(), default=0) <= 1
    assert sorted(c.place for c in claims) == list(range(1, len(claims) + 1))
    for claim in claims:
        assert (claim.ended_at is None) == (claim.state in ACTIVE)
        if claim.holds:
            assert claim.protected_from is not None and claim.protected_until is not None
            assert claim.protected_until > it.now
    for line in LINES:
        waiting = it.account.standby(line)
        if it.account.holder(line) is None and not any(c.offered for c in waiting):
            assert all(c.flags.passed is not None for c in waiting), "nobody waits for a free line"
    for case in it.account.cases.values():
        assert set(case.claim_ids) <= set(it.account.claims)
        assert (case.closed_at is None) == case.pending
        level_at(case.course, it.now)
        if case.kind == "overlap" and case.pending:
            assert meets(it, case)
    steps = [e for e in it.account.journal if isinstance(e, CaseMoved)]
    opened = Counter(e.case.id for e in steps if e.step == "opened")
    closed = Counter(e.case.id for e in steps if e.step == "closed")
    assert set(opened) == set(it.account.cases)
    assert max([*opened.values(), *closed.values()], default=1) == 1
    assert set(closed) == {c.id for c in it.account.cases.values() if not c.pending}


def meets(it: World, case: Case) -> bool:
    """Whether two live claims of the case are on one product line."""
    live = [it.account.claims[id_] for id_ in case.claim_ids if it.account.claims[id_].live]
    return max(Counter(c.product_line for c in live).values(), default=0) > 1


@settings(max_examples=100)
@given(st.data())
def test_any_history_of_cases_holds_together(data: st.DataObject) -> None:
    it = World(
        plan(
            territory("us", *PARTNERS, countries=["US"]),
            ladder=Ladder({}, "manager", "vp", "ceo", "judge"),
        )
    )
    for _ in range(data.draw(st.integers(4, 30))):
        it.settle()
        before, length = dict(it.account.claims), len(it.account.journal)
        try:
            step(it, data)
        except DomainError:
            assert (it.account.claims, len(it.account.journal)) == (before, length)
        check(it)
    events = events_for(
        it.account, it.account.journal, it.context.plan, filed_by="staff", correlation_id="c"
    )
    assert {event.type for event in events} <= set(CATALOGUE)
