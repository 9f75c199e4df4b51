"""Published plans: kept in parts, compiled once per process, found by the instant they are in force.

A plan never changes once it is published, so what was compiled holds for as long as the process.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from dealreg_coverage.compiling import compile_plan
from dealreg_coverage.domain.covering import Posts, posts_on
from dealreg_coverage.domain.plan import Plan
from dealreg_coverage.tables import PLAN, PLAN_PART
from dealreg_coverage.upsert import put
from dealreg_shared.contracts.plan import PlanPart, PlanPublished

KEPT = 4
"""Compiled plans, and periods of them, that a process keeps at a time."""


# Built once: every event asks both.
_IN_FORCE = (
    select(PLAN)
    .where(PLAN.c.in_force_from <= bindparam("at"))
    .order_by(PLAN.c.in_force_from.desc(), PLAN.c.number.desc())
    .limit(1)
)
_NUMBERED = select(PLAN.c.number).where(PLAN.c.number == bindparam("number"))


class PlanIncomplete(Exception):
    """A manifest names more parts than have arrived: the log itself is broken."""


class PlanShelf:
    """The plans of one process. Safe in several threads: at worst a plan is compiled twice."""

    def __init__(self) -> None:
        self._plans: dict[tuple[int, str], Plan] = {}
        self._posts: dict[tuple[int, str, date], Posts] = {}

    def in_force(self, conn: Connection, at: datetime) -> Plan | None:
        """Of the plans that have begun, the one that began last (of several, the highest number)."""
        row = conn.execute(_IN_FORCE, {"at": at}).first()
        if row is None:
            return None
        key = (row.number, row.content_hash)
        plan = self._plans.get(key)
        if plan is None:
            plan = compile_plan(
                row.number, row.in_force_from, row.content_hash, _sections(conn, row.number)
            )
            _keep(self._plans, key, plan)
        return plan

    def posts(self, plan: Plan, day: date) -> Posts:
        """Who is posted where on a day under a plan."""
        key = (plan.number, plan.content_hash, plan.period(day))
        posts = self._posts.get(key)
        if posts is None:
            posts = posts_on(plan, day)
            _keep(self._posts, key, posts)
        return posts


def store_part(conn: Connection, part: PlanPart) -> None:
    put(
        conn,
        PLAN_PART,
        {"plan_number": part.plan_number, "part": part.part},
        {"section": part.section, "items": list(part.items)},
    )


def store_manifest(conn: Connection, manifest: PlanPublished) -> None:
    """Complete a plan. Raises ``PlanIncomplete`` if a part is missing."""
    arrived = conn.execute(
        select(func.count())
        .select_from(PLAN_PART)
        .where(PLAN_PART.c.plan_number == manifest.plan_number)
    ).scalar_one()
    if arrived != manifest.parts:
        raise PlanIncomplete(
            f"plan {manifest.plan_number} has {manifest.parts} parts, {arrived} have arrived"
        )
    put(
        conn,
        PLAN,
        {"number": manifest.plan_number},
        {
            "in_force_from": manifest.in_force_from,
            "published_at": manifest.published_at,
            "parts": manifest.parts,
            "content_hash": manifest.content_hash,
        },
    )


def has_plan(conn: Connection, number: int) -> bool:
    """Whether a plan has arrived completely."""
    return conn.execute(_NUMBERED, {"number": number}).first() is not None


def _sections(conn: Connection, number: int) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    sections: dict[str, list[Mapping[str, Any]]] = {}
    rows = conn.execute(
        select(PLAN_PART.c.section, PLAN_PART.c["items"])
        .where(PLAN_PART.c.plan_number == number)
        .order_by(PLAN_PART.c.part)
    )
    for section, items in rows:
        sections.setdefault(section, []).extend(items)
    return sections


def _keep(shelf: dict[Any, Any], key: Any, value: Any) -> None:
    shelf[key] = value
    while len(shelf) > KEPT:
        shelf.pop(next(iter(shelf)), None)
