"""The account writer's first look: answers stored for a batch's idempotency keys, and who holds its
account keys. One statement for both, as each costs a round trip.

What is found here may change until the batch has its locks; whoever uses it looks again then.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from dealreg_registration.commands import Command
from dealreg_shared.web import idempotency

# Written out, as are all statements that every batch runs: building one and finding what it was compiled
# to takes longer than running it. Lists travel as one parameter, so that they are prepared once.
_LOOK = """
SELECT found.*, NULL AS account_id FROM ({stored}) AS found
UNION ALL
SELECT NULL, key, NULL, NULL, NULL, NULL, account_id FROM account_key WHERE account_id IN
(SELECT account_id FROM account_key WHERE key {one_of_these})
"""
_ON_POSTGRESQL = _LOOK.format(
    stored=idempotency.FIND_ALL["postgresql"],
    one_of_these="= ANY ($3::text[])",
)
_ON_SQLITE = _LOOK.format(
    stored=idempotency.FIND_ALL["sqlite"],
    one_of_these="IN (SELECT value FROM json_each(?))",
)


class Known(NamedTuple):
    """``stored``: rows of answers by scope and key. ``holder_of``: the account that holds a key;
    ``keys_of``: all keys of those accounts."""

    stored: Mapping[tuple[str, str], Row[Any]]
    holder_of: dict[str, str]
    keys_of: dict[str, set[str]]


def first_look(conn: Connection, commands: Sequence[Command]) -> Known:
    """What is stored for these commands' keys of both kinds."""
    answers = [
        (c.idempotency.scope, c.idempotency.key) for c in commands if c.idempotency is not None
    ]
    keys = {key for command in commands for key in command.target.keys}
    if not answers and not keys:
        return Known({}, {}, {})
    if conn.dialect.name == "postgresql":
        scopes, names = [scope for scope, _ in answers], [key for _, key in answers]
        rows = conn.exec_driver_sql(_ON_POSTGRESQL, (scopes, names, list(keys)))
    else:
        rows = conn.exec_driver_sql(_ON_SQLITE, (json.dumps(answers), json.dumps(list(keys))))
    known = Known({}, {}, {})
    stored: dict[tuple[str, str], Row[Any]] = {}
    for row in rows:
        if row.account_id is None:
            stored[row.scope, row.key] = row
        else:
            known.keys_of.setdefault(row.account_id, set()).add(row.key)
            if row.key in keys:
                known.holder_of[row.key] = row.account_id
    return known._replace(stored=stored)
