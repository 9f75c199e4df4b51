"""Who may act on a case, and on which level: a pure function of the case, the caller and the instant.

Authority belongs to the person stamped on a level, or to somebody this person has delegated to at this
very instant; where the plan named nobody for a level, to any key with that role. Administrators and
auditors have none (docs/rules.md, section 4).
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

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
from dealreg_registration.domain.plan import Plan
from dealreg_shared.ladder import Deadline, level_at, passed_up, taken_above

OFFICES = frozenset({"partner_manager", "vp", "ceo"})
LADDER_ROLES = frozenset({"partner_manager", "vp", "ceo", "reviewer"})


@dataclass(frozen=True, slots=True)
class Acting:
    """The caller: the role of its key, the person it is bound to, and those this person stands in for
    now."""

    role: str | None
    person_id: str | None
    stands_for: frozenset[str] = frozenset()


def require_office(
    markets: Iterable[tuple[str | None, str | None]],
    plan: Plan,
    role: str | None,
    persons: Collection[str],
    what: str,
) -> None:
    """Decisions beside a case are for the partner manager of the market, of each if they are several,
    or for whoever is above. Raises ``NotYourMarket``, saying for ``what``.

    ``persons`` are whom the caller may act for, itself included. Where the plan names nobody for an
    office, the key's role is enough; administrators and auditors hold none.
    """
    ladder = plan.ladder

    def holds(office: str, holder: str | None) -> bool:
        return holder in persons if holder is not None else role == office

    above = holds("vp", ladder.vp) or holds("ceo", ladder.ceo)
    managers = [holds("partner_manager", ladder.manager(*market)) for market in markets]
    if role not in OFFICES or not (above or all(managers)):
        raise NotYourMarket(f"{what} are for the partner manager of the market, or above.")


def levels_of(case: Case, acting: Acting) -> tuple[int, ...]:
    """The levels on which the caller has authority, in rising order.

    Who may not rule on the case (an appeal of its own ruling, say) has none, nor has anybody in its
    stead.
    """
    if acting.role not in LADDER_ROLES or acting.person_id in case.barred:
        return ()
    return tuple(
        d.level for d in case.deadlines if _has(d, acting) and d.person_id not in _barred(case)
    )


def deciding_level(case: Case, acting: Acting, now: datetime) -> int:
    """The highest level on which the caller may rule now.

    Raises ``NotResponsible``; ``LevelTaken`` if a higher level has taken the case; ``LevelPassedUp`` if
    the caller's handed it on; ``ReviewOnly`` if managers may only review, by the plan.
    """

    def refusal(level: int) -> DomainError | None:
        if (found := _given_up(case, level, now)) is not None:
            return found
        if level == 1 and not case.terms.manager_may_decide:
            return ReviewOnly("By the plan, level 1 reviews the case and passes it up.")
        return None

    return _highest(case, acting, refusal)


def acting_level(case: Case, acting: Acting, now: datetime) -> int:
    """The highest level on which the caller may take the case or ask a party. Raises as above."""
    return _highest(case, acting, lambda level: _given_up(case, level, now))


def reviewing_level(case: Case, acting: Acting, now: datetime) -> int:
    """The level from which the caller passes the case up: of its own, the one responsible now, else the
    nearest. Raises as above, and ``TopLevel`` where there is nobody above."""
    highest = _highest(case, acting, lambda level: _given_up(case, level, now))
    free = [k for k in levels_of(case, acting) if _given_up(case, k, now) is None]
    current = level_at(case.course, now)
    level = max((k for k in free if k <= current), default=min(free, default=highest))
    if level >= case.deadlines[-1].level:
        raise TopLevel("There is no level above this one; decide the case.")
    return level


def _highest(case: Case, acting: Acting, refusal: Callable[[int], DomainError | None]) -> int:
    levels = levels_of(case, acting)
    if not levels:
        raise NotResponsible("You have no authority on this case; you may comment on it.")
    first: DomainError | None = None
    for level in reversed(levels):
        found = refusal(level)
        if found is None:
            return level
        first = first or found
    raise first or NotResponsible("You have no authority on this case.")


def _given_up(case: Case, level: int, now: datetime) -> DomainError | None:
    if taken_above(case.course, level, now):
        return LevelTaken("A higher level has taken this case; you may comment on it.")
    if passed_up(case.course, level, now):
        return LevelPassedUp("Your level has passed this case up; you may comment on it.")
    return None


def _has(deadline: Deadline, acting: Acting) -> bool:
    if deadline.person_id is None:
        return acting.role == deadline.role
    return deadline.person_id == acting.person_id or deadline.person_id in acting.stands_for


def _barred(case: Case) -> frozenset[str]:
    return frozenset(case.barred)
