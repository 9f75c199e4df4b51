"""Databases at the head of a service's migrations, copied from one that was migrated once.

A copy is what `migrate` makes of an empty database, at a tenth of its price. That the migrations are
right is proved in tests/migrations; a test of migrating itself must not come here.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from sqlalchemy import Connection, inspect
from sqlalchemy.engine import make_url

from dealreg_devstack import Postgres
from dealreg_shared.db import Database
from dealreg_shared.db.migrate import migrate
from dealreg_shared.private_files import make_file

_files: dict[str, bytes] = {}
_templates: dict[tuple[int, str], tuple[str, str]] = {}


async def migrated(database: Database, service: str) -> None:
    """Bring a new database of ``service``, such as ``registration``, to the head; leave a used one.

    One on PostgreSQL is as ``postgres_url`` made it, or else migrated here.
    """
    if database.dialect == "sqlite":
        file = Path(database.url.database or "")
        if not file.exists():
            await _copy(file, service)
    elif await database.read(_is_empty):
        await migrate(database, f"dealreg_{service}")


@asynccontextmanager
async def postgres_url(server: Postgres, service: str) -> AsyncIterator[str]:
    """The address of a new, migrated database of ``service``, dropped at the end."""
    template, url = await _template(server, service)
    name = f"{service}_{uuid4().hex[:16]}"
    server.sql(f"CREATE DATABASE {name} OWNER {template} TEMPLATE {template}")
    try:
        yield make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        server.drop_database(name)


async def _copy(file: Path, service: str) -> None:
    if service not in _files:
        with TemporaryDirectory() as folder:
            made = Path(folder) / "template.db"
            database = Database(f"sqlite:///{made}")
            await migrate(database, f"dealreg_{service}")
            await database.dispose()
            _files[service] = made.read_bytes()
    make_file(file)
    file.write_bytes(_files[service])


async def _template(server: Postgres, service: str) -> tuple[str, str]:
    """The name of a migrated database that nobody uses, which is also its role, and its address."""
    key = (server.port, service)
    if key not in _templates:
        name = f"migrated_{service}_{os.getpid()}"
        url = server.create_database(name, name)
        database = Database(url)
        await migrate(database, f"dealreg_{service}")
        await database.dispose()
        _templates[key] = (name, url)
    return _templates[key]


def _is_empty(conn: Connection) -> bool:
    return not inspect(conn).get_table_names()
