"""Brings a service's database to a revision of its own history (Alembic), from inside a running loop.

One transaction does all of it: lock, clock function, every revision. So two processes that start
together migrate one after the other, and a revision that fails leaves the database as it was. Must not
know any table; a service's ``migrations/env.py`` hands its metadata over by calling ``run_env``.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from dealreg_shared.db.engine import Database

_LOCK = 0x6465616C726567  # "dealreg" in ASCII; one lock per PostgreSQL database
_PATIENCE = "60s"

_APP_NOW = """
CREATE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()'
"""


async def migrate(database: Database, package: str, revision: str = "head") -> None:
    """Upgrade to ``revision`` of ``package``'s migrations. Does nothing when it is there already.

    On PostgreSQL the clock function ``app_now()`` is made first if there is none; an existing one is
    left alone. Raises ``alembic.util.CommandError`` for a revision that the package does not have.
    """
    await _run(database, package, lambda config: command.upgrade(config, revision))


async def downgrade(database: Database, package: str, revision: str = "base") -> None:
    """Go back to ``revision`` of ``package``'s migrations, dropping what came after it."""
    await _run(database, package, lambda config: command.downgrade(config, revision))


def migrations_folder(package: str) -> Path:
    """The folder ``migrations`` of ``package``. Raises ``LookupError`` if there is none."""
    spec = find_spec(package)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(location) / "migrations"
        if (folder / "env.py").is_file():
            return folder
    raise LookupError(f"{package} has no folder migrations with an env.py")


def alembic_config(package: str) -> Config:
    """Alembic's configuration for ``package``, without any file."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder(package)).replace("%", "%%"))
    return config


def run_env(metadata: MetaData) -> None:
    """What every ``migrations/env.py`` calls: runs the revisions on the connection that was given."""
    connection: Connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():  # the caller's own transaction: nothing is committed here
        context.run_migrations()


async def _run(database: Database, package: str, run: Callable[[Config], Any]) -> None:
    config = alembic_config(package)

    def work(conn: Connection) -> None:
        if conn.dialect.name == "postgresql":
            _take_turns(conn)
            make_clock(conn)
        config.attributes["connection"] = conn
        before = MigrationContext.configure(conn).get_current_heads()
        run(config)
        if MigrationContext.configure(conn).get_current_heads() != before:
            _check_keys(conn)

    await database.restructure(work)


def _check_keys(conn: Connection) -> None:
    """On SQLite foreign keys are off while tables change; nothing may be left that breaks one."""
    if conn.dialect.name != "sqlite":
        return
    broken = conn.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise RuntimeError(f"a migration left a row of {broken[0]} without its row of {broken[2]}")


def make_clock(conn: Connection) -> None:
    """Make PostgreSQL's ``app_now()`` if there is none."""
    if conn.exec_driver_sql("SELECT to_regprocedure('app_now()')").scalar_one() is None:
        conn.exec_driver_sql(_APP_NOW)


def _take_turns(conn: Connection) -> None:
    # The limits of daily work (engine.POSTGRES_LIMITS) are too short for an index on a large table.
    for limit, value in (
        ("statement_timeout", "0"),
        ("idle_in_transaction_session_timeout", _PATIENCE),
        ("lock_timeout", _PATIENCE),
    ):
        conn.exec_driver_sql(f"SET LOCAL {limit} = '{value}'")
    conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
