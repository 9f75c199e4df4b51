"""Each service's migrations go up, down and up on both databases, and make what the code expects."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect

from dealreg_shared.db import Database
from dealreg_shared.db.migrate import migrate, migrations_folder
from tests.migrations.suite import MigrationContract


@pytest.mark.parametrize("service", ["registration", "coverage", "notifier"])
class TestMigrations(MigrationContract):
    """The contract, for each service."""


BROKEN = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "1", None
branch_labels = depends_on = None


def upgrade():
    op.create_table("first", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("this is no statement")
"""


async def test_a_revision_that_fails_leaves_the_database_as_it_was(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = tmp_path / "dealreg_broken" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / "dealreg_broken" / "__init__.py").touch()
    (versions / "1.py").write_text(BROKEN)
    (versions.parent / "env.py").write_text(
        "from sqlalchemy import MetaData\n"
        "from dealreg_shared.db.migrate import run_env\n"
        "run_env(MetaData())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Exception, match="this"):
        await migrate(database, "dealreg_broken")
    assert await database.read(_tables) == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_clock_that_is_there_already_is_left_alone(database: Database) -> None:
    """The tests of PostgreSQL put their own function in its place."""
    frozen = (
        "CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql"
        " AS $$ SELECT timestamptz '2027-03-01 09:00Z' $$"
    )
    await database.write(lambda conn: conn.exec_driver_sql(frozen) and None)
    await migrate(database, "dealreg_notifier")
    now = await database.read(lambda conn: conn.exec_driver_sql("SELECT app_now()").scalar_one())
    assert now.isoformat() == "2027-03-01T09:00:00+00:00"


def test_a_package_without_migrations_is_named() -> None:

    with pytest.raises(LookupError, match="dealreg_shared has no folder migrations"):
        migrations_folder("dealreg_shared")


def _tables(conn: Connection) -> list[str]:

    return inspect(conn).get_table_names()
