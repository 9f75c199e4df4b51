"""Erase a person: name and address go, here and wherever events have carried them; keys are revoked.

The id stays, so that plans and histories that name it can still be read, and is never given to anyone
else.
"""

from datetime import datetime

from sqlalchemy import Connection, select, update

from dealreg_registration.domain.programme_errors import PersonNotFound
from dealreg_registration.handlers.manage_keys import revoke_key
from dealreg_registration.programme_store import lock_programme, write_audit
from dealreg_registration.tables_programme import access_key, person
from dealreg_shared.contracts.catalogue import PEOPLE
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import app_now
from dealreg_shared.outbox import Outbox


def erase_person(
    conn: Connection,
    person_id: str,
    real_now: datetime,
    *,
    outbox: Outbox,
    actor: str,
    correlation_id: str,
) -> list[str]:
    """Erase; the ids of the keys that were revoked with it. Erasing again changes nothing.

    ``real_now`` is the clock that keys live by. Raises ``PersonNotFound``, ``LastAdminKey``.
    """
    lock_programme(conn)
    now = app_now(conn)
    row = conn.execute(select(person).where(person.c.id == person_id).with_for_update()).first()
    if row is None:
        raise PersonNotFound("No person has this id.")
    if row.erased_at is not None:
        return []
    conn.execute(
        update(person)
        .where(person.c.id == person_id)
        .values(name=None, email=None, roles=[], manages=[], erased_at=now, updated_at=now)
    )
    outbox.erase(conn, PEOPLE, [person_id], now)
    held = conn.execute(
        select(access_key.c.key_id)
        .where(access_key.c.person_id == person_id, access_key.c.revoked_at.is_(None))
        .order_by(access_key.c.key_id)
    ).scalars()
    revoked = list(held)
    for key_id in revoked:
        revoke_key(
            conn, key_id, real_now, outbox=outbox, actor=actor, correlation_id=correlation_id
        )
    write_audit(conn, now, actor, "person.erased", person_id, {"keys_revoked": revoked})
    crashpoint("person.erased")
    return revoked
