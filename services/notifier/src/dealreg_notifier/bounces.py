"""Mail addresses that a server refused for good, until they change. Keeps a hash, never the address."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, Delete, RowMapping, delete, select, update

from dealreg_notifier.tables import bounce
from dealreg_shared.db.among import among_given, listed, rows_among
from dealreg_shared.web import paging


def put(conn: Connection, person_id: str, address: str, error: str, now: datetime) -> None:
    """The person's address is refused."""
    values = {"address_sha256": _hash(address), "error": error, "at": now}
    mine = bounce.c.person_id == person_id
    if not conn.execute(update(bounce).where(mine).values(values)).rowcount:
        conn.execute(bounce.insert().values(person_id=person_id, **values))


def forget(conn: Connection, person_ids: Collection[str]) -> None:
    """The addresses work, or the people are erased."""
    if person_ids:
        conn.execute(_forgetting(conn.dialect.name), {"people": listed(person_ids)})


@cache
def _forgetting(dialect: str) -> Delete:
    return delete(bounce).where(among_given(dialect, bounce.c.person_id, "people"))


def renewed(conn: Connection, person_id: str, address: str | None) -> bool:
    """The person's address is now this one. Whether it replaces one that was refused."""
    found = conn.execute(
        select(bounce.c.address_sha256).where(bounce.c.person_id == person_id)
    ).scalar_one_or_none()
    if found is None or (address is not None and found == _hash(address)):
        return False
    forget(conn, [person_id])
    return address is not None


def refused(conn: Connection, addresses: Mapping[str, str]) -> set[str]:
    """Who of these people (id -> address) has an address that was refused."""
    mine = bounce.c.person_id
    rows = rows_among(conn, mine, addresses, mine, bounce.c.address_sha256)
    return {row.person_id for row in rows if row.address_sha256 == _hash(addresses[row.person_id])}


def page(
    conn: Connection, cursor: str | None, limit: int
) -> tuple[Sequence[RowMapping], str | None]:
    """The latest first, and the cursor of the next page."""
    query = paging.after(
        select(bounce), bounce.c.at, bounce.c.person_id, cursor, limit, descending=True
    )
    return paging.page(
        conn.execute(query).mappings().all(),
        limit,
        lambda row: paging.Position(row["at"], row["person_id"]),
    )


def known(conn: Connection, person_id: str) -> bool:
    """Whether the person's address is marked."""
    query = select(bounce.c.person_id).where(bounce.c.person_id == person_id)
    return conn.execute(query).first() is not None


def _hash(address: str) -> str:
    return hashlib.sha256(address.strip().lower().encode()).hexdigest()
