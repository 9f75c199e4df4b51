"""Idempotency keys: the first answer for the same request, a refusal for another."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import MetaData, Table, select
from sqlalchemy.exc import IntegrityError
from starlette.datastructures import Headers

from dealreg_shared.db import Database
from dealreg_shared.web import idempotency
from dealreg_shared.web.idempotency import StoredAnswer, key_from, lookup, request_hash, row
from dealreg_shared.web.problems import Problem

NOW = datetime(2027, 3, 1, tzinfo=UTC)
HASH = request_hash("POST", "/v1/registrations", b'{"a":1}')


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/idempotency.db")
    yield database
    await database.dispose()


@pytest.fixture
async def table(database: Database) -> Table:
    metadata = MetaData()
    made = idempotency.idempotency_table(metadata)
    await database.write(metadata.create_all)
    return made


async def store(database: Database, table: Table, scope: str = "key_1", key: str = "k") -> None:
    await database.write(
        lambda conn: conn.execute(table.insert(), row(scope, key, HASH, 201, b'{"id":"r"}', NOW))
    )


async def test_a_retry_gets_the_first_answer(database: Database, table: Table) -> None:
    assert await database.read(lambda conn: lookup(conn, "key_1", "k", HASH)) is None
    await store(database, table)

    stored = await database.read(lambda conn: lookup(conn, "key_1", "k", HASH))

    assert stored == StoredAnswer(201, b'{"id":"r"}')


@pytest.mark.parametrize(
    "other",
    [
        request_hash("POST", "/v1/registrations", b'{"a":2}'),
        request_hash("POST", "/v1/other", b'{"a":1}'),
        request_hash("PATCH", "/v1/registrations", b'{"a":1}'),
    ],
)
async def test_another_request_with_the_same_key_is_refused(
    other: str, database: Database, table: Table
) -> None:
    await store(database, table)

    with pytest.raises(Problem) as caught:
        await database.read(lambda conn: lookup(conn, "key_1", "k", other))

    assert (caught.value.status, caught.value.code) == (422, "idempotency-key-reused")


async def test_nobody_gets_the_answer_of_another_caller(database: Database, table: Table) -> None:
    await store(database, table)

    assert await database.read(lambda conn: lookup(conn, "key_2", "k", HASH)) is None


async def test_a_key_is_stored_once(database: Database, table: Table) -> None:
    await store(database, table)

    with pytest.raises(IntegrityError):
        await store(database, table)


async def test_what_is_stored_of_the_request_does_not_tell_its_body(
    database: Database, table: Table
) -> None:
    await store(database, table, key="a")
    await store(database, table, key="b")

    hashes = await database.read(lambda conn: conn.scalars(select(table.c.request_hash)).all())

    assert len(set(hashes)) == 2
    assert HASH not in hashes


async def test_old_answers_are_forgotten(database: Database, table: Table) -> None:
    await store(database, table)

    for instant, forgotten in ((NOW, 0), (NOW + timedelta(seconds=1), 1)):
        work = partial(idempotency.forget_before, instant=instant, most=10)
        assert await database.write(work) == forgotten


def headers(value: str) -> Headers:
    return Headers(raw=[(b"idempotency-key", value.encode("latin-1"))])


visible = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"'),
    min_size=1,
    max_size=255,
)


@given(visible)
def test_bare_and_quoted_are_the_same_key(key: str) -> None:
    quoted = '"' + key.replace("\\", "\\\\") + '"'

    assert key_from(headers(key)) == key
    assert key_from(headers(f" {quoted} ")) == key


BAD_KEYS = ["", " ", '""', "a b", '"a', 'a"', '"a" "b"', "é", "\x01", '"\\x"']


@pytest.mark.parametrize("value", [*BAD_KEYS, "x" * 256, '"' + "x" * 256 + '"'])
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(Problem) as caught:
        key_from(headers(value))

    assert (caught.value.status, caught.value.code) == (400, "bad-idempotency-key")


def test_quoting_can_escape() -> None:
    assert key_from(headers(r'"a \"b\" \\"')) == 'a "b" \\'


def test_none_is_fine_unless_it_is_required() -> None:
    assert key_from(Headers(raw=[])) is None
    with pytest.raises(Problem, match="Send an `Idempotency-Key`"):
        key_from(Headers(raw=[]), required=True)


@given(st.text(), st.binary())
def test_any_request_has_a_hash(path: str, body: bytes) -> None:
    assert len(request_hash("POST", path, body)) == 64
