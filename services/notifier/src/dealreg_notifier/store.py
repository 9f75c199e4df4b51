"""Reads and writes of what notifier knows: people, plans, filings, cases and timers.

Functions of a connection, inside the caller's transaction. Where rows are locked, the order is: timers,
then cases, each by id; another order could meet a tick half way.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, bindparam, func, or_, select, update

from dealreg_notifier import tables
from dealreg_notifier.channels.port import Contact
from dealreg_notifier.domain.ladder import Rung
from dealreg_notifier.domain.plan_changes import Sections
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.ids import new_id
from dealreg_shared.inbox import NotYet

DEADLINE = "deadline"
NAMED_SECTIONS = ("product_lines", "partners")


@dataclass(frozen=True, slots=True)
class Reachable:
    """A person to be told. ``unseen``: the people topic has not named this person yet."""

    contact: Contact
    unseen: bool = False

    @property
    def person_id(self) -> str:
        return self.contact.person_id


def contacts(
    conn: Connection, recipients: Collection[str], prefix: str
) -> dict[str, list[Reachable]]:
    """Who stands behind each recipient: the contacts of a partner (``prefix`` + id), or a person.

    Erased people are nobody.
    """
    table = tables.person
    partners = {r.removeprefix(prefix) for r in recipients if r.startswith(prefix)}
    staff = {r for r in recipients if not r.startswith(prefix)}
    rows = conn.execute(
        select(table).where(or_(table.c.partner_id.in_(partners), table.c.person_id.in_(staff)))
    ).mappings()
    found: dict[str, list[Reachable]] = {}
    seen: set[str] = set()
    for row in sorted(rows, key=lambda row: str(row["person_id"])):
        seen.add(row["person_id"])
        if row["erased"]:
            continue
        reachable = Reachable(Contact(row["person_id"], row["name"], row["email"]))
        if row["partner_id"] in partners and "partner_contact" in row["roles"]:
            found.setdefault(f"{prefix}{row['partner_id']}", []).append(reachable)
        if row["person_id"] in staff:
            found.setdefault(row["person_id"], []).append(reachable)
    for person_id in staff - seen:
        found[person_id] = [Reachable(Contact(person_id, None, None), unseen=True)]
    return found


def erased(conn: Connection, person_ids: Iterable[str | None]) -> set[str]:
    """Which of these people can never be told anything again."""
    wanted = {person_id for person_id in person_ids if person_id is not None}
    if not wanted:
        return set()
    table = tables.person
    query = select(table.c.person_id).where(table.c.person_id.in_(wanted), table.c.erased)
    return set(conn.execute(query).scalars())


def put_person(conn: Connection, values: Mapping[str, Any]) -> None:
    """Insert or overwrite a person: the latest value wins."""
    table = tables.person
    mine = table.c.person_id == values["person_id"]
    if not conn.execute(update(table).where(mine).values(values)).rowcount:
        conn.execute(table.insert().values(values))


@dataclass(frozen=True, slots=True)
class ProgrammeShown:
    name: str
    zone: str


def programme(conn: Connection) -> ProgrammeShown:
    """Name and time zone of the newest plan; before the first plan, UTC."""
    table = tables.plan
    row = conn.execute(
        select(table.c.programme_name, table.c.time_zone).order_by(table.c.number.desc()).limit(1)
    ).first()
    return ProgrammeShown("Partner programme", "UTC") if row is None else ProgrammeShown(*row)


@dataclass(frozen=True, slots=True)
class Names:
    """What a plan calls its product lines and partners."""

    lines: Mapping[str, str]
    partners: Mapping[str, str]

    def line(self, line_id: str) -> str:
        return self.lines.get(line_id, line_id)

    def partner(self, partner_id: str) -> str:
        return self.partners.get(partner_id, partner_id)


def names(
    conn: Connection,
    plan_number: int,
    *,
    lines: Iterable[str] = (),
    partners: Iterable[str] = (),
) -> Names:
    """Names for these ids. Raises ``NotYet`` while the plan's manifest has not arrived."""
    arrived = select(tables.plan.c.number).where(tables.plan.c.number == plan_number)
    if conn.execute(arrived).first() is None:
        raise NotYet(f"plan {plan_number} has not arrived")
    table = tables.plan_name
    rows = conn.execute(
        select(table.c.section, table.c.item_id, table.c.name).where(
            table.c.plan_number == plan_number,
            or_(
                and_(table.c.section == "product_lines", table.c.item_id.in_(set(lines))),
                and_(table.c.section == "partners", table.c.item_id.in_(set(partners))),
            ),
        )
    ).all()
    return Names(
        {row.item_id: row.name for row in rows if row.section == "product_lines"},
        {row.item_id: row.name for row in rows if row.section == "partners"},
    )


def put_part(conn: Connection, number: int, part: int, section: str, items: Any) -> None:
    """Keep a part of a plan, and the names it gives."""
    conn.execute(
        tables.plan_part.insert().values(
            plan_number=number, part=part, section=section, items=items
        )
    )
    rows = [
        {"plan_number": number, "section": section, "item_id": item["id"], "name": item["name"]}
        for item in items
        if section in NAMED_SECTIONS
    ]
    if rows:
        conn.execute(tables.plan_name.insert(), rows)


def sections(conn: Connection, number: int) -> dict[str, list[Mapping[str, Any]]]:
    """All sections of a plan, from its parts."""
    table = tables.plan_part
    rows = conn.execute(
        select(table.c.section, table.c.items)
        .where(table.c.plan_number == number)
        .order_by(table.c.part)
    )
    found: dict[str, list[Mapping[str, Any]]] = {}
    for section, items in rows:
        found.setdefault(section, []).extend(items)
    return found


def former_plan(conn: Connection, number: int) -> int | None:
    """The number of the plan before this one."""
    table = tables.plan
    found = conn.execute(select(func.max(table.c.number)).where(table.c.number < number))
    former: int | None = found.scalar_one()
    return former


def put_plan(
    conn: Connection, number: int, in_force_from: datetime, published_at: datetime, parts: Sections
) -> None:
    """A plan is complete. Parts of plans older than the one before it are no longer needed."""
    item = next(iter(parts.get("programme", ())), {})
    former = former_plan(conn, number)
    conn.execute(
        tables.plan.insert().values(
            number=number,
            in_force_from=in_force_from,
            published_at=published_at,
            programme_name=item.get("name", "Partner programme"),
            time_zone=item.get("time_zone", "UTC"),
        )
    )
    if former is not None:
        old = tables.plan_part
        conn.execute(old.delete().where(old.c.plan_number < former))


def put_filing(conn: Connection, registration_id: str, partner_id: str, account_name: str) -> None:
    """Remember how the partner spelled the account."""
    table = tables.filing
    changed = conn.execute(
        update(table)
        .where(table.c.registration_id == registration_id)
        .values(account_name=account_name)
    ).rowcount
    if not changed:
        conn.execute(
            table.insert().values(
                registration_id=registration_id, partner_id=partner_id, account_name=account_name
            )
        )


def spellings(conn: Connection, registration_ids: Iterable[str]) -> dict[str, str]:
    """Registration id -> the account's name as its own partner filed it."""
    table = tables.filing
    rows = conn.execute(
        select(table.c.registration_id, table.c.account_name).where(
            table.c.registration_id.in_(set(registration_ids))
        )
    )
    return {row.registration_id: row.account_name for row in rows}


@dataclass(frozen=True, slots=True)
class Case:
    """A conflict as notifier keeps it. ``level`` is the level that was told last."""

    conflict_id: str
    kind: str
    account_name: str
    region: str | None
    segment: str | None
    plan_number: int
    generation: int
    opened_at: datetime
    rungs: tuple[Rung, ...]
    level: int | None
    correlation_id: str
    closed_at: datetime | None
    closed_state: str | None


def put_case(conn: Connection, case: Case, account_id: str) -> None:
    """A new case."""
    conn.execute(
        tables.conflict_case.insert().values(
            conflict_id=case.conflict_id,
            kind=case.kind,
            account_id=account_id,
            account_name=case.account_name,
            region=case.region,
            segment=case.segment,
            plan_number=case.plan_number,
            generation=case.generation,
            opened_at=case.opened_at,
            rungs=[_rung_row(rung) for rung in case.rungs],
            level=case.level,
            correlation_id=case.correlation_id,
        )
    )


def case_plan(conn: Connection, conflict_id: str) -> int:
    """The number of the plan that a case was opened under."""
    table = tables.conflict_case
    found = conn.execute(select(table.c.plan_number).where(table.c.conflict_id == conflict_id))
    number: int = found.scalar_one()
    return number


def lock_cases(conn: Connection, conflict_ids: Collection[str]) -> list[Case]:
    """These cases, locked in the order of their ids until the transaction ends."""
    table = tables.conflict_case
    rows = conn.execute(
        select(table)
        .where(table.c.conflict_id.in_(sorted(conflict_ids)))
        .order_by(table.c.conflict_id)
        .with_for_update()
    ).mappings()
    return [case_of(row) for row in rows]


def set_levels(conn: Connection, levels: Mapping[str, int]) -> None:
    """Write which level was told, per case."""
    if levels:
        conn.execute(
            update(tables.conflict_case)
            .where(tables.conflict_case.c.conflict_id == bindparam("b_id"))
            .values(level=bindparam("b_level")),
            [{"b_id": id_, "b_level": level} for id_, level in levels.items()],
        )


def close_case(
    conn: Connection, conflict_id: str, level: int | None, closed_at: datetime, state: str
) -> None:
    conn.execute(
        update(tables.conflict_case)
        .where(tables.conflict_case.c.conflict_id == conflict_id)
        .values(level=level, closed_at=closed_at, closed_state=state)
    )


def told_of_ladder(conn: Connection, conflict_id: str, kind: str) -> list[str]:
    """Everybody who was sent a notice of this kind about the case."""
    table = tables.notification
    query = (
        select(table.c.recipient)
        .where(table.c.subject == conflict_id, table.c.kind == kind)
        .distinct()
        .order_by(table.c.recipient)
    )
    return list(conn.execute(query).scalars())


def put_case_claims(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        conn.execute(tables.case_claim.insert(), [dict(row) for row in rows])


def move_claims(conn: Connection, states: Mapping[str, str]) -> None:
    """Claims that stand in a case changed their state; others are no affair of it."""
    if states:
        conn.execute(
            update(tables.case_claim)
            .where(tables.case_claim.c.claim_id == bindparam("b_id"))
            .values(state=bindparam("b_state")),
            [{"b_id": id_, "b_state": states[id_]} for id_ in sorted(states)],
        )


def case_claims(conn: Connection, conflict_ids: Collection[str]) -> dict[str, list[RowMapping]]:
    """The claims of each case in true order."""
    table = tables.case_claim
    rows = conn.execute(
        select(table)
        .where(table.c.conflict_id.in_(set(conflict_ids)))
        .order_by(table.c.conflict_id, table.c.place, table.c.claim_id)
    ).mappings()
    found: dict[str, list[RowMapping]] = {}
    for row in rows:
        found.setdefault(row["conflict_id"], []).append(row)
    return found


def put_deadlines(
    conn: Connection, conflict_id: str, generation: int, rungs: Sequence[Rung], now: datetime
) -> None:
    """A timer per deadline. One that is over already counts as fired: the opening told of it."""
    rows = [
        {
            "timer_id": new_id("tmr"),
            "subject": conflict_id,
            "kind": DEADLINE,
            "step": rung.level,
            "generation": generation,
            "due_at": rung.due_at,
            "state": "pending" if rung.due_at > now else "fired",
            "ended_at": None if rung.due_at > now else now,
        }
        for rung in rungs[:-1]
        if rung.due_at is not None
    ]
    if rows:
        conn.execute(tables.timer.insert(), rows)


def claim_due_timers(conn: Connection, now: datetime, limit: int) -> list[RowMapping]:
    """Due timers that no other process holds, the most overdue first; locked."""
    table = tables.timer
    return list(
        conn.execute(
            select(table)
            .where(table.c.state == "pending", table.c.due_at <= now)
            .order_by(table.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).mappings()
    )


def end_timers(conn: Connection, timer_ids: Collection[str], now: datetime) -> None:
    """These timers have fired."""
    conn.execute(
        update(tables.timer)
        .where(tables.timer.c.timer_id.in_(timer_ids))
        .values(state="fired", ended_at=now)
    )


def void_timers(conn: Connection, subject: str, over: datetime, reason: str, now: datetime) -> None:
    """The subject is settled as of ``over``: what was due by then counts as fired, the rest is void."""
    table = tables.timer
    mine = (table.c.subject == subject, table.c.state == "pending")
    conn.execute(
        update(table)
        .where(*mine, table.c.due_at > over)
        .values(state="cancelled", reason=reason, ended_at=now)
    )
    conn.execute(update(table).where(*mine).values(state="fired", ended_at=now))


def oldest_due(conn: Connection, now: datetime) -> datetime | None:
    """The due time of the most overdue timer."""
    table = tables.timer
    found = conn.execute(
        select(func.min(table.c.due_at)).where(table.c.state == "pending", table.c.due_at <= now)
    )
    oldest: datetime | None = found.scalar_one()
    return oldest


def case_of(row: Mapping[str, Any]) -> Case:
    """A row of ``conflict_case`` as a case."""
    return Case(
        conflict_id=row["conflict_id"],
        kind=row["kind"],
        account_name=row["account_name"],
        region=row["region"],
        segment=row["segment"],
        plan_number=row["plan_number"],
        generation=row["generation"],
        opened_at=row["opened_at"],
        rungs=tuple(_rung(item) for item in row["rungs"]),
        level=row["level"],
        correlation_id=row["correlation_id"],
        closed_at=row["closed_at"],
        closed_state=row["closed_state"],
    )


def _rung_row(rung: Rung) -> dict[str, Any]:
    due_at = None if rung.due_at is None else format_instant(rung.due_at)
    return {
        "level": rung.level,
        "role": rung.role,
        "person_id": rung.person_id,
        "due_at": due_at,
    }


def _rung(item: Mapping[str, Any]) -> Rung:
    due_at = None if item["due_at"] is None else datetime.fromisoformat(item["due_at"])
    return Rung(item["level"], item["role"], item["person_id"], due_at)
