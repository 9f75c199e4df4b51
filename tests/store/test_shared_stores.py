"""Access keys, stored answers and pages mean the same on SQLite and on PostgreSQL."""

import secrets
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    Row,
    Select,
    String,
    Table,
    select,
)

from dealreg_shared.auth import access_table, forget_access, keys, put_access
from dealreg_shared.auth.access import find_access
from dealreg_shared.contracts.people import AccessKeyUpdated
from dealreg_shared.db import Database, UtcDateTime
from dealreg_shared.web import idempotency
from dealreg_shared.web.paging import Position, after, encode, page
from dealreg_shared.web.problems import Problem

NOW = datetime(2027, 3, 1, 12, 30, 0, 123456, tzinfo=UTC)

METADATA = MetaData()
ACCESS = access_table(METADATA)
ANSWERS = idempotency.idempotency_table(METADATA)
ITEM = Table(
    "item",
    METADATA,
    Column("id", String, primary_key=True),
    Column("text", String),
    Column("number", Integer),
    Column("large", BigInteger),
    Column("at", UtcDateTime),
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        folder: Path = tmp_path_factory.mktemp("stores")
        made = Database(f"sqlite:///{folder}/stores.db")
    else:
        name = f"stores_{secrets.token_hex(6)}"
        made = Database(request.getfixturevalue("postgres_server").create_database(name, name))
    await made.write(METADATA.create_all)
    yield made
    await made.dispose()


async def test_a_key_is_read_as_it_was_written_and_overwritten_whole(database: Database) -> None:
    key_id, _, key_hash = keys.new_key()
    first = AccessKeyUpdated(
        key_id=key_id,
        key_hash=key_hash,
        role="partner",
        partner_id="prt_1",
        person_id=None,
        expires_at=NOW,
        requests_per_minute=60,
    )
    second = first.model_copy(update={"revoked_at": NOW + timedelta(microseconds=1)})

    for access in (first, second, first):
        await database.write(partial(put_access, access=access))
        found = await database.read(lambda conn: find_access(conn, ACCESS, key_id))
        assert found == access

    await database.write(lambda conn: forget_access(conn, key_id))
    assert await database.read(lambda conn: find_access(conn, ACCESS, key_id)) is None


async def test_an_answer_is_replayed_byte_for_byte(database: Database) -> None:
    body, hash_ = bytes(range(256)), idempotency.request_hash("POST", "/x", b"{}")
    row = idempotency.row("key_1", "a key, quoted", hash_, 201, body, NOW)
    await database.write(lambda conn: conn.execute(ANSWERS.insert(), row))

    answer = await database.read(
        lambda conn: idempotency.lookup(conn, "key_1", "a key, quoted", hash_)
    )

    assert answer == idempotency.StoredAnswer(201, body)
    assert await database.write(lambda conn: idempotency.forget_before(conn, NOW, 9)) == 0
    forgotten = NOW + timedelta(microseconds=1)
    assert await database.write(lambda conn: idempotency.forget_before(conn, forgotten, 9)) == 1


def rows_of(query: Select[Any], conn: Connection) -> Sequence[Row[Any]]:
    return conn.execute(query).all()


ROWS: list[dict[str, Any]] = [
    {
        "id": f"item_{number:02}",
        "text": "abÄz"[number % 4],
        "number": number % 3 - 1,
        "large": 2**40 * (number % 2),
        "at": NOW + timedelta(microseconds=number % 5),
    }
    for number in range(23)
]


@pytest.mark.parametrize("column", ["text", "number", "large", "at"])
@pytest.mark.parametrize("descending", [False, True])
async def test_pages_follow_each_other_without_a_gap_or_a_repeat(
    column: str, descending: bool, database: Database
) -> None:
    def fill(conn: Any) -> None:
        conn.execute(ITEM.delete())
        conn.execute(ITEM.insert(), ROWS)

    await database.write(fill)
    seen: list[str] = []
    keys_seen: list[Any] = []
    cursor: str | None = None
    while True:
        query = after(select(ITEM), ITEM.c[column], ITEM.c.id, cursor, 4, descending=descending)
        rows = await database.read(partial(rows_of, query))
        shown, cursor = page(rows, 4, lambda row: Position(getattr(row, column), row.id))
        seen += [row.id for row in shown]
        keys_seen += [getattr(row, column) for row in shown]
        if cursor is None:
            break

    assert sorted(seen) == [row["id"] for row in ROWS]
    if column != "text":  # the order of texts is the database's collation
        assert keys_seen == sorted(keys_seen, reverse=descending)


@pytest.mark.parametrize(
    ("column", "key"),
    [
        ("at", "text"),
        ("at", 5),
        ("text", 5),
        ("text", NOW),
        ("number", "text"),
        ("number", 2**31),
        ("number", -(2**31) - 1),
    ],
)
async def test_a_cursor_of_another_list_is_the_callers_fault(
    column: str, key: str | int | datetime, database: Database
) -> None:
    with pytest.raises(Problem) as caught:
        query = after(select(ITEM), ITEM.c[column], ITEM.c.id, encode(Position(key, "x")), 4)
        await database.read(lambda conn: conn.execute(query).all())

    assert caught.value.code == "invalid-cursor"


@pytest.mark.parametrize(("column", "key"), [("number", 2**31 - 1), ("large", -(2**63))])
async def test_the_largest_numbers_can_be_asked_for(
    column: str, key: int, database: Database
) -> None:
    query = after(select(ITEM), ITEM.c[column], ITEM.c.id, encode(Position(key, "x")), 4)

    await database.read(lambda conn: conn.execute(query).all())
