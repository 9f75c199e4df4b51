"""Every check of a plan that needs a look at several places, all faults at once.

Pure: what codes exist and who is known is handed in. Must not know how a plan is written or stored.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dealreg_registration.domain.plan_calendar import check_calendars, check_ladder
from dealreg_registration.domain.plan_exclusives import check_exclusives
from dealreg_registration.domain.plan_fault import Fault
from dealreg_registration.domain.plan_partial import Place
from dealreg_registration.domain.plan_people import check_people
from dealreg_registration.domain.plan_places import check_places
from dealreg_registration.domain.plan_references import check_ids, check_references
from dealreg_registration.domain.plan_terms import (
    check_assignments,
    check_named_accounts,
    check_policy,
    check_programme,
    check_segments,
    check_targets,
    check_tiers,
)
from dealreg_registration.domain.plan_tree import Known, tree_of

MOST_OF_A_KIND = 50
"""Faults and warnings of one code that are listed; one more says how many there are."""


def check_plan(
    document: Mapping[str, Any],
    known: Known,
    registrable: Callable[[str], str | None],
    faulty: Iterable[Place] = (),
) -> list[Fault]:
    """All faults and warnings of a plan. What stands at the ``faulty`` places has faults of shape
    and is left out."""
    tree = tree_of(document, faulty, known)
    found: list[Fault] = []
    for check in (
        check_programme(tree, known),
        check_ids(tree),
        check_references(tree),
        check_places(tree, known),
        check_segments(tree),
        check_tiers(tree),
        check_assignments(tree),
        check_named_accounts(tree, registrable),
        check_targets(tree),
        check_policy(tree),
        check_calendars(tree, known),
        check_ladder(tree),
        check_people(tree, known),
        check_exclusives(tree),
    ):
        found.extend(abridged(check))
    return found


def abridged(faults: Iterable[Fault]) -> list[Fault]:
    """The faults, of each kind at most ``MOST_OF_A_KIND``, then one with the number left out."""
    counts: dict[str, int] = {}
    kept: list[Fault] = []
    last: dict[str, Fault] = {}
    for fault in faults:
        counts[fault.code] = counts.get(fault.code, 0) + 1
        if counts[fault.code] <= MOST_OF_A_KIND:
            kept.append(fault)
        last[fault.code] = fault
    for code, count in counts.items():
        if count > MOST_OF_A_KIND:
            one = last[code]
            section = "/" + one.path.split("/")[1] if "/" in one.path else ""
            sentence = f"{count - MOST_OF_A_KIND} more of this kind (`{code}`) are not listed."
            kept.append(Fault(section, code, sentence, one.allowed, one.severity))
    return kept
