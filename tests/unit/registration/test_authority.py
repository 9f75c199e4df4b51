"""Who may act on a case, to the second and to the person."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealreg_registration.domain.authority import (
    Acting,
    acting_level,
    deciding_level,
    levels_of,
    require_office,
    reviewing_level,
)
from dealreg_registration.domain.case import Case
from dealreg_registration.domain.errors import (
    DomainError,
    LevelPassedUp,
    LevelTaken,
    NotResponsible,
    NotYourMarket,
    ReviewOnly,
    TopLevel,
)
from dealreg_registration.domain.ladder_terms import LadderTerms
from dealreg_registration.domain.plan import Ladder
from dealreg_registration.domain.stamps import raised, stamp
from dealreg_shared.ladder import Course, Raise
from tests.factories.registration import START, plan

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
MANAGER = Acting("partner_manager", "manager")
VP = Acting("vp", "vp")
CEO = Acting("ceo", "ceo")


def case(
    *raises: Raise, ladder: Ladder | None = None, terms: LadderTerms | None = None, first: int = 1
) -> Case:
    the_plan = plan(ladder=ladder)
    terms = terms or the_plan.ladder_terms
    course = Course((stamp(the_plan, START, None, None, first),))
    for step in raises:
        course = raised(terms, course, step)
    return Case(
        id="cnf_1",
        kind="overlap",
        state="open",
        opened_at=START,
        course=course,
        terms=terms,
        market_region=None,
        market_segment=None,
        plan_number=1,
        claim_ids=(),
    )


def taken(level: int, after: timedelta) -> Raise:
    return Raise(level, START + after, "x", "taking")


def reviewed(level: int, after: timedelta) -> Raise:
    return Raise(level, START + after, "x", "review")


FOUR = 4 * HOUR


@pytest.mark.parametrize(
    ("raises", "who", "at", "outcome"),
    [
        ([], MANAGER, FOUR - SECOND, 1),
        ([], MANAGER, FOUR, 1),
        ([], MANAGER, FOUR + SECOND, 1),
        ([], MANAGER, 30 * HOUR, 1),
        ([], VP, timedelta(), 2),
        ([], CEO, timedelta(), 3),
        ([taken(2, FOUR)], MANAGER, FOUR, LevelTaken),
        ([taken(2, FOUR)], MANAGER, FOUR + SECOND, LevelTaken),
        ([taken(2, FOUR)], MANAGER, FOUR - SECOND, 1),
        ([taken(2, HOUR)], VP, 2 * HOUR, 2),
        ([taken(3, HOUR)], VP, 2 * HOUR, LevelTaken),
        ([taken(2, HOUR)], CEO, 2 * HOUR, 3),
        ([taken(1, HOUR)], MANAGER, 2 * HOUR, 1),
        ([taken(1, HOUR)], VP, 2 * HOUR, 2),
        ([reviewed(2, 2 * HOUR)], MANAGER, 3 * HOUR, LevelPassedUp),
        ([reviewed(2, 2 * HOUR)], VP, 3 * HOUR, 2),
        ([reviewed(3, 2 * HOUR)], VP, 3 * HOUR, LevelPassedUp),
        ([reviewed(3, 2 * HOUR)], MANAGER, 3 * HOUR, 1),
        ([], Acting("admin", "vp"), HOUR, NotResponsible),
        ([], Acting("auditor", "ceo"), HOUR, NotResponsible),
        ([], Acting("partner", "manager"), HOUR, NotResponsible),
        ([], Acting("vp", None), HOUR, NotResponsible),
        ([], Acting("vp", "somebody"), HOUR, NotResponsible),
        ([], Acting("partner_manager", "deputy", frozenset({"vp"})), HOUR, 2),
        (
            [taken(2, HOUR)],
            Acting("partner_manager", "d", frozenset({"manager"})),
            FOUR,
            LevelTaken,
        ),
    ],
)
def test_who_may_rule_when(
    raises: Sequence[Raise], who: Acting, at: timedelta, outcome: int | type[DomainError]
) -> None:
    it = case(*raises)
    if isinstance(outcome, int):
        assert deciding_level(it, who, START + at) == outcome
    else:
        with pytest.raises(outcome):
            deciding_level(it, who, START + at)


def test_one_person_on_two_levels_rules_on_either() -> None:
    it = case(ladder=Ladder({}, "sam", "sam", "ceo"))
    sam = Acting("vp", "sam")
    assert levels_of(it, sam) == (1, 2)
    assert deciding_level(it, sam, START + HOUR) == 2
    passed = replace(it, course=raised(it.terms, it.course, reviewed(2, HOUR)))
    assert deciding_level(passed, sam, START + 2 * HOUR) == 2
    assert reviewing_level(it, sam, START + HOUR) == 1
    assert reviewing_level(it, sam, START + 5 * HOUR) == 2


def test_where_the_plan_named_nobody_any_key_of_the_role_acts() -> None:
    it = case(ladder=Ladder({}, None, None, "ceo"))
    assert deciding_level(it, Acting("partner_manager", None), START) == 1
    assert deciding_level(it, Acting("vp", "anyone"), START) == 2
    with pytest.raises(NotResponsible):
        deciding_level(it, Acting("ceo", None), START)


def test_managers_only_review_if_the_plan_says_so() -> None:
    it = case(terms=LadderTerms(manager_may_decide=False))
    with pytest.raises(ReviewOnly):
        deciding_level(it, MANAGER, START)
    assert reviewing_level(it, MANAGER, START) == 1
    assert acting_level(it, MANAGER, START) == 1
    assert deciding_level(it, VP, START) == 2


def test_nobody_reviews_above_the_top() -> None:
    with pytest.raises(TopLevel):
        reviewing_level(case(), CEO, START)


def test_who_ruled_before_has_no_part_in_the_appeal_nor_has_a_delegate() -> None:
    appealed = replace(case(ladder=Ladder({}, "manager", "vp", "vp"), first=2), barred=("vp",))
    for who in (VP, Acting("vp", "deputy", frozenset({"vp"}))):
        with pytest.raises(NotResponsible):
            deciding_level(appealed, who, START + HOUR)
    barred_deputy = Acting("vp", "vp", frozenset({"ceo"}))
    with pytest.raises(NotResponsible):
        deciding_level(replace(case(first=2), barred=("vp",)), barred_deputy, START)


steps = st.lists(
    st.tuples(st.integers(2, 3), st.integers(0, 40 * 60), st.sampled_from(["taking", "review"])),
    max_size=4,
)


@given(steps, st.integers(0, 50 * 60))
def test_authority_goes_up_and_never_down(
    history: list[tuple[int, int, str]], minutes: int
) -> None:
    """Whatever happened: the CEO may always rule; no one may whose case was taken above or who passed
    it up; and who may not now may not later."""
    it = case()
    for level, at, how in sorted(history, key=lambda entry: entry[1]):
        step = Raise(level, START + timedelta(minutes=at), "x", how)
        it = replace(it, course=raised(it.terms, it.course, step))
    now = START + timedelta(minutes=minutes)
    assert deciding_level(it, CEO, now) == 3
    for level, who in ((1, MANAGER), (2, VP)):
        given_up = any(
            (how == "taking" and to > level) or (how == "review" and to == level + 1)
            for to, at, how in history
            if at <= minutes
        )
        assert _may(it, who, now) != given_up
        if given_up:
            assert not _may(it, who, now + HOUR)


def _may(it: Case, who: Acting, now: datetime) -> bool:
    try:
        deciding_level(it, who, now)
    except DomainError:
        return False
    return True


@pytest.mark.parametrize(
    ("role", "persons", "may"),
    [
        ("partner_manager", {"west-manager"}, True),
        ("partner_manager", {"deputy", "west-manager"}, True),
        ("partner_manager", {"manager"}, False),
        ("partner_manager", set(), False),
        ("vp", {"vp"}, True),
        ("vp", set(), False),
        ("ceo", set(), True),
        ("admin", {"vp"}, False),
        ("auditor", {"vp"}, False),
        (None, set(), False),
    ],
)
def test_extensions_are_for_the_markets_manager_or_above(
    role: str | None, persons: set[str], may: bool
) -> None:
    staffed = plan(ladder=Ladder({"na/smb": "west-manager"}, "manager", "vp", None))
    market = [("na", "smb")]
    if may:
        require_office(market, staffed, role, persons, "Extensions")
    else:
        with pytest.raises(NotYourMarket, match="Extensions are for"):
            require_office(market, staffed, role, persons, "Extensions")


@pytest.mark.parametrize(
    ("role", "persons", "may"),
    [
        ("partner_manager", {"west-manager"}, False),
        ("partner_manager", {"west-manager", "manager"}, True),
        ("vp", {"vp"}, True),
    ],
)
def test_what_is_of_two_markets_is_for_who_manages_both_or_above(
    role: str, persons: set[str], may: bool
) -> None:
    staffed = plan(ladder=Ladder({"na/smb": "west-manager"}, "manager", "vp", None))
    markets = [("na", "smb"), ("emea", "smb")]
    if may:
        require_office(markets, staffed, role, persons, "Merges")
    else:
        with pytest.raises(NotYourMarket):
            require_office(markets, staffed, role, persons, "Merges")
