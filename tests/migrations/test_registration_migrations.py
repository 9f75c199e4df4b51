"""Registration's migrations: up, down and up again, and what they make is what the code expects."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import IntegrityError

from dealreg_registration.case_rows import case_from
from dealreg_registration.domain.ladder_terms import LadderTerms
from dealreg_registration.tables import metadata
from dealreg_shared.db import Database
from dealreg_shared.db.migrate import downgrade, migrate

PACKAGE = "dealreg_registration"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An empty database."""
    database = Database(database_url)
    yield database
    await database.dispose()


def differences(conn: Connection) -> list[Any]:
    """What Alembic would still change."""
    context = MigrationContext.configure(conn, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


def names(conn: Connection) -> set[str]:
    return set(inspect(conn).get_table_names()) - {"alembic_version"}


async def test_up_down_and_up_again(database: Database) -> None:
    await migrate(database, PACKAGE)
    assert await database.read(differences) == []
    assert await database.read(names) == set(metadata.tables)
    await downgrade(database, PACKAGE)
    assert await database.read(names) == set()
    await migrate(database, PACKAGE, "0001")
    await migrate(database, PACKAGE)
    assert await database.read(differences) == []


async def test_accounts_that_were_there_before_are_swept_in_time(database: Database) -> None:
    """Revision 0003 computes when time next changes each of them."""
    await migrate(database, PACKAGE, "0002")

    def fill(conn: Connection) -> None:
        at, until = "2026-03-02 09:00:00.000000Z", "2026-05-31 09:00:00.000000Z"
        conn.exec_driver_sql(
            "INSERT INTO account (id, name, facts, sources, last_place, event_version, version,"
            f" created_at) VALUES ('acc_1', 'One', '{{}}', '{{}}', 1, 0, 1, '{at}')"
        )
        conn.exec_driver_sql(
            "INSERT INTO registration (id, account_id, partner_id, filed_by, filed_at, account_name,"
            " amount, currency, amount_base, close_date, deal_type, place_of_use, tags, evidence,"
            " owner, receipt_number, plan_number, last_activity_at, version) VALUES ('reg_1',"
            f" 'acc_1', 'a', 'partner', '{at}', 'One', '1', 'USD', '1', '2026-12-31', 'new', '[]',"
            f" '[]', '[]', '[]', 'r', 1, '{at}', 1)"
        )
        for number, state, end in (
            (1, "protected", until),
            (2, "expired", at),
        ):
            conn.exec_driver_sql(
                "INSERT INTO claim (id, registration_id, account_id, partner_id, product_line, place,"
                " outcome, state, decided_at, plan_number, protected_from, protected_until, codes,"
                f" reasons) VALUES ('clm_{number}', 'reg_1', 'acc_1', 'a', 'line', {number},"
                f" 'protected', '{state}', '{at}', 1, '{at}', '{end}', '[]', '[]')"
            )

    await database.write(fill)
    await migrate(database, PACKAGE, "0003")
    due = "SELECT next_due_at FROM account"
    until = await database.read(lambda conn: conn.exec_driver_sql(due).scalar_one())
    assert str(until).startswith(("2026-05-31 09:00", "2026-05-31T09:00"))
    await migrate(database, PACKAGE)
    claim = metadata.tables["claim"]
    flags = await database.read(
        lambda conn: conn.execute(select(claim.c.flags).order_by(claim.c.id)).scalars().all()
    )
    assert flags[0] is not None
    assert datetime.fromisoformat(flags[0]["reminded_at"]).tzinfo is not None
    assert flags[1] is None


async def test_cases_that_were_open_before_keep_their_deadlines(database: Database) -> None:
    """Revision 0005 makes the stamp of an open case the first of its course; going back undoes it."""
    await migrate(database, PACKAGE, "0004")
    at = "2026-03-02 09:00:00.000000Z"
    deadlines = '[[1,"partner_manager","m","2026-03-02T13:00:00.000000Z"],[3,"ceo",null,null]]'

    def fill(conn: Connection) -> None:
        conn.exec_driver_sql(
            "INSERT INTO account (id, name, facts, sources, last_place, event_version, version,"
            f" created_at) VALUES ('acc_1', 'One', '{{}}', '{{}}', 1, 0, 1, '{at}')"
        )
        conn.exec_driver_sql(
            "INSERT INTO conflict (id, account_id, kind, state, opened_at, generation, deadlines,"
            f" plan_number) VALUES ('cnf_1', 'acc_1', 'overlap', 'open', '{at}', 1, '{deadlines}', 1)"
        )

    await database.write(fill)
    await migrate(database, PACKAGE)
    conflict = metadata.tables["conflict"]
    row = await database.read(lambda conn: conn.execute(select(conflict)).one())
    case = case_from(row, ())
    due = datetime(2026, 3, 2, 13, tzinfo=UTC)
    assert [(d.level, d.person_id, d.due_at) for d in case.deadlines] == [
        (1, "m", due),
        (3, None, None),
    ]
    assert case.course.stamps[0].at == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert case.terms == LadderTerms()
    await downgrade(database, PACKAGE, "0004")
    kept = await database.read(
        lambda conn: conn.exec_driver_sql("SELECT generation, deadlines FROM conflict").one()
    )
    assert tuple(kept) == (1, deadlines)


async def test_claims_in_cases_survive_every_later_revision(database: Database) -> None:
    """SQLite replaces a table to change it; what refers to its rows is not in the way, and holds on."""
    at = "2026-03-02 09:00:00.000000Z"

    def fill(conn: Connection) -> None:
        for statement in (
            "INSERT INTO account (id, name, facts, sources, last_place, event_version, version,"
            f" created_at) VALUES ('acc_1', 'One', '{{}}', '{{}}', 1, 0, 1, '{at}')",
            "INSERT INTO registration (id, account_id, partner_id, filed_by, filed_at, account_name,"
            " amount, currency, amount_base, close_date, deal_type, place_of_use, tags, evidence,"
            " owner, receipt_number, plan_number, last_activity_at, version) VALUES ('reg_1',"
            f" 'acc_1', 'a', 'partner', '{at}', 'One', '1', 'USD', '1', '2026-12-31', 'new', '[]',"
            f" '[]', '[]', '[]', 'r', 1, '{at}', 1)",
            "INSERT INTO claim (id, registration_id, account_id, partner_id, product_line, place,"
            " outcome, state, decided_at, plan_number, codes, reasons) VALUES ('clm_1', 'reg_1',"
            f" 'acc_1', 'a', 'line', 1, 'contested', 'contested', '{at}', 1, '[]', '[]')",
            "INSERT INTO conflict (id, account_id, kind, state, opened_at, generation, deadlines,"
            f" plan_number) VALUES ('cnf_1', 'acc_1', 'overlap', 'open', '{at}', 1, '[]', 1)",
            "INSERT INTO conflict_claim (conflict_id, claim_id, position)"
            " VALUES ('cnf_1', 'clm_1', 1)",
        ):
            conn.exec_driver_sql(statement)

    await migrate(database, PACKAGE, "0004")
    await database.write(fill)
    await migrate(database, PACKAGE)
    await downgrade(database, PACKAGE, "0004")
    await migrate(database, PACKAGE)
    party = metadata.tables["conflict_claim"]
    kept = await database.read(lambda conn: conn.execute(select(party.c.claim_id)).scalars().all())
    assert kept == ["clm_1"]
    with pytest.raises(IntegrityError):
        await database.write(
            lambda conn: conn.exec_driver_sql("DELETE FROM claim WHERE id = 'clm_1'")
        )


async def test_look_ups_know_what_was_there_before(database: Database) -> None:
    """Revision 0014 reads from a case what its ruling appeals, and from a registration who was asked."""
    at = "2026-03-02 09:00:00.000000Z"
    await migrate(database, PACKAGE, "0013")

    def fill(conn: Connection) -> None:
        conn.exec_driver_sql(
            "INSERT INTO account (id, name, facts, sources, last_place, event_version, version,"
            f" created_at, absorbs) VALUES ('acc_1', 'One', '{{}}', '{{}}', 1, 0, 1, '{at}', false)"
        )
        conn.exec_driver_sql(
            "INSERT INTO registration (id, account_id, partner_id, filed_by, filed_at, account_name,"
            " amount, currency, amount_base, close_date, deal_type, place_of_use, tags, evidence,"
            " owner, receipt_number, plan_number, last_activity_at, version) VALUES ('reg_1',"
            f" 'acc_1', 'a', 'partner', '{at}', 'One', '1', 'USD', '1', '2026-12-31', 'new', '[]',"
            f" '[]', '[]', '[]', 'r', 1, '{at}', 1)"
        )
        for case_id, kind, details in (
            ("cnf_1", "overlap", "{}"),
            ("cnf_2", "appeal", '{"appeal_of": "cnf_1"}'),
        ):
            conn.exec_driver_sql(
                "INSERT INTO conflict (id, account_id, kind, state, opened_at, version, course, terms,"
                f" details, plan_number) VALUES ('{case_id}', 'acc_1', '{kind}', 'decided', '{at}', 1,"
                f" '{{}}', '{{}}', '{details}', 1)"
            )
            conn.exec_driver_sql(
                "INSERT INTO ruling (conflict_id, account_id, case_kind, kind, level, decided_at,"
                " breached, plan_number, parts, departs, reason_entry) VALUES"
                f" ('{case_id}', 'acc_1', '{kind}', 'award', 1, '{at}', false, 1, '[]', '[]', 'e')"
            )
        conn.exec_driver_sql(
            "INSERT INTO case_entry (id, conflict_id, at, kind, actor, registration_id, text)"
            f" VALUES ('cen_1', 'cnf_1', '{at}', 'question', 'm', 'reg_1', 'Since when?'),"
            f" ('cen_2', 'cnf_1', '{at}', 'comment', 'm', NULL, 'Hm.')"
        )

    await database.write(fill)
    await migrate(database, PACKAGE)
    ruling, entry = metadata.tables["ruling"], metadata.tables["case_entry"]

    def known(conn: Connection) -> list[tuple[Any, ...]]:
        appealed = select(ruling.c.conflict_id, ruling.c.appeal_of)
        asked = select(entry.c.id, entry.c.partner_id)
        return sorted([*map(tuple, conn.execute(appealed)), *map(tuple, conn.execute(asked))])

    assert await database.read(known) == [
        ("cen_1", "a"),
        ("cen_2", None),
        ("cnf_1", None),
        ("cnf_2", "cnf_1"),
    ]
