"""Reads the past of a product line: who was protected at an instant, by what was known at another.

Settles in memory first: what time has done counts, whether or not a sweep has written it down. Must not
write.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from dealreg_registration import store
from dealreg_registration.commands import SYSTEM
from dealreg_registration.domain.entries import Decided
from dealreg_registration.domain.history import Held, Step, who_was_protected
from dealreg_registration.domain.settle import settle
from dealreg_registration.journal import audit_rows, steps_of
from dealreg_registration.lineage import one_with, surviving
from dealreg_registration.programme import Programme
from dealreg_registration.tables_accounts import account, claim, decision
from dealreg_registration.tables_programme import audit
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.db.among import among


def who_was_protected_view(
    conn: Connection,
    programme: Programme,
    account_id: str,
    product: str,
    at: datetime,
    known_at: datetime,
    now: datetime,
) -> dict[str, Any] | None:
    """Who held ``product`` (a line, or a SKU of one) at ``at``; None if there is no such account.

    Accounts that were merged by ``known_at`` are one: the answer names all of them.
    """
    survivor_id = surviving(conn, account_id)
    if survivor_id is None:
        return None
    origins = one_with(conn, account_id, survivor_id, known_at)
    row = conn.execute(select(account).where(account.c.id == survivor_id)).one()
    book, standing = programme.current(conn)
    plan = book.at(at)
    line = plan.line_of.get(product, product) if plan is not None else product
    item = store.read_accounts(conn, [row])[survivor_id]
    settle(item.account, book, standing, now)
    unwritten = audit_rows(item.account.journal, SYSTEM, now)
    claims = {
        found.id: found
        for found in conn.execute(
            select(claim).where(claim.c.account_id == survivor_id, claim.c.product_line == line)
        )
        if (found.numbered_by or survivor_id) in origins
    }
    written = conn.execute(
        select(audit)
        .where(among(conn, audit.c.subject, {c.registration_id for c in claims.values()}))
        .order_by(audit.c.id)
    ).mappings()
    steps = [s for s in steps_of([*written, *unwritten]) if s.claim_id in claims]
    found = who_was_protected(steps, at, known_at)
    unwritten_decisions = [entry for entry in item.account.journal if isinstance(entry, Decided)]
    describe = _Describer(conn, claims, unwritten_decisions)
    return {
        "account_id": account_id,
        "accounts": sorted(origins),
        "product_line": line,
        "at": format_instant(at),
        "known_at": format_instant(known_at),
        "plan_number": None if plan is None else plan.number,
        "sentence": _sentence(line, at, known_at, [claims[h.step.claim_id] for h in found.holders]),
        "holders": [describe.held(held) for held in found.holders],
        "co_holders": [describe.held(held) for held in found.co_holders],
        "standby": [describe.held(held) for held in found.standby],
        "corrections": [describe.correction(step) for step in found.corrections],
    }


def _sentence(line: str, at: datetime, known_at: datetime, holders: Sequence[Row[Any]]) -> str:
    who = " and ".join(f"{row.partner_id} (place {row.place})" for row in holders) or "Nobody"
    held = "were" if len(holders) > 1 else "was"
    known = "as known then" if known_at == at else f"as known at {format_instant(known_at)}"
    return f"{who} {held} protected on {line} at {format_instant(at)}, {known}."


class _Describer:
    """Claims of the past as JSON values, each with the decision that put it where it was."""

    def __init__(
        self, conn: Connection, claims: dict[str, Row[Any]], unwritten: Sequence[Decided]
    ) -> None:
        self._conn = conn
        self._claims = claims
        self._unwritten = unwritten

    def held(self, held: Held) -> dict[str, Any]:
        row, since = self._claims[held.step.claim_id], held.since
        until = held.step.protected_until
        return {
            "claim_id": row.id,
            "registration_id": row.registration_id,
            "partner_id": row.partner_id,
            "place": row.place,
            "state": held.step.state,
            "since": format_instant(since.counts_from),
            "protected_until": None if until is None else format_instant(until),
            "plan_number": since.plan_number,
            "decision": self._decision(row, since),
        }

    def correction(self, step: Step) -> dict[str, Any]:
        return {
            "claim_id": step.claim_id,
            "partner_id": self._claims[step.claim_id].partner_id,
            "state": step.state,
            "counts_from": format_instant(step.counts_from),
            "known_from": format_instant(step.known_from),
            "case_id": step.case_id,
        }

    def _decision(self, row: Row[Any], since: Step) -> dict[str, Any]:
        """What gave the claim its standing: a decision of the rules, or a person's ruling."""
        described: dict[str, Any] = {
            "at": format_instant(since.known_from),
            "cause": since.cause,
            "sentences": list(since.reasons),
            "recorded_at": format_instant(since.recorded_at),
            "case_id": since.case_id if since.cause in ("ruling", "corrected") else None,
            "kind": None,
            "rule_book": None,
            "trace": [],
        }
        for kind, result in self._made(row.registration_id, since.known_from):
            lines = [it for it in result.get("lines", ()) if it["line"] == row.product_line]
            if lines or result.get("claim") == row.id:
                described |= {"kind": kind, "rule_book": result["rule_book"]}
                described["trace"] = lines[0]["trace"] if lines else []
        return described

    def _made(self, registration_id: str, at: datetime) -> list[tuple[str, Mapping[str, Any]]]:
        """The decisions of an instant on a registration: their kinds and results."""
        rows = self._conn.execute(
            select(decision.c.kind, decision.c.result)
            .where(decision.c.registration_id == registration_id, decision.c.decided_at == at)
            .order_by(decision.c.id)
        )
        return [(row.kind, row.result) for row in rows] + [
            (entry.kind, entry.result)
            for entry in self._unwritten
            if (entry.registration_id, entry.at) == (registration_id, at)
        ]
