"""The published plans and the partners' standing, compiled and kept in memory.

Every transaction that needs them compares the programme's version with what is kept, so no decision is
made under a plan that is out of date. Compiling a large plan takes seconds and therefore never happens
inside a transaction: a transaction that finds a newer version stops with ``ProgrammeStale``, the
programme is refreshed, and the work is done again.
"""

import asyncio
import gc
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Row, select

from dealreg_registration.compiling import compile_plan
from dealreg_registration.domain.plan import Plan, PlanBook, Standing, StatusPeriod
from dealreg_registration.domains import registrable_domain
from dealreg_registration.tables_programme import partner_status, plan, programme_state
from dealreg_shared.contracts.plan_document import PlanDocument
from dealreg_shared.db import Database, app_now

T = TypeVar("T")

REFRESH_LIMIT = 5
"""How often one read may find a newer programme before it gives up."""


class ProgrammeStale(Exception):
    """A plan was published or a partner's standing changed since this process looked."""


class _Kept(NamedTuple):
    version: int | None
    book: PlanBook
    standing: Standing


class Programme:
    """One per process. What is kept is replaced as a whole, so any thread may look at it."""

    def __init__(self) -> None:
        self._plans: dict[int, Plan] = {}
        self._kept = _Kept(None, PlanBook(()), Standing())
        self._refreshing = asyncio.Lock()

    def current(self, conn: Connection) -> tuple[PlanBook, Standing]:
        """Plans and standing as this transaction sees them. Raises ``ProgrammeStale``."""
        return self.at_version(conn.execute(select(programme_state.c.version)).scalar_one_or_none())

    def at_version(self, version: int | None) -> tuple[PlanBook, Standing]:
        """The same, for a transaction that has read the version and keeps publications waiting until it
        ends, so that what it decides is decided under the plan then in force. None: no plan yet."""
        kept = self._kept
        if version != kept.version:
            raise ProgrammeStale
        return kept.book, kept.standing

    def released(self, conn: Connection) -> Mapping[str, datetime]:
        """Partners whose suspension has ended their protections by now, and the instant it did."""
        _, standing = self.current(conn)
        return standing.last_releases(app_now(conn))

    def wishes_precedence_proofs(self, conn: Connection) -> bool:
        """Whether the plan in force lets contested partners prove that somebody was earlier."""
        book, _ = self.current(conn)
        plan = book.at(app_now(conn))
        return plan is not None and plan.policy.precedence_proof == "on"

    async def read(self, database: Database, work: Callable[[Connection], T]) -> T:
        """A read that needs plans: refreshed and done again as often as they have changed."""
        for _ in range(REFRESH_LIMIT):
            try:
                return await database.read(work)
            except ProgrammeStale:
                await self.refresh(database)
        return await database.read(work)

    async def refresh(self, database: Database) -> None:
        """Read what is new and compile it, outside any transaction."""
        async with self._refreshing:
            version, plans, periods = await database.read(self._look)
            if version == self._kept.version:
                return
            compiled = await asyncio.to_thread(_compile, plans)
            self._plans |= compiled
            self._kept = _Kept(version, PlanBook(self._plans.values()), _standing(periods))
            if compiled:
                # A plan's index is large and never changes: keep the collector from walking it.
                gc.collect()
                gc.freeze()

    def _look(self, conn: Connection) -> tuple[int | None, Sequence[Row[Any]], Sequence[Row[Any]]]:
        version = conn.execute(select(programme_state.c.version)).scalar_one_or_none()
        if version == self._kept.version:
            return version, (), ()
        plans = conn.execute(
            select(plan.c.number, plan.c.in_force_from, plan.c.document).where(
                plan.c.number.not_in(set(self._plans))
            )
        ).all()
        return version, plans, _periods(conn)


def _compile(rows: Sequence[Row[Any]]) -> dict[int, Plan]:
    return {
        row.number: compile_plan(
            PlanDocument.model_validate_json(row.document),
            row.number,
            row.in_force_from,
            registrable_domain,
        )
        for row in rows
    }


def read_standing(conn: Connection) -> Standing:
    """Which partner was suspended when, over all history."""
    return _standing(_periods(conn))


def _periods(conn: Connection) -> Sequence[Row[Any]]:
    return conn.execute(
        # Two changes may share an instant where the clock stands still.
        select(partner_status).order_by(partner_status.c.since, partner_status.c.id)
    ).all()


def _standing(rows: Sequence[Row[Any]]) -> Standing:
    periods: dict[str, list[StatusPeriod]] = {}
    for row in rows:
        periods.setdefault(row.partner_id, []).append(
            StatusPeriod(row.since, row.status == "suspended", row.release_at)
        )
    return Standing(periods)
