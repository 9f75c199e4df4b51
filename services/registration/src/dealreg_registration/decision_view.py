"""What a link from a mail shows before its person confirms: read at this instant, changing nothing.

The case is shown only after the link's signature and the person's authority held. Without authority the
page says so, and nothing of the case. Who decided is told by role, not by name.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast, get_args

from sqlalchemy import Connection, Row, select

from dealreg_registration.account_rows import claim_from
from dealreg_registration.case_rows import case_from
from dealreg_registration.case_store import delegators
from dealreg_registration.commands import Actor
from dealreg_registration.domain.account import Claim
from dealreg_registration.domain.authority import (
    Acting,
    acting_level,
    deciding_level,
    reviewing_level,
)
from dealreg_registration.domain.case import Case, RulingKind
from dealreg_registration.domain.errors import DomainError
from dealreg_registration.link_keys import usable
from dealreg_registration.programme import Programme
from dealreg_registration.tables_accounts import account, claim, conflict, conflict_claim, ruling
from dealreg_registration.tables_programme import person
from dealreg_shared.db import app_now
from dealreg_shared.ladder import level_at
from dealreg_shared.links import Link, LinkRefused, verify

INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Told:
    """There is nothing to confirm; ``why`` selects the words, ``facts`` fill them."""

    why: str
    status: int
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ClaimShown:
    partner: str
    product_line: str
    place: int
    state: str
    protected_until: datetime | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the person is about to do, on which case, as it stands now."""

    link: Link
    actor: Actor
    case: Case
    account_name: str
    market: tuple[str | None, str | None]
    level: int
    due_at: datetime | None
    claims: tuple[ClaimShown, ...]


RANKS = ("ceo", "vp", "partner_manager", "reviewer")

LEVEL_FOR: dict[str, Callable[[Case, Acting, datetime], int]] = {
    "take": acting_level,
    "review": reviewing_level,
    "decide": deciding_level,
}
"""Action of a link -> the rule that says on which level its person may do it. Raises if on none."""


def opened(conn: Connection, token: str) -> Link | Told:
    """The link of a token; or what is told instead."""
    now = app_now(conn)
    try:
        return verify(token, usable(conn, now), now)
    except LinkRefused as refused:
        if refused.reason == "expired" and refused.link is not None:
            return Told("expired", 410, {"expires_at": refused.link.expires_at})
        return Told(INVALID, 404, {})


def look(conn: Connection, programme: Programme, token: str) -> Confirmation | Told:
    """What is shown for a token. Call after a sweep, so that stored states are the present ones."""
    link = opened(conn, token)
    if isinstance(link, Told):
        return link
    row = conn.execute(select(conflict).where(conflict.c.id == link.conflict_id)).first()
    known = link.action in LEVEL_FOR and link.ruling in (None, *get_args(RulingKind))
    if row is None or not known or (link.action == "decide" and link.ruling is None):
        return Told(INVALID, 404, {})
    claims = _claims(conn, link.conflict_id)
    case = case_from(row, [item.id for item in claims])
    now = app_now(conn)
    stands_for = delegators(conn, [link.person_id], now).get(link.person_id, frozenset())
    actor = actor_of(conn, link.person_id, case, stands_for)
    if actor is None:
        return Told("no_authority", 403, {"reason": "You have no authority on this case."})
    if not case.pending:
        return settled(conn, case)
    acting = Acting(actor.role, actor.person_id, stands_for)
    try:
        LEVEL_FOR[link.action](case, acting, now)
    except DomainError as error:
        return Told("no_authority", 403, {"reason": str(error)})
    return _confirmation(conn, programme, link, actor, case, row, claims, now)


def ruling_kind(link: Link) -> RulingKind:
    """The ruling that a link carries; a link without one takes or passes up."""
    if link.ruling not in get_args(RulingKind):
        raise ValueError(f"{link.ruling} is no ruling")
    return cast(RulingKind, link.ruling)


def settled(conn: Connection, case: Case) -> Told:
    """The case is over: who ruled, by role, and what."""
    facts: dict[str, Any] = {"state": case.state, "closed_at": case.closed_at}
    row = conn.execute(select(ruling).where(ruling.c.conflict_id == case.id)).first()
    if row is not None:
        deadline = next((d for d in case.deadlines if d.level == row.level), None)
        facts |= {"ruling": row.kind, "role": None if deadline is None else deadline.role}
    return Told("settled", 409, facts)


def actor_of(
    conn: Connection, person_id: str, case: Case, stands_for: Collection[str]
) -> Actor | None:
    """The person as somebody who commands: with the highest of its roles on the ladder, as it is now.
    Who stands in may have none, and acts with that of the level.

    None for a person who is unknown, erased, or has no role in the programme any more.
    """
    row = conn.execute(
        select(person.c.roles).where(person.c.id == person_id, person.c.erased_at.is_(None))
    ).first()
    if row is None or not row.roles:
        return None
    mine = {person_id, *stands_for}
    held = [*row.roles, *(d.role for d in case.deadlines if d.person_id in mine)]
    role = next((name for name in RANKS if name in held), None)
    if role is None:
        return None
    return Actor(f"person:{person_id}", "staff", role=role, person_id=person_id)


def _confirmation(
    conn: Connection,
    programme: Programme,
    link: Link,
    actor: Actor,
    case: Case,
    row: Row[Any],
    claims: list[Claim],
    now: datetime,
) -> Confirmation:
    book, _ = programme.current(conn)
    plan = book.at(now)
    names = {} if plan is None else {id_: one.name for id_, one in plan.partners.items()}
    level = level_at(case.course, now)
    return Confirmation(
        link=link,
        actor=actor,
        case=case,
        account_name=conn.execute(
            select(account.c.name).where(account.c.id == row.account_id)
        ).scalar_one(),
        market=(case.market_region, case.market_segment)
        if plan is None
        else plan.market_names(case.market_region, case.market_segment),
        level=level,
        due_at=next(d.due_at for d in case.deadlines if d.level == level),
        claims=tuple(
            ClaimShown(
                partner=names.get(item.partner_id, item.partner_id),
                product_line=item.product_line
                if plan is None
                else plan.line_name(item.product_line),
                place=item.place,
                state=item.state,
                protected_until=item.protected_until,
                chosen=item.id in link.claims,
            )
            for item in claims
        ),
    )


def _claims(conn: Connection, conflict_id: str) -> list[Claim]:
    """The case's claims in true order."""
    rows = conn.execute(
        select(claim)
        .join(conflict_claim, conflict_claim.c.claim_id == claim.c.id)
        .where(conflict_claim.c.conflict_id == conflict_id)
        .order_by(claim.c.place)
    )
    return [claim_from(row) for row in rows]
