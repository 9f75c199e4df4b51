"""Whether a text names somebody that it must not name: a person, or another party of the case.

A text is compared with the names on record; it cannot be proved to name nobody. Must not write.
"""

import re
from collections.abc import Iterable

from sqlalchemy import Connection, select

from dealreg_registration.domain.errors import NamesAPerson
from dealreg_registration.domain.plan import Plan
from dealreg_registration.tables_accounts import claim, conflict_claim, registration_contact
from dealreg_registration.tables_programme import person

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def check_names_nobody(conn: Connection, conflict_id: str, text: str) -> None:
    """Raises ``NamesAPerson`` if a text has a mail address, or the name of a person of the programme or
    of a contact of the case's registrations."""
    contacts = (
        select(registration_contact.c.name)
        .join(claim, claim.c.registration_id == registration_contact.c.registration_id)
        .join(conflict_claim, conflict_claim.c.claim_id == claim.c.id)
        .where(conflict_claim.c.conflict_id == conflict_id)
    )
    names = [*conn.execute(select(person.c.name)).scalars(), *conn.execute(contacts).scalars()]
    if _ADDRESS.search(text) or _any_in(names, text):
        raise NamesAPerson("The reason is kept as a record and must name no person.")


def check_names_no_rival(
    conn: Connection, conflict_id: str, registration_id: str, text: str, plan: Plan
) -> None:
    """Raises ``NamesAPerson`` if a question to one party names another partner of the case."""
    members = conn.execute(
        select(claim.c.partner_id, claim.c.registration_id)
        .join(conflict_claim, conflict_claim.c.claim_id == claim.c.id)
        .where(conflict_claim.c.conflict_id == conflict_id)
    ).all()
    asked = {row.partner_id for row in members if row.registration_id == registration_id}
    rivals = {row.partner_id for row in members} - asked
    names = [plan.partners[id_].name for id_ in rivals if id_ in plan.partners]
    if _any_in([*rivals, *names], text):
        raise NamesAPerson("The question goes to one party and must not name another.")


def _any_in(names: Iterable[str | None], text: str) -> bool:
    """Whole words only, whatever the case."""
    return any(
        re.search(rf"(?<!\w){re.escape(name.strip())}(?!\w)", text, re.IGNORECASE)
        for name in names
        if name is not None and name.strip()
    )
