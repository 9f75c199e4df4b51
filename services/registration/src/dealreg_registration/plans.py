"""The published plans as the API shows them: read once, kept, looked up by id.

Plans are immutable, so what is kept is never out of date; which of them is in force is asked anew each
time. Only a few are kept, because a plan may be large. Decisions use ``programme.Programme`` instead.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from threading import Lock
from typing import Any

from sqlalchemy import Connection, select

from dealreg_registration.programme_store import number_in_force
from dealreg_registration.tables_programme import plan

KEPT = 3

Item = Mapping[str, Any]


class ShelvedPlan:
    """One published plan in its stored form, with look-ups."""

    def __init__(self, number: int, in_force_from: datetime, content: Mapping[str, Any]) -> None:
        self.number = number
        self.in_force_from = in_force_from
        self.content = content

    @cached_property
    def partners(self) -> Mapping[str, Item]:
        """By id, in the order of ids."""
        return _sorted(self.content.get("partners", ()))

    @cached_property
    def territories(self) -> Mapping[str, Item]:
        """By id, in the order of ids."""
        return _sorted(self.content.get("territories", ()))

    @cached_property
    def assignments(self) -> Mapping[str, Sequence[Item]]:
        """By territory."""
        found: dict[str, list[Item]] = {}
        for item in self.content.get("assignments", ()):
            found.setdefault(item["territory"], []).append(item)
        return found

    @cached_property
    def territories_of(self) -> Mapping[str, frozenset[str]]:
        """The ids of the territories that a partner is assigned to, by partner."""
        found: dict[str, set[str]] = {}
        for item in self.content.get("assignments", ()):
            if "partner" in item:
                found.setdefault(item["partner"], set()).add(item["territory"])
        return {partner: frozenset(ids) for partner, ids in found.items()}

    @property
    def notice_days(self) -> int:
        """Between a partner's suspension and the end of its protections."""
        days: int = self.content["policy"]["suspension_notice_days"]
        return days


def _sorted(items: Sequence[Item]) -> dict[str, Item]:
    return {item["id"]: item for item in sorted(items, key=lambda item: item["id"])}


class PlanShelf:
    """One per process; safe to use from the database's threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[int, ShelvedPlan] = OrderedDict()

    def at(self, conn: Connection, instant: datetime) -> ShelvedPlan | None:
        """The plan in force at an instant."""
        number = number_in_force(conn, instant)
        return None if number is None else self.get(conn, number)

    def get(self, conn: Connection, number: int) -> ShelvedPlan | None:
        """A plan by its number."""
        with self._lock:
            found = self._kept.get(number)
            if found is not None:
                self._kept.move_to_end(number)
                return found
            row = conn.execute(
                select(plan.c.in_force_from, plan.c.document).where(plan.c.number == number)
            ).first()
            if row is None:
                return None
            shelved = ShelvedPlan(number, row.in_force_from, json.loads(row.document))
            self._kept[number] = shelved
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return shelved
