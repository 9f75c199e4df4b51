"""What every store of signing keys keeps: one key is current, and only its private half is there."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    select,
)

from dealreg_notifier.tables import signing_key
from dealreg_registration.tables_log import log_key
from dealreg_shared.db import Database, UtcDateTime
from dealreg_shared.links import bytes_of, key_id_of, public_of
from dealreg_shared.signing_keys import KeyStore

AT = datetime(2026, 3, 2, tzinfo=UTC)
LATER = AT + timedelta(days=3)
LIFE = timedelta(hours=24)
GIVEN = bytes(range(32))

TABLE = Table(
    "odd.keys",  # a name that must be quoted
    MetaData(),
    Column("key_id", String(64), primary_key=True),
    Column("private_key", Text),
    Column("public_key", Text, nullable=False),
    Column("current", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("until", UtcDateTime),
)


def store(given: bytes | None = None) -> KeyStore:
    return KeyStore(TABLE, retired="until", setting="DEALREG_KEY", given=given, outlives=LIFE)


@pytest.fixture
async def keys(database: Database) -> Database:
    """A database with the empty table."""
    await database.write(TABLE.metadata.create_all)
    return database


async def _all(database: Database) -> dict[str, RowMapping]:
    def work(conn: Connection) -> Sequence[RowMapping]:
        return conn.execute(select(TABLE)).mappings().all()

    return {row["key_id"]: row for row in await database.read(work)}


async def test_the_first_start_makes_a_key_and_the_next_one_keeps_it(keys: Database) -> None:
    assert await keys.read(store().current) is None
    made = await keys.write(lambda conn: store().ensure(conn, AT))
    assert await keys.write(lambda conn: store().ensure(conn, LATER)) is None
    [(key_id, row)] = (await _all(keys)).items()
    assert key_id == made
    assert key_id == key_id_of(public_of(bytes_of(row["private_key"])))
    assert bytes_of(row["public_key"]) == public_of(bytes_of(row["private_key"]))
    assert (row["current"], row["created_at"], row["until"]) == (True, AT, None)


async def test_a_rotated_key_loses_its_private_half_and_says_until_when_it_counts(
    keys: Database,
) -> None:
    first = await keys.write(lambda conn: store().ensure(conn, AT))
    second = await keys.write(lambda conn: store().rotate(conn, LATER))
    rows = await _all(keys)
    assert first is not None
    assert first != second
    assert set(rows) == {first, second}
    assert (rows[first]["current"], rows[first]["private_key"]) == (False, None)
    assert rows[first]["until"] == LATER + LIFE
    assert rows[second]["current"]
    assert await keys.read(store().current) == rows[second]


async def test_a_given_key_is_not_stored_cannot_be_rotated_and_may_be_given_again(
    keys: Database,
) -> None:
    own = await keys.write(lambda conn: store().ensure(conn, AT))
    given = await keys.write(lambda conn: store(GIVEN).ensure(conn, AT))
    assert await keys.write(lambda conn: store(GIVEN).ensure(conn, LATER)) is None
    assert own is not None
    assert given == key_id_of(public_of(GIVEN))
    rows = await _all(keys)
    assert {key: row["private_key"] for key, row in rows.items()} == {own: None, given: None}
    with pytest.raises(ValueError, match="DEALREG_KEY gives the key"):
        await keys.write(lambda conn: store(GIVEN).rotate(conn, LATER))
    assert await _all(keys) == rows
    another = await keys.write(lambda conn: store().ensure(conn, LATER))
    assert await keys.write(lambda conn: store(GIVEN).ensure(conn, LATER + LIFE)) == given
    rows = await _all(keys)
    assert {key for key, row in rows.items() if row["current"]} == {given}
    assert set(rows) == {own, given, another}
    assert (rows[given]["created_at"], rows[given]["until"]) == (AT, None)


async def test_of_starts_at_once_one_makes_the_key(keys: Database) -> None:
    made = await asyncio.gather(
        *[keys.write(lambda conn: store().ensure(conn, AT)) for _ in range(6)]
    )
    [(key_id, _)] = (await _all(keys)).items()
    assert sorted(made, key=str) == sorted([key_id, *[None] * 5], key=str)


@pytest.mark.parametrize(
    ("table", "retired"), [(log_key, "retired_at"), (signing_key, "valid_until")]
)
def test_the_services_tables_have_the_columns(table: Table, retired: str) -> None:
    assert {column.name for column in table.c} == {column.name for column in TABLE.c} - {
        "until"
    } | {retired}
