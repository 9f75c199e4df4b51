"""The log over the audit, on each database: sealed once, in order, by one at a time; tampering shows."""

import asyncio
import os
import random
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from dealreg_registration import log_store, tables
from dealreg_registration.app import SOURCE
from dealreg_registration.domain import merkle
from dealreg_registration.domain.log_entry import filler, leaf_of
from dealreg_registration.root_file import append_roots, last_root, read_roots
from dealreg_registration.sealing import GAP_PATIENCE, seal
from dealreg_registration.signing_keys import NoSigningKey, SigningKeys
from dealreg_shared.contracts.catalogue import decode
from dealreg_shared.db import Database, app_now
from dealreg_shared.outbox import Outbox
from tests.factories.log import (
    PROGRAMME,
    TAMPERS,
    Log,
    Tamper,
    audit_rows,
    lines_of,
    open_log,
    tampered,
    write_rows,
    written_by_many,
)


@pytest.fixture
async def log(database: Database, tmp_path: Path) -> Log:
    return await open_log(database, tmp_path)


async def filled(log: Log, *counts: int) -> None:
    for count in counts:

        def work(conn: Connection, count: int = count) -> None:
            write_rows(conn, count)

        await log.database.write(work)
        await log.sealer.seal()


async def positions(log: Log) -> list[tuple[int, int | None]]:
    entry = tables.log_entry
    query = select(entry.c.position, entry.c.audit_id).order_by(entry.c.position)
    return await log.database.read(lambda conn: [tuple(row) for row in conn.execute(query)])


async def test_what_is_committed_is_sealed_once_in_blocks(log: Log) -> None:
    await filled(log, 3, 0, 16, 1)
    await log.sealer.seal()

    found = await positions(log)
    assert [position for position, _ in found] == list(range(48))
    assert [audit_id for _, audit_id in found if audit_id] == list(range(1, 21))
    assert [audit_id for _, audit_id in found[3:16]] == [None] * 13
    report = await log.check(await log.roots())
    assert (report.findings, report.entries, report.rows, report.roots) == ([], 48, 20, 3)
    assert [root.size for root in await log.roots()] == [16, 32, 48]


async def test_more_than_one_seal_takes_is_sealed_in_turns(log: Log) -> None:
    await log.database.write(lambda conn: write_rows(conn, 100))

    assert await log.sealer.seal(at_once=32) == 100
    assert [root.size for root in await log.roots()] == [32, 64, 96, 112]
    assert (await log.check()).findings == []


async def test_an_entry_is_what_it_is_said_to_be(log: Log) -> None:
    await filled(log, 2)

    def work(conn: Connection) -> None:
        rows = conn.execute(select(*log_store.AUDIT)).all()
        entries = conn.execute(select(tables.log_entry).order_by("position")).all()
        for row, stored in zip(rows, entries, strict=False):
            entry = log_store.entry_of(row)
            assert bytes(stored.leaf) == leaf_of(stored.position, entry, bytes(stored.salt))
        last = entries[-1]
        assert bytes(last.leaf) == filler(last.position, bytes(last.salt))

    await log.database.read(work)


async def test_proofs_from_stored_subtrees_prove(log: Log) -> None:
    await filled(log, 40, 3, 90, 17, 250)
    roots = await log.roots()

    def work(conn: Connection) -> None:
        leaves = log_store.leaves(conn, 0, roots[-1].size)
        for root in roots:
            for index in range(0, root.size, 5):
                path = log_store.proof(conn, merkle.inclusion_ranges(index, root.size))
                assert merkle.includes(leaves[index], index, root.size, path, root.root)
            for old in roots:
                if old.size <= root.size:
                    path = log_store.proof(conn, merkle.consistency_ranges(old.size, root.size))
                    assert merkle.is_consistent(old.size, root.size, old.root, root.root, path)

    await log.database.read(work)


async def test_a_number_that_was_passed_over_is_sealed_when_it_is_committed(log: Log) -> None:
    """As if the transaction of row 2 were still under way when row 3 was sealed."""

    async def write(*ids: int) -> None:
        def work(conn: Connection) -> None:
            for id_ in ids:
                [row] = audit_rows(1, app_now(conn))
                conn.execute(insert(tables.audit).values(row | {"id": id_}))

        await log.database.write(work)

    async def gaps() -> list[int]:
        query = select(tables.log_gap.c.audit_id).order_by("audit_id")
        return await log.database.read(lambda conn: list(conn.execute(query).scalars()))

    await write(1, 3, 7)
    await log.sealer.seal()
    assert await gaps() == [2, 4, 5, 6]
    await write(2, 5, 8)
    await log.sealer.seal()
    assert await gaps() == [4, 6]
    sealed = [audit_id for _, audit_id in await positions(log) if audit_id]
    assert sealed == [1, 3, 7, 2, 5, 8]
    # What nobody commits any more is forgotten, and what then appears is found by who checks.
    old = -GAP_PATIENCE - timedelta(minutes=1)

    def age(conn: Connection) -> None:
        conn.execute(update(tables.log_gap).values(since=app_now(conn) + old))

    await log.database.write(age)
    await write(9)
    await log.sealer.seal()
    assert await gaps() == []
    assert (await log.check()).findings == []

    def late(conn: Connection) -> None:
        [row] = audit_rows(1, app_now(conn) + old)
        conn.execute(insert(tables.audit).values(row | {"id": 4}))

    await log.database.write(late)
    await log.sealer.seal()
    assert (await log.check()).findings == ["Audit row 4 was never sealed, though later ones were."]


async def test_two_sealers_at_once_do_not_fork_the_log(log: Log) -> None:
    await log.database.write(lambda conn: write_rows(conn, 300))
    sealers = [log.another_sealer() for _ in range(4)]
    counts = await asyncio.gather(*(sealer.seal(at_once=16) for sealer in sealers))

    while await log.sealer.seal():
        pass
    assert sum(counts) <= 300
    report = await log.check(list(read_roots(log.roots_file)))
    assert (report.findings, report.rows) == ([], 300)


async def test_without_the_lock_the_database_refuses_a_fork(log: Log) -> None:
    """A sealer that read an old state cannot write beside the one that was faster."""
    await filled(log, 5)

    def stale(conn: Connection) -> None:
        conn.execute(update(tables.log_state).values(size=0, last_audit_id=0))
        outbox = Outbox(tables.outbox, SOURCE, PROGRAMME)
        seal(conn, log.keys.signer(), outbox, PROGRAMME)

    with pytest.raises(IntegrityError):
        await log.database.write(stale)
    assert (await log.check()).findings == []


async def test_many_writers_and_two_sealers_make_one_log(log: Log) -> None:
    writers, rows = (12, 60)
    report, given_up = await written_by_many(log, writers, rows)

    assert report.findings == []
    assert (report.rows, report.waiting) == (writers * rows, 0)
    assert given_up > 0


@pytest.mark.parametrize("tamper", dict.fromkeys(TAMPERS))
async def test_each_kind_of_tampering_is_found(log: Log, tamper: Tamper) -> None:
    await filled(log, 20, 5, 33)
    kept = await log.roots()
    rng = random.Random(1)  # noqa: S311  (can be repeated, no secret)
    what = await log.database.write(lambda conn: tamper(conn, rng))

    report = await log.check(kept)
    assert report.findings, what


async def test_random_tampering_is_always_found(log: Log) -> None:
    await filled(log, 20, 5, 33, 1, 64)
    count = int(os.environ.get("DEALREG_TEST_TAMPERINGS", "100"))

    assert await tampered(log, count) == (count, [])
    assert (await log.check(await log.roots())).findings == []


async def test_a_log_made_anew_is_found_by_a_root_kept_elsewhere(log: Log) -> None:
    await filled(log, 20, 20)
    kept = await log.roots()

    def anew(conn: Connection) -> None:
        conn.execute(update(tables.audit).where(tables.audit.c.id == 7).values(actor="nobody"))
        for table in (tables.log_entry, tables.log_node, tables.log_root):
            conn.execute(delete(table))
        conn.execute(update(tables.log_state).values(size=0, last_audit_id=0))

    await log.database.write(anew)
    await log.sealer.seal()
    assert (await log.check()).findings == []
    assert (await log.check(kept[:1])).findings == [
        f"The root of size 32, published at {kept[0].sealed_at}, is not that of this log."
    ]


async def test_roots_are_told_to_the_file_and_to_the_topic(log: Log) -> None:
    await filled(log, 4, 4)
    roots = await log.roots()

    assert lines_of(log.roots_file) == [root.view() for root in roots]
    outbox = tables.outbox.outbox
    bodies = await log.database.read(
        lambda conn: conn.execute(select(outbox.c.body).order_by(outbox.c.id)).scalars().all()
    )
    told = [decode(body.encode()) for body in bodies]
    assert [(event.type, event.partitionkey) for event in told] == [
        ("dealreg.log.sealed.v1", PROGRAMME)
    ] * 2
    assert [(it.data.size, it.data.root) for it in told] == [
        (root.size, root.root.hex()) for root in roots
    ]


async def test_the_file_is_made_whole_after_a_crash(log: Log) -> None:
    await filled(log, 4, 4, 4)
    roots = await log.roots()
    whole = log.roots_file.read_bytes()
    first = whole.index(b"\n") + 1
    for left in (b"", whole[: first + 9], whole[:first], whole):
        log.roots_file.write_bytes(left)
        await log.another_sealer().seal()
        assert list(read_roots(log.roots_file)) == roots
    assert last_root(log.roots_file) == roots[-1]
    assert append_roots(log.roots_file, roots) == 0
    log.roots_file.write_bytes(whole + b"{}\n")
    with pytest.raises(ValueError, match="line 4 is no root"):
        list(read_roots(log.roots_file))


async def test_rotated_keys_still_verify(log: Log) -> None:
    await filled(log, 4)
    old = log.keys.signer().key_id
    new = await log.database.write(log.keys.rotate)
    assert log.keys.signer().key_id == old
    await log.keys.refresh(log.database)
    await filled(log, 4)

    assert new != old
    assert [root.key_id for root in await log.roots()] == [old, new]
    assert (await log.check()).findings == []
    key = tables.log_key
    rows = await log.database.read(lambda conn: conn.execute(select(key)).mappings().all())
    assert {row["key_id"]: row["private_key"] is None for row in rows} == {old: True, new: False}


async def test_a_key_that_was_changed_is_found(log: Log) -> None:
    await filled(log, 4)
    other = await log.database.write(log.keys.rotate)

    def work(conn: Connection) -> None:
        key = tables.log_key
        value = select(key.c.public_key).where(key.c.key_id == other).scalar_subquery()
        conn.execute(update(key).where(key.c.key_id != other).values(public_key=value))

    await log.database.write(work)
    assert (await log.check()).findings == ["The root of size 16 is not signed by its key."]


async def test_an_empty_log_verifies(log: Log) -> None:
    assert await log.sealer.seal() == 0
    report = await log.check()

    assert (report.findings, report.entries, report.waiting) == ([], 0, 0)
    count = select(func.count()).select_from(tables.log_root)
    assert await log.database.read(lambda conn: conn.execute(count).scalar_one()) == 0


async def test_a_given_key_signs_and_its_private_half_is_kept_nowhere(log: Log) -> None:
    given = bytes(range(32))
    keys = SigningKeys(given)
    with pytest.raises(NoSigningKey):
        keys.signer()
    await keys.ensure(log.database)
    key = tables.log_key

    async def kept() -> dict[str, tuple[bool, bool]]:
        query = select(key.c.key_id, key.c.current, key.c.private_key.is_not(None))
        rows = await log.database.read(lambda conn: conn.execute(query).all())
        return {row[0]: (bool(row[1]), bool(row[2])) for row in rows}

    own, mine = log.keys.signer().key_id, keys.signer().key_id
    assert await kept() == {own: (False, False), mine: (True, False)}
    with pytest.raises(ValueError, match="DEALREG_REGISTRATION_SIGNING_KEY gives the key"):
        await log.database.write(keys.rotate)
    # Without the setting a new key is made; with it again, the same one signs again.
    without = SigningKeys()
    await without.ensure(log.database)
    assert (await kept())[without.signer().key_id] == (True, True)
    await keys.ensure(log.database)
    assert (await kept())[mine] == (True, False)
    assert (await kept())[without.signer().key_id] == (False, False)
    assert keys.signer().key_id == mine
