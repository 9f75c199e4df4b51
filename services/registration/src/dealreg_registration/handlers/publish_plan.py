"""Publish a plan: the next number, immutable, in force from an instant not before now.

In one transaction: the plan, its people, an audit row, and the events that carry what others need. The
document was validated before; here stands only what another transaction may have changed since.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from dealreg_registration.domain.programme_errors import InForceTooEarly, PersonErased
from dealreg_registration.handlers.delegate import current_delegations
from dealreg_registration.plan_content import canonical_text, content_hash, content_of, parts_of
from dealreg_registration.programme_store import advance, lock_programme, write_audit
from dealreg_registration.tables_programme import person, plan
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.people import PersonUpdated
from dealreg_shared.contracts.plan import PlanPart, PlanPublished
from dealreg_shared.contracts.plan_document import Person, PlanDocument
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import app_now
from dealreg_shared.outbox import Outbox, Outgoing


@dataclass(frozen=True, slots=True)
class Prepared:
    """A validated document in its stored form: made before the transaction, because it takes a while."""

    document: PlanDocument
    content: dict[str, Any]
    text: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication made."""

    number: int
    in_force_from: datetime
    published_at: datetime
    published_by: str
    content_hash: str


def prepare(document: PlanDocument) -> Prepared:
    """Everything about a publication that needs no database."""
    content = content_of(document)
    text = canonical_text(content)
    return Prepared(document, content, text, content_hash(text))


def publish_plan(
    conn: Connection,
    prepared: Prepared,
    in_force_from: datetime | None,
    *,
    outbox: Outbox,
    programme: str,
    actor: str,
    correlation_id: str,
) -> Published:
    """Publish. Without ``in_force_from`` the plan is in force at once.

    Raises ``InForceTooEarly`` for an instant that has passed, ``PersonErased``.
    """
    state = lock_programme(conn)
    now = app_now(conn)
    if in_force_from is not None and in_force_from < now:
        raise InForceTooEarly(
            f"A plan is in force from an instant not before its publication; it is "
            f"{format_instant(now)} now."
        )
    published = Published(
        state.last_plan_number + 1, in_force_from or now, now, actor, prepared.content_hash
    )
    events = [
        Outgoing(
            "dealreg.plan.part.v1",
            programme,
            f"plan:{published.number}",
            PlanPart(plan_number=published.number, part=part, section=section, items=tuple(items)),
            correlation_id,
        )
        for part, (section, items) in enumerate(parts_of(prepared.content), start=1)
    ]
    manifest = PlanPublished(
        plan_number=published.number,
        in_force_from=published.in_force_from,
        published_at=now,
        parts=len(events),
        content_hash=published.content_hash,
    )
    conn.execute(
        insert(plan).values(
            number=published.number,
            in_force_from=published.in_force_from,
            published_at=now,
            published_by=actor,
            content_hash=published.content_hash,
            parts=len(events),
            document=prepared.text,
        )
    )
    crashpoint("plan.stored")
    people = _update_people(conn, prepared.document.people, now, correlation_id)
    events.append(
        Outgoing(
            "dealreg.plan.published.v1",
            programme,
            f"plan:{published.number}",
            manifest,
            correlation_id,
        )
    )
    outbox.append(conn, [*people, *events], now)
    write_audit(
        conn,
        now,
        actor,
        "plan.published",
        f"plan:{published.number}",
        {
            "in_force_from": format_instant(published.in_force_from),
            "content_hash": published.content_hash,
            "parts": manifest.parts,
        },
    )
    advance(conn, state, last_plan_number=published.number)
    crashpoint("plan.published")
    return published


def _update_people(
    conn: Connection, people: Sequence[Person], now: datetime, correlation_id: str
) -> list[Outgoing]:
    """Keep who plays which part; events for those of whom something changed.

    Who is no longer in the plan keeps name and address, without any role, until erased.
    """
    stored = {row.id: row for row in conn.execute(select(person).with_for_update())}
    listed = {entry.id: entry for entry in people}
    new: list[dict[str, Any]] = []
    events: list[Outgoing] = []
    delegations = current_delegations(conn, sorted(stored), now)
    for id_ in sorted(listed.keys() | stored.keys()):
        entry, row = listed.get(id_), stored.get(id_)
        if row is not None and row.erased_at is not None:
            if entry is not None:
                raise PersonErased(f"The person `{id_}` was erased; use another id.")
            continue
        values = _values(entry, row)
        if row is None:
            new.append({"id": id_, "updated_at": now, **values})
        elif any(getattr(row, name) != value for name, value in values.items()):
            conn.execute(update(person).where(person.c.id == id_).values(**values, updated_at=now))
        else:
            continue
        data = PersonUpdated(
            person_id=id_,
            name=values["name"] or id_,
            email=values["email"],
            roles=tuple(values["roles"]),
            markets=tuple(values["manages"]),
            partner_id=values["partner_id"],
            delegations=delegations.get(id_, ()),
        )
        events.append(Outgoing("dealreg.person.updated.v1", id_, id_, data, correlation_id))
    if new:
        conn.execute(insert(person), new)
    return events


def _values(entry: Person | None, row: Row[Any] | None) -> dict[str, Any]:
    """A person's columns: the plan's word, else what is on record."""
    values: dict[str, Any] = {"name": None, "email": None, "partner_id": None}
    if row is not None:
        values = {"name": row.name, "email": row.email, "partner_id": row.partner_id}
    if entry is None:
        return {**values, "roles": [], "manages": []}
    return {
        "name": entry.name or values["name"],
        "email": entry.email or values["email"],
        "partner_id": entry.partner,
        "roles": sorted(entry.roles),
        "manages": sorted(entry.manages),
    }
