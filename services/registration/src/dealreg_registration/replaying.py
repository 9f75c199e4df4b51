"""History decided again from what is stored, decision by decision, in the order of the record.

Only reads, a slice at a time, so a long history needs no more memory than a short one. Each decision is
made on its own stored inputs: what would have come of it, had an earlier one been another, is not
simulated, because later filings, answers and rulings were people's, made upon what they were told.
"""

import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, Text, func, select, type_coerce

from dealreg_registration import tables
from dealreg_registration.compiling import compile_plan
from dealreg_registration.domain.comparing import Compared, compare, differences
from dealreg_registration.domain.plan import Plan, Standing
from dealreg_registration.domain.replay import NotReplayable, replay
from dealreg_registration.domains import registrable_domain
from dealreg_registration.programme import read_standing
from dealreg_registration.programme_store import KnownPeople, known_people
from dealreg_shared.contracts.plan_document import PlanDocument
from dealreg_shared.db import Database
from dealreg_shared.db.types import canonical_json

SLICE = 500
"""Decisions read at once."""

KEPT = 4
"""Compiled plans kept: history asks for them one after the other, nearly in order."""

NAMED = 5
"""How many places of one decision are named where it differs."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A decision as it was written: ``inputs`` and ``result`` are the very texts."""

    id: int
    account_id: str
    registration_id: str
    decided_at: datetime
    kind: str
    plan_number: int
    inputs: str
    result: str


class Deal(NamedTuple):
    """What a person wants to know of a registration. ``amount_base`` in the programme's currency."""

    account_id: str
    account_name: str
    amount_base: str


class PlanUnknown(Exception):
    """No plan of this number was published."""


class Plans:
    """The published plans, each compiled when it is first asked for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[int, Plan] = OrderedDict()

    async def get(self, number: int) -> Plan:
        """A plan by its number. Raises ``PlanUnknown``."""
        found = self._kept.get(number)
        if found is None:
            table = tables.plan
            row = await self._database.read(
                lambda conn: conn.execute(
                    select(table.c.in_force_from, table.c.document).where(table.c.number == number)
                ).first()
            )
            if row is None:
                raise PlanUnknown(f"No plan {number} was published")
            document = PlanDocument.model_validate_json(row.document)
            found = compile_plan(document, number, row.in_force_from, registrable_domain)
            self._kept[number] = found
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(number)
        return found


async def decisions(
    database: Database, since: datetime | None, until: datetime | None
) -> AsyncIterator[Sequence[Stored]]:
    """The decisions made in [since, until) and known now, in the order in which they were written."""
    table = tables.decision
    first, last = await database.read(
        lambda conn: conn.execute(select(func.min(table.c.id), func.max(table.c.id))).one()
    )
    query = select(
        table.c.id,
        table.c.account_id,
        table.c.registration_id,
        table.c.decided_at,
        table.c.kind,
        table.c.plan_number,
        type_coerce(table.c.inputs, Text).label("inputs"),
        type_coerce(table.c.result, Text).label("result"),
    ).order_by(table.c.id)
    if since is not None:
        query = query.where(table.c.decided_at >= since)
    if until is not None:
        query = query.where(table.c.decided_at < until)
    if first is None:
        return
    for start in range(first, last + 1, SLICE):
        piece = query.where(table.c.id.between(start, min(start + SLICE - 1, last)))
        rows = await database.read(partial(_all, query=piece))
        yield [Stored(*row) for row in rows]


def _all(conn: Connection, query: Select[Any]) -> Sequence[Row[Any]]:
    return conn.execute(query).all()


def same_again(stored: Stored, plan: Plan) -> tuple[str, ...]:
    """Nothing if the decision comes out byte for byte the same under ``plan``; else what differs."""
    try:
        again: Any = replay(json.loads(stored.inputs), plan)
    except NotReplayable as error:
        return (f"/: {error}",)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Whatever was done to a stored row, it is named and the next one is looked at.
        return (f"/: its inputs cannot be read ({error!r})",)
    if canonical_json(again) == stored.result:
        return ()
    try:
        found = list(differences(json.loads(stored.result), json.loads(canonical_json(again))))
    except ValueError:
        return ("/: the stored result is no JSON",)
    if not found:
        return ("/: the same values, written otherwise",)
    more = (f"and {len(found) - NAMED} more",) if len(found) > NAMED else ()
    return (*found[:NAMED], *more)


def under_another(
    stored: Stored, plan: Plan, standing: Standing
) -> tuple[Mapping[str, Any], Compared]:
    """The decision's inputs, and what becomes of its verdicts under ``plan``.

    ``standing`` is that of history: another plan asks for partners whom the stored inputs do not name.
    """
    inputs = json.loads(stored.inputs)
    promotes = plan.policy.standby == "promote"
    again: Mapping[str, Any] | None = None
    if promotes or "standby" not in inputs:
        try:
            again = replay(inputs, plan, standing)
        except NotReplayable:
            again = None
    return inputs, compare(inputs, json.loads(stored.result), again, promotes=promotes)


async def standing_of_history(database: Database) -> Standing:
    """Which partner was suspended when."""
    return await database.read(read_standing)


async def people_on_record(database: Database) -> KnownPeople:
    """Whose name and address a plan may leave out."""
    return await database.read(known_people)


async def deals(database: Database, registration_ids: Iterable[str]) -> dict[str, Deal]:
    """By registration: its account, and its amount as it is now."""
    wanted = sorted(set(registration_ids))

    def work(conn: Connection) -> dict[str, Deal]:
        registration, account = tables.registration, tables.account
        rows = conn.execute(
            select(registration.c.id, account.c.id, account.c.name, registration.c.amount_base)
            .join(account, account.c.id == registration.c.account_id)
            .where(registration.c.id.in_(wanted))
        )
        return {row[0]: Deal(row[1], row[2], row[3]) for row in rows}

    return await database.read(work) if wanted else {}
