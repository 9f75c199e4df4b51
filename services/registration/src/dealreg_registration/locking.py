"""What a batch holds until it commits, taken in this order: its new account keys, its accounts, the
programme. After all of them, the clock.

Works on the account writer's connection. Keys and accounts are taken in sorted order, so no two batches
wait for each other. Must not decide anything and must not commit.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, Connection, Integer, Row, Text, bindparam, column, text

from dealreg_registration.tables_accounts import account
from dealreg_shared.db import UtcDateTime
from dealreg_shared.db.among import rows_among
from dealreg_shared.db.types import parse_instant

# One round trip instead of three. Each part reads the one before it, which makes the order: all keys are
# claimed before the first account is locked, and all accounts before the programme. The clock stands
# outside, so that it is read after all locks were got and not while waiting for one.
_ON_POSTGRESQL = (
    text(
        f"""
WITH claimed AS (
    INSERT INTO account_key (key, account_id) SELECT * FROM unnest(:keys, :holders)
    ON CONFLICT DO NOTHING RETURNING key
), claims AS MATERIALIZED (
    SELECT count(*) AS number FROM claimed
), locked AS MATERIALIZED (
    SELECT account.* FROM claims CROSS JOIN account WHERE account.id = ANY (:accounts)
    ORDER BY account.id FOR UPDATE OF account
), locks AS MATERIALIZED (
    SELECT count(*) AS number FROM locked
), held AS MATERIALIZED (
    SELECT version FROM locks CROSS JOIN programme_state FOR SHARE OF programme_state
)
SELECT claims.number AS claims, held.version AS programme, app_now() AS now,
    {", ".join(f"locked.{it.name}" for it in account.c)}
FROM claims LEFT JOIN held ON true LEFT JOIN locked ON true
"""
    )
    .bindparams(*(bindparam(name, type_=ARRAY(Text)) for name in ("keys", "holders", "accounts")))
    .columns(
        column("claims", Integer),
        column("programme", Integer),
        column("now", UtcDateTime),
        *account.c,
    )
)

# SQLite needs the WHERE, or it takes ON for the condition of a join.
_CLAIM_ON_SQLITE = """
INSERT INTO account_key (key, account_id)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?) WHERE true
ON CONFLICT DO NOTHING RETURNING key
"""
_HELD_ON_SQLITE = "SELECT (SELECT version FROM programme_state), app_now()"


class Held(NamedTuple):
    """``claimed``: whether all keys were got. ``accounts``: the rows of those that exist, by id.
    ``programme``: the version held, None where there is no plan yet. ``now``: after all of it."""

    claimed: bool
    accounts: Sequence[Row[Any]]
    programme: int | None
    now: datetime


def hold(conn: Connection, claims: Mapping[str, str], accounts: Collection[str]) -> Held:
    """Give each key of ``claims`` to its account unless someone else was faster, lock ``accounts``, and
    keep publications waiting. SQLite's one writer needs no locks."""
    claimed = sorted(claims.items())
    if conn.dialect.name == "postgresql":
        rows = conn.execute(
            _ON_POSTGRESQL,
            {
                "keys": [key for key, _ in claimed],
                "holders": [holder for _, holder in claimed],
                "accounts": sorted(accounts),
            },
        ).all()
        first = rows[0]
        locked = [row for row in rows if row.id is not None]
        return Held(first.claims == len(claims), locked, first.programme, first.now)
    got = conn.exec_driver_sql(_CLAIM_ON_SQLITE, (json.dumps(claimed),)).all() if claims else ()
    there = rows_among(conn, account.c.id, accounts).all() if accounts else ()
    found = sorted(there, key=lambda row: row.id)
    version, now = conn.exec_driver_sql(_HELD_ON_SQLITE).one()
    return Held(len(got) == len(claims), found, version, parse_instant(now))
