"""One person stands in for another, for a period; ended early or left to run out.

Delegation is per person and has no chains: who stands in cannot hand on. Whether it holds is looked at
when somebody acts. The person's event names present and coming delegates, so that they are told too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from dealreg_registration.domain.programme_errors import (
    BadDelegation,
    DelegationNotFound,
    PersonNotFound,
)
from dealreg_registration.programme_store import lock_programme, write_audit
from dealreg_registration.tables_programme import delegation, person
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.contracts.people import Delegation, PersonUpdated
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import app_now
from dealreg_shared.ids import new_id
from dealreg_shared.outbox import Outbox, Outgoing


@dataclass(frozen=True, slots=True)
class Period:
    """[begins, ends); ``begins`` None: from now on."""

    begins: datetime | None
    ends: datetime


def delegate(
    conn: Connection,
    person_id: str,
    delegate_id: str,
    period: Period,
    *,
    outbox: Outbox,
    actor: str,
    correlation_id: str,
) -> Row[Any]:
    """Let ``delegate_id`` act for the person. Raises ``PersonNotFound``, ``BadDelegation``."""
    lock_programme(conn)
    now = app_now(conn)
    row = _person(conn, person_id)
    stand_in = conn.execute(select(person).where(person.c.id == delegate_id)).first()
    begins = period.begins or now
    if person_id == delegate_id:
        raise BadDelegation("Nobody stands in for themselves.")
    if stand_in is None or stand_in.erased_at is not None:
        raise BadDelegation("The delegate is no person of the programme.")
    if stand_in.partner_id is not None or row.partner_id is not None:
        raise BadDelegation("Partners' people decide nothing, and hand nothing on.")
    if period.ends <= max(begins, now):
        raise BadDelegation("The period must end after it begins, and after now.")
    id_ = new_id("dlg")
    conn.execute(
        insert(delegation).values(
            id=id_,
            person_id=person_id,
            delegate_id=delegate_id,
            begins=begins,
            ends=period.ends,
            made_at=now,
            made_by=actor,
        )
    )
    detail = {
        "delegate": delegate_id,
        "from": format_instant(begins),
        "until": format_instant(period.ends),
    }
    write_audit(conn, now, actor, "delegation.made", person_id, {"delegation": id_, **detail})
    _tell(conn, row, now, outbox, correlation_id)
    crashpoint("delegation.made")
    return conn.execute(select(delegation).where(delegation.c.id == id_)).one()


def end_delegation(
    conn: Connection,
    person_id: str,
    delegation_id: str,
    *,
    outbox: Outbox,
    actor: str,
    correlation_id: str,
) -> None:
    """End it now; one that is over stays as it was. Raises ``DelegationNotFound``."""
    lock_programme(conn)
    now = app_now(conn)
    found = conn.execute(
        select(delegation).where(
            delegation.c.id == delegation_id, delegation.c.person_id == person_id
        )
    ).first()
    if found is None:
        raise DelegationNotFound("No such delegation.")
    if found.ends <= now:
        return
    conn.execute(
        update(delegation)
        .where(delegation.c.id == delegation_id)
        .values(ends=max(now, found.begins), ended_at=now)
    )
    write_audit(conn, now, actor, "delegation.ended", person_id, {"delegation": delegation_id})
    _tell(conn, _person(conn, person_id), now, outbox, correlation_id)


def current_delegations(
    conn: Connection, persons: Sequence[str], now: datetime
) -> Mapping[str, tuple[Delegation, ...]]:
    """Person id -> its present and coming delegates, for the person's event."""
    rows = conn.execute(
        select(delegation)
        .where(
            delegation.c.person_id.in_(persons),
            delegation.c.ends > now,
            delegation.c.ends > delegation.c.begins,
        )
        .order_by(delegation.c.begins, delegation.c.id)
    )
    found: dict[str, tuple[Delegation, ...]] = {}
    for row in rows:
        entry = Delegation(delegate_id=row.delegate_id, start=row.begins, end=row.ends)
        found[row.person_id] = (*found.get(row.person_id, ()), entry)
    return found


def _person(conn: Connection, person_id: str) -> Row[Any]:
    row = conn.execute(select(person).where(person.c.id == person_id)).first()
    if row is None or row.erased_at is not None:
        raise PersonNotFound("No person has this id.")
    return row


def _tell(
    conn: Connection, row: Row[Any], now: datetime, outbox: Outbox, correlation_id: str
) -> None:
    data = PersonUpdated(
        person_id=row.id,
        name=row.name or row.id,
        email=row.email,
        roles=tuple(row.roles),
        markets=tuple(row.manages),
        partner_id=row.partner_id,
        delegations=current_delegations(conn, [row.id], now).get(row.id, ()),
    )
    event = Outgoing("dealreg.person.updated.v1", row.id, row.id, data, correlation_id)
    outbox.append(conn, [event], now)
