"""Notifier's cases keep their ladder when their course takes the place of the first stamp, and back."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, text

from dealreg_notifier import store
from dealreg_notifier.domain.ladder import climb
from dealreg_shared.db import Database
from dealreg_shared.db.migrate import downgrade, migrate
from dealreg_shared.ladder import level_at
from tests.factories.notifier import FOUR_HOURS, START

PACKAGE = "dealreg_notifier"
RUNGS = (
    '[{"level":1,"role":"partner_manager","person_id":"mia","due_at":"2026-03-02T13:00:00.000000Z"},'
    '{"level":2,"role":"vp","person_id":null,"due_at":"2026-03-03T09:00:00.000000Z"},'
    '{"level":3,"role":"ceo","person_id":"cleo","due_at":null}]'
)
AT = "2026-03-02T09:00:00.000000Z"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An empty database."""
    database = Database(database_url)
    yield database
    await database.dispose()


def put_old_cases(conn: Connection) -> None:
    for id_, rungs, level in (("cnf_1", RUNGS, 2), ("cnf_2", "[]", None)):
        conn.execute(
            text(
                "INSERT INTO conflict_case (conflict_id, kind, account_id, account_name, plan_number,"
                " generation, opened_at, rungs, level, correlation_id) VALUES"
                " (:id, 'overlap', 'acc_1', 'Contoso', 1, 1, :at, :rungs, :level, 'cor')"
            ),
            {
                "id": id_,
                "at": START if conn.dialect.name == "postgresql" else AT,
                "rungs": rungs,
                "level": level,
            },
        )


async def test_open_cases_go_on_as_they_stood(database: Database) -> None:
    await migrate(database, PACKAGE, "0005")
    await database.write(put_old_cases)
    await migrate(database, PACKAGE)
    first, second = await database.write(lambda conn: store.lock_cases(conn, ["cnf_1", "cnf_2"]))
    assert (first.level, first.recorded, second.course) == (2, (1,), None)
    assert first.course is not None
    assert level_at(first.course, START + FOUR_HOURS) == 2
    later = climb(first.course, first.level, first.recorded, START + 6 * FOUR_HOURS)
    assert [raised.rung.level for raised in later.raised] == [3]
    assert [rung.level for rung in later.breached] == [2]
    await downgrade(database, PACKAGE, "0005")
    rows = await database.read(
        lambda conn: conn.execute(
            text("SELECT rungs FROM conflict_case ORDER BY conflict_id")
        ).all()
    )
    assert [str(row.rungs).count("level") for row in rows] == [3, 0]


def put_old_plan(conn: Connection) -> None:
    parts = {"regions": ("west", "West"), "segments": ("smb", "SMB"), "partners": ("acme", "Acme")}
    for part, (section, (id_, name)) in enumerate(parts.items(), start=1):
        conn.execute(
            text(
                "INSERT INTO plan_part (plan_number, part, section, items)"
                " VALUES (1, :part, :section, :items)"
            ),
            {"part": part, "section": section, "items": f'[{{"id":"{id_}","name":"{name}"}}]'},
        )


async def test_regions_and_segments_of_plans_that_are_there_have_names(database: Database) -> None:
    await migrate(database, PACKAGE, "0010")
    await database.write(put_old_plan)
    await migrate(database, PACKAGE)
    query = text("SELECT section, item_id, name FROM plan_name ORDER BY section")
    rows = await database.read(lambda conn: conn.execute(query).all())
    assert [tuple(row) for row in rows] == [
        ("regions", "west", "West"),
        ("segments", "smb", "SMB"),
    ]
