"""Whether a text names somebody that it must not name: a person, or a party of the case.

A text is compared with the names on record; it cannot be proved to name nobody. Must not write.
"""

from collections.abc import Collection

from sqlalchemy import Connection, select

from dealreg_registration.domain.errors import NamesAPerson, NoPlanInForce
from dealreg_registration.domain.mentions import mentions_partner, mentions_person
from dealreg_registration.domain.plan import Plan
from dealreg_registration.programme import Programme
from dealreg_registration.tables_accounts import claim, conflict_claim, registration_contact
from dealreg_registration.tables_programme import person
from dealreg_shared.db import app_now


def check_names_nobody(conn: Connection, programme: Programme, conflict_id: str, text: str) -> None:
    """Raises ``NamesAPerson`` if a reason names a partner of the case, or has a mail address or the full
    name of a person of the programme or of a contact of the case's registrations."""
    contacts = (
        select(registration_contact.c.name)
        .join(claim, claim.c.registration_id == registration_contact.c.registration_id)
        .join(conflict_claim, conflict_claim.c.claim_id == claim.c.id)
        .where(conflict_claim.c.conflict_id == conflict_id)
    )
    names = [*conn.execute(select(person.c.name)).scalars(), *conn.execute(contacts).scalars()]
    if mentions_person(text, names):
        raise NamesAPerson("The reason is kept as a record and must name no person.")
    parties = {partner_id for partner_id, _ in _parties(conn, conflict_id)}
    if _names_any(text, parties, _plan(conn, programme)):
        raise NamesAPerson(
            "The reason must not name a partner of the case: say the first or the later claim."
        )


def check_names_no_rival(
    conn: Connection, programme: Programme, conflict_id: str, registration_id: str, text: str
) -> None:
    """Raises ``NamesAPerson`` if a question to one party names another partner of the case."""
    members = _parties(conn, conflict_id)
    asked = {partner_id for partner_id, owner in members if owner == registration_id}
    rivals = {partner_id for partner_id, _ in members} - asked
    if _names_any(text, rivals, _plan(conn, programme)):
        raise NamesAPerson("The question goes to one party and must not name another.")


def _parties(conn: Connection, conflict_id: str) -> list[tuple[str, str]]:
    """Partner and registration of each claim of the case."""
    rows = conn.execute(
        select(claim.c.partner_id, claim.c.registration_id)
        .join(conflict_claim, conflict_claim.c.claim_id == claim.c.id)
        .where(conflict_claim.c.conflict_id == conflict_id)
    )
    return list(rows.tuples())


def _plan(conn: Connection, programme: Programme) -> Plan:
    book, _ = programme.current(conn)
    if (plan := book.at(app_now(conn))) is None:
        raise NoPlanInForce("No plan is in force yet; publish one first.")
    return plan


def _names_any(text: str, partner_ids: Collection[str], plan: Plan) -> bool:
    return any(
        mentions_partner(text, id_, plan.partners[id_].name if id_ in plan.partners else None)
        for id_ in partner_ids
    )
