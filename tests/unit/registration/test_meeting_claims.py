"""Where claims meet in one act, each case opens once, with all of them."""

from hypothesis import given
from hypothesis import strategies as st

from dealreg_registration.domain.account import Claim, Registration
from dealreg_registration.domain.case import CaseMoved
from dealreg_registration.domain.ending import withdraw
from dealreg_registration.domain.facts import Band, Facts
from dealreg_registration.domain.filing import decide_again
from dealreg_registration.domain.objecting import object_to
from dealreg_registration.domain.plan import Policy
from tests.factories.registration import World, plan, territory

LINES = ("platform", "backup")


def world(policy: Policy | None = None) -> World:
    return World(plan(territory("us", *"abcd", countries=["US"]), policy=policy))


def told(w: World, start: int = 0) -> list[CaseMoved]:
    return [entry for entry in w.account.journal[start:] if isinstance(entry, CaseMoved)]


def claims(w: World, *registrations: Registration) -> set[str]:
    return {c.id for r in registrations for c in w.account.of_registration(r.id)}


def test_lines_that_one_filing_contests_are_one_case_told_once() -> None:
    w = world()
    first = w.file("a", *LINES)
    start = len(w.account.journal)
    second = w.file("b", *LINES)
    [opened] = told(w, start)
    assert opened.step == "opened"
    assert set(opened.case.claim_ids) == claims(w, first, second)
    assert opened.case.version == 1
    assert {c.case_id for c in w.account.of_registration(second.id)} == {opened.case.id}
    start = len(w.account.journal)
    third = w.file("c", *LINES)
    [joined] = told(w, start)
    assert (joined.step, set(joined.joined)) == ("joined", claims(w, third))
    assert joined.case.version == 2


def test_two_holders_are_two_cases_each_with_its_lines() -> None:
    w = world()
    first, second = w.file("a", "platform"), w.file("b", "backup")
    start = len(w.account.journal)
    third = w.file("c", *LINES)
    opened = told(w, start)
    assert [entry.step for entry in opened] == ["opened", "opened"]
    mine = {c.product_line: c.id for c in w.account.of_registration(third.id)}
    for entry, holder, line in zip(opened, (first, second), LINES, strict=True):
        assert set(entry.case.claim_ids) == {*claims(w, holder), mine[line]}


def test_lines_that_are_decided_again_meet_in_one_case() -> None:
    w = World(
        plan(
            territory("us", "a", countries=["US"]),
            territory("small", "b", countries=["US"], segments=["smb"]),
        )
    )
    first = w.file("a", *LINES)
    second = w.file("b", *LINES)
    assert set(w.states(second).values()) == {"referred"}
    w.account.facts = Facts(country="US", employees=Band(1, 50))
    start = len(w.account.journal)
    decide_again(w.account, w.context, w.new_id, amended=None)
    assert set(w.states(second).values()) == {"contested"}
    [opened] = told(w, start)
    assert (opened.step, set(opened.case.claim_ids)) == ("opened", claims(w, first, second))


def test_an_objection_to_several_lines_is_one_case() -> None:
    w = world(Policy(overlap_cases="disputed"))
    first, second = w.file("a", *LINES), w.file("b", *LINES)
    mine: list[Claim] = w.account.of_registration(second.id)
    start = len(w.account.journal)
    object_to(w.account, w.current(second), mine, w.context, w.new_id)
    [opened] = told(w, start)
    assert (opened.step, set(opened.case.claim_ids)) == ("opened", claims(w, first, second))


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.sets(st.sampled_from(LINES), min_size=1),
            st.sampled_from(["file", "file", "withdraw"]),
        ),
        max_size=8,
    )
)
def test_no_act_tells_of_a_case_twice_and_every_contested_claim_is_in_its_case(
    story: list[tuple[str, set[str], str]],
) -> None:
    w = world()
    for who, lines, act in story:
        start = len(w.account.journal)
        mine = [c for c in w.account.active() if c.partner_id == who]
        if act == "file":
            w.file(who, *sorted(lines))
        elif mine:
            gone = w.account.registrations[mine[0].registration_id]
            withdraw(w.account, gone, w.book, w.context)
        grown = [entry.case.id for entry in told(w, start) if entry.step != "closed"]
        assert len(set(grown)) == len(grown)
    for claim in w.account.claims.values():
        if claim.state == "contested":
            assert claim.id in w.account.cases[claim.case_id or ""].claim_ids
