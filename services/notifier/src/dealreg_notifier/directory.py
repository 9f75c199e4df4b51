"""Who and what things are called: people, partners, product lines, accounts as each partner spells them.

Projections of other services' events, read when a notice is written. Functions of a connection, inside
the caller's transaction. The only place that reads or writes a person's name or address.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, func, or_, select, update

from dealreg_notifier import tables
from dealreg_notifier.channels.port import Contact
from dealreg_notifier.domain.plan_changes import Sections
from dealreg_shared.contracts.people import Delegation
from dealreg_shared.db.among import among_given, listed, rows_among
from dealreg_shared.db.upsert import upsert
from dealreg_shared.inbox import NotYet

MARKET_SECTIONS = ("regions", "segments")
NAMED_SECTIONS = ("product_lines", "partners", *MARKET_SECTIONS)


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
    partners = {r.removeprefix(prefix) for r in recipients if r.startswith(prefix)}
    staff = {r for r in recipients if not r.startswith(prefix)}
    given = {"partners": listed(partners), "staff": listed(staff)}
    rows = conn.execute(_behind(conn.dialect.name), given).mappings()
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


@cache
def _behind(dialect: str) -> Select[Any]:
    person = tables.person
    return select(person).where(
        or_(
            among_given(dialect, person.c.partner_id, "partners"),
            among_given(dialect, person.c.person_id, "staff"),
        )
    )


def erased(conn: Connection, person_ids: Iterable[str | None]) -> set[str]:
    """Which of these people can never be told anything again."""
    wanted = {person_id for person_id in person_ids if person_id is not None}
    if not wanted:
        return set()
    person = tables.person.c
    rows = rows_among(conn, person.person_id, wanted, person.person_id, person.erased)
    return {row.person_id for row in rows if row.erased}


def known(conn: Connection, person_id: str) -> bool:
    """Whether there is such a person, not erased."""
    table = tables.person
    query = select(table.c.person_id).where(table.c.person_id == person_id, ~table.c.erased)
    return conn.execute(query).first() is not None


def partner_of(conn: Connection, person_id: str) -> str | None:
    """The partner that a person works for."""
    table = tables.person
    found = conn.execute(select(table.c.partner_id).where(table.c.person_id == person_id))
    partner_id: str | None = found.scalar_one_or_none()
    return partner_id


def put_person(conn: Connection, values: Mapping[str, Any]) -> None:
    """Insert or overwrite a person: the latest value wins."""
    table = tables.person
    mine = table.c.person_id == values["person_id"]
    if not conn.execute(update(table).where(mine).values(values)).rowcount:
        conn.execute(table.insert().values(values))


def put_delegations(conn: Connection, person_id: str, delegations: Iterable[Delegation]) -> None:
    """Who stands in for a person: what was known before is replaced."""
    table = tables.delegation
    conn.execute(table.delete().where(table.c.person_id == person_id))
    rows = [
        {
            "person_id": person_id,
            "delegate_id": entry.delegate_id,
            "begins": entry.start,
            "ends": entry.end,
        }
        for entry in delegations
    ]
    if rows:
        conn.execute(table.insert(), rows)


def delegates(
    conn: Connection, person_ids: Collection[str], now: datetime
) -> dict[str, dict[str, datetime]]:
    """Person id -> who stands in for this person now, and until when. No chains."""
    found: dict[str, dict[str, datetime]] = {}
    for row in conn.execute(_away(conn.dialect.name), {"people": listed(person_ids), "now": now}):
        found.setdefault(row.person_id, {})[row.delegate_id] = row.ends
    return found


@cache
def _away(dialect: str) -> Select[Any]:
    table = tables.delegation
    return (
        select(table)
        .where(
            among_given(dialect, table.c.person_id, "people"),
            table.c.begins <= bindparam("now"),
            table.c.ends > bindparam("now"),
        )
        .order_by(table.c.person_id, table.c.delegate_id, table.c.ends)
    )


@dataclass(frozen=True, slots=True)
class ProgrammeShown:
    name: str
    zone: str


_PROGRAMME = (
    select(tables.plan.c.programme_name, tables.plan.c.time_zone)
    .order_by(tables.plan.c.number.desc())
    .limit(1)
)


def programme(conn: Connection) -> ProgrammeShown:
    """Name and time zone of the newest plan; before the first plan, UTC."""
    row = conn.execute(_PROGRAMME).first()
    return ProgrammeShown("Partner programme", "UTC") if row is None else ProgrammeShown(*row)


@dataclass(frozen=True, slots=True)
class Names:
    """What a plan calls its product lines and partners, regions and segments."""

    lines: Mapping[str, str]
    partners: Mapping[str, str]
    regions: Mapping[str, str]
    segments: Mapping[str, str]

    def line(self, line_id: str) -> str:
        return self.lines.get(line_id, line_id)

    def partner(self, partner_id: str) -> str:
        return self.partners.get(partner_id, partner_id)

    def market(self, region: str | None, segment: str | None) -> dict[str, str | None]:
        """A market's facts: ids for machines, names for people; None where it is not known."""
        return {
            "region": region,
            "segment": segment,
            "region_name": region and self.regions.get(region, region),
            "segment_name": segment and self.segments.get(segment, segment),
        }


_ARRIVED = select(tables.plan.c.number).where(tables.plan.c.number == bindparam("plan"))


def names(
    conn: Connection,
    plan_number: int,
    *,
    lines: Iterable[str] = (),
    partners: Iterable[str] = (),
) -> Names:
    """Names for these ids, and for all regions and segments. Raises ``NotYet`` while the plan's manifest
    has not arrived."""
    if conn.execute(_ARRIVED, {"plan": plan_number}).first() is None:
        raise NotYet(f"plan {plan_number} has not arrived")
    given = {"plan": plan_number, "lines": listed(lines), "partners": listed(partners)}
    rows = conn.execute(_named(conn.dialect.name), given).all()
    return Names(
        *(
            {row.item_id: row.name for row in rows if row.section == section}
            for section in NAMED_SECTIONS
        )
    )


@cache
def _named(dialect: str) -> Select[Any]:
    table = tables.plan_name
    return select(table.c.section, table.c.item_id, table.c.name).where(
        table.c.plan_number == bindparam("plan"),
        or_(
            and_(
                table.c.section == "product_lines",
                among_given(dialect, table.c.item_id, "lines"),
            ),
            and_(
                table.c.section == "partners",
                among_given(dialect, table.c.item_id, "partners"),
            ),
            table.c.section.in_(MARKET_SECTIONS),
        ),
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
        select(table.c.section, table.c["items"])
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
    row = upsert(conn.dialect.name, table).values(
        registration_id=registration_id, partner_id=partner_id, account_name=account_name
    )
    conn.execute(
        row.on_conflict_do_update(
            index_elements=[table.c.registration_id], set_={"account_name": account_name}
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
