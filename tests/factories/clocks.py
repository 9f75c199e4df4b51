"""Time that stands where a test puts it, on PostgreSQL too: there ``app_now()`` is a function of the
database, and the services notice by asking it."""

from datetime import datetime

from sqlalchemy import text

from dealreg_shared.db import Database


async def stand_at(database: Database, now: datetime) -> None:
    """From here on it is ``now``. On SQLite the clock is the one that the service was built with."""
    if database.dialect == "postgresql":
        function = (
            "CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql VOLATILE "
            f"AS $$ SELECT timestamptz '{now.isoformat()}' $$"
        )
        await database.write(lambda conn: conn.execute(text(function)) and None)
