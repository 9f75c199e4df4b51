"""``Idempotency-Key``: a retry gets the first answer, byte for byte.

The answer is stored in the transaction that decided, so there is an answer if and only if there was an
effect. A key belongs to a scope (the caller), or one caller could read another's answers. The same key
with another body is an error (422), never a second effect.

The header's value may be a quoted structured string, as draft-ietf-httpapi-idempotency-key-header-07
asks, or bare, as most clients send it. What is stored of the request is a hash with a salt of its own
row, so that it says nothing about the body once the row is gone.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    column,
    delete,
    insert,
    select,
    table,
    tuple_,
)
from sqlalchemy.exc import IntegrityError
from starlette.datastructures import Headers

from dealreg_shared.db import Database, UtcDateTime, app_now
from dealreg_shared.db.bulk import LONG_VALUES
from dealreg_shared.ids import new_secret
from dealreg_shared.telemetry import metrics
from dealreg_shared.web.problems import Problem

TABLE = "idempotency"
HEADER = "idempotency-key"

FORGOTTEN = metrics.counter(
    "dealreg_idempotency_answers_forgotten",
    "Answers kept for retries that were deleted because they were old.",
)

BATCH = 1000
"""Answers forgotten in one transaction."""

_BARE = re.compile(r"[\x21\x23-\x7e]{1,255}")
_QUOTED = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')

_IDEMPOTENCY = table(
    TABLE,
    column("scope", String),
    column("key", String),
    column("salt", String),
    column("request_hash", String),
    column("status", Integer),
    column("body", LargeBinary),
    column("created_at", UtcDateTime()),
)


FIND_ALL = {
    "postgresql": """
SELECT scope, key, salt, request_hash, status, body
FROM unnest($1::varchar[], $2::varchar[]) AS asked (scope, key) JOIN idempotency USING (scope, key)
""",
    "sqlite": """
SELECT scope, key, salt, request_hash, status, body FROM idempotency WHERE (scope, key) IN
(SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))
""",
}
"""The stored rows of many (scope, key), for a writer that asks for more in the same statement: given as
two arrays, or as one JSON array of pairs. The text is the same for any number of them."""

WRITING = frozenset({"post", "put", "patch", "delete"})

REASON = "x-no-idempotency-key"
"""Of an operation in an API description: why it takes no key."""

PARAMETER: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A retry with the same key and body gets the first answer, byte for byte, as long "
    "as answers are kept (30 days, unless the installation says otherwise); then the key is new again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """``scope`` is the caller, so that nobody can ask for another's answer."""

    scope: str
    key: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What the first request with this key was answered."""

    status: int
    body: bytes


def idempotency_table(metadata: MetaData) -> Table:
    """The table ``idempotency``."""
    return Table(
        TABLE,
        metadata,
        Column("scope", String(128), primary_key=True),
        Column("key", String(255), primary_key=True),
        Column("salt", String(32), nullable=False),
        Column("request_hash", String(64), nullable=False),
        Column("status", Integer, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("created_at", UtcDateTime, nullable=False, index=True),
        info=LONG_VALUES,
    )


def key_from(headers: Headers, *, required: bool = False) -> str | None:
    """The request's key, unquoted; None without one. Raises ``Problem`` 400 for a bad or missing one."""
    given = headers.get(HEADER)
    if given is None:
        if required:
            raise _bad("Send an `Idempotency-Key`, so that a retry cannot act twice.")
        return None
    given = given.strip(" \t")
    quoted = _QUOTED.fullmatch(given)
    if quoted is not None:
        given = re.sub(r"\\(.)", r"\1", quoted.group(1))
        if 1 <= len(given) <= 255:
            return given
    elif _BARE.fullmatch(given):
        return given
    raise _bad("`Idempotency-Key` must be 1 to 255 visible ASCII characters, quoted or bare.")


def request_hash(method: str, path: str, raw_body: bytes) -> str:
    """What must be the same for a request to be the same: SHA-256 over method, path and body."""
    digest = hashlib.sha256(f"{method} {path}\n".encode("utf-8", "surrogatepass"))
    digest.update(raw_body)
    return digest.hexdigest()


_KEPT = select(_IDEMPOTENCY).where(
    _IDEMPOTENCY.c.scope == bindparam("of_scope"), _IDEMPOTENCY.c.key == bindparam("of_key")
)


def lookup(conn: Connection, scope: str, key: str, hash_: str) -> StoredAnswer | None:
    """The stored answer, or None for a key not used yet.

    Raises ``Problem`` 422 ``idempotency-key-reused`` when the key was used for another request.
    """
    found = conn.execute(_KEPT, {"of_scope": scope, "of_key": key}).first()
    if found is None:
        return None
    return matching(
        found.salt, found.request_hash, hash_, StoredAnswer(found.status, bytes(found.body))
    )


def matching(salt: str, stored_hash: str, hash_: str, answer: StoredAnswer) -> StoredAnswer:
    """``answer`` if it was given to the request with ``hash_``. Raises ``Problem`` 422 otherwise. For a
    writer that looks many keys up in one statement of its own."""
    if stored_hash != _salted(salt, hash_):
        raise Problem(
            422,
            "idempotency-key-reused",
            "This key was used for another request",
            "Use a new `Idempotency-Key` for a new request, and the old one only to repeat it.",
        )
    return answer


def row(scope: str, key: str, hash_: str, status: int, body: bytes, at: datetime) -> dict[str, Any]:
    """The row to insert in the deciding transaction."""
    salt = new_secret()
    return {
        "scope": scope,
        "key": key,
        "salt": salt,
        "request_hash": _salted(salt, hash_),
        "status": status,
        "body": body,
        "created_at": at,
    }


def _salted(salt: str, hash_: str) -> str:
    return hashlib.sha256(f"{salt}{hash_}".encode()).hexdigest()


def find(conn: Connection, key: IdempotencyKey | None) -> StoredAnswer | None:
    """The answer that the request was given before, if it has a key and was. Raises as ``lookup``."""
    return None if key is None else lookup(conn, key.scope, key.key, key.request_hash)


async def once(
    database: Database,
    key: IdempotencyKey | None,
    lock: Callable[[Connection], object],
    act: Callable[[Connection], StoredAnswer],
) -> tuple[StoredAnswer, bool]:
    """The answer of ``act``, kept in its transaction, or the first one if this is a retry; and whether
    it was carried out now. ``lock`` keeps retries that come at once apart. Raises as ``lookup``."""

    def work(conn: Connection) -> tuple[StoredAnswer, bool]:
        lock(conn)
        if (earlier := find(conn, key)) is not None:
            return earlier, False
        answer = act(conn)
        if key is not None:
            kept = row(
                key.scope, key.key, key.request_hash, answer.status, answer.body, app_now(conn)
            )
            conn.execute(insert(_IDEMPOTENCY), kept)
        return answer, True

    try:
        return await database.write(work)
    except IntegrityError:
        # The key may have been used under another lock meanwhile: its answer is there now.
        if key is None:
            raise
        return await database.write(work)


def no_key(reason: str) -> dict[str, Any]:
    """For a route's ``openapi_extra``: why it writes and takes no key."""
    return {REASON: reason}


def describe_keys(document: dict[str, Any]) -> None:
    """Name the header with every operation that writes, or say there why it takes none."""
    for path in document.get("paths", {}).values():
        for method, operation in path.items():
            if method not in WRITING:
                continue
            if (reason := operation.get(REASON)) is None:
                operation.setdefault("parameters", []).append(PARAMETER)
                continue
            said = (operation.get("description", ""), f"No `Idempotency-Key`: {reason}")
            operation["description"] = "\n\n".join(filter(None, said))


def forget_before(conn: Connection, instant: datetime, most: int) -> int:
    """Delete the oldest answers from before ``instant``, at most so many. Returns how many."""
    kept = _IDEMPOTENCY.c
    oldest = (
        select(kept.scope, kept.key)
        .where(kept.created_at < instant)
        .order_by(kept.created_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    gone = delete(_IDEMPOTENCY).where(tuple_(kept.scope, kept.key).in_(oldest))
    return conn.execute(gone).rowcount


def forget_old(
    database: Database, keep: timedelta, some_done: Callable[[], None] = lambda: None
) -> Callable[[], Awaitable[int]]:
    """A tick that deletes answers older than ``keep``, a batch per transaction, so that nobody waits
    long for one. Returns how many; their keys count as new again."""

    def batch(conn: Connection) -> int:
        return forget_before(conn, app_now(conn) - keep, BATCH)

    async def run() -> int:
        forgotten = 0
        while True:
            count = await database.write(batch)
            FORGOTTEN.inc(count)
            forgotten += count
            some_done()
            if count < BATCH:
                return forgotten

    return run


def _bad(detail: str) -> Problem:
    return Problem(400, "bad-idempotency-key", "The idempotency key cannot be used", detail)
