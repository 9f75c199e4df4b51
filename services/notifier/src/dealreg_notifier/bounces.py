"""Mail addresses that a server refused for good, until they change. Keeps a hash, never the address."""

import hashlib
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, select, update

from dealreg_notifier.tables import bounce


def put(conn: Connection, person_id: str, address: str, error: str, now: datetime) -> None:
    """The person's address is refused."""
    values = {"address_sha256": _hash(address), "error": error, "at": now}
    mine = bounce.c.person_id == person_id
    if not conn.execute(update(bounce).where(mine).values(values)).rowcount:
        conn.execute(bounce.insert().values(person_id=person_id, **values))


def forget(conn: Connection, person_id: str) -> None:
    """The address works, or the person is erased."""
    conn.execute(delete(bounce).where(bounce.c.person_id == person_id))


def renewed(conn: Connection, person_id: str, address: str | None) -> bool:
    """The person's address is now this one. Whether it replaces one that was refused."""
    found = conn.execute(
        select(bounce.c.address_sha256).where(bounce.c.person_id == person_id)
    ).scalar_one_or_none()
    if found is None or (address is not None and found == _hash(address)):
        return False
    forget(conn, person_id)
    return address is not None


def of(conn: Connection, person_ids: Collection[str]) -> dict[str, RowMapping]:
    """Who of these people has an address that is refused."""
    rows = conn.execute(select(bounce).where(bounce.c.person_id.in_(set(person_ids)))).mappings()
    return {row["person_id"]: row for row in rows}


def _hash(address: str) -> str:
    return hashlib.sha256(address.strip().lower().encode()).hexdigest()
