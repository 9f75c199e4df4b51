"""Registration's database comes back from a backup: what the log knows and it does not is named."""

import secrets
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from dealreg_shared.bus.embedded import EmbeddedBus
from tests.factories.audit_world import audit_world

pytestmark = pytest.mark.timeout(300)

SERVICES = ("registration", "coverage", "notifier")

Step = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Backup:
    """Of registration's database; both while nothing runs."""

    urls: dict[str, str] | None
    take: Step
    put_back: Step


def of_a_file(folder: Path) -> Backup:
    def copied(source: Path, target: Path) -> Step:
        async def copy() -> None:
            for left in target.parent.glob(f"{target.name}*"):
                left.unlink()
            with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
                one.backup(other)

        return copy

    database, backup = folder / "registration.db", folder / "registration.backup"
    return Backup(None, copied(database, backup), copied(backup, database))


def on_a_server(request: pytest.FixtureRequest) -> Backup:
    postgres = request.getfixturevalue("postgres_server")
    name = f"restored_{secrets.token_hex(4)}"
    urls = {
        service: postgres.create_database(f"{name}_{service}", f"{name}_{service}")
        for service in SERVICES
    }
    database = make_url(urls["registration"]).database

    def copied(source: str, target: str) -> Step:
        async def copy() -> None:
            connection = await asyncpg.connect(postgres.admin_url.replace("+asyncpg", ""))
            try:
                await connection.execute(f'DROP DATABASE IF EXISTS "{target}"')
                await connection.execute(
                    f'CREATE DATABASE "{target}" TEMPLATE "{source}" OWNER "{database}"'
                )
            finally:
                await connection.close()

        return copy

    assert database is not None
    return Backup(urls, copied(database, f"{name}_backup"), copied(f"{name}_backup", database))


@pytest.mark.parametrize(
    "where", ["sqlite", pytest.param("postgresql", marks=pytest.mark.devstack)]
)
async def test_what_the_log_knows_and_the_database_does_not_is_named(
    request: pytest.FixtureRequest, where: str, tmp_path: Path
) -> None:
    backup = of_a_file(tmp_path) if where == "sqlite" else on_a_server(request)
    bus = EmbeddedBus(tmp_path / "bus.db")
    async with audit_world(tmp_path, bus, backup.urls) as world:
        await world.file("acme", "before")
        await world.settle()
        keys = dict(world.keys)
    await backup.take()

    async with audit_world(tmp_path, bus, backup.urls, keys) as world:
        world.filings = 10
        kept = await world.file("techstart", "before")
        lost = await world.file("acme", "after")
        await world.settle()
        assert (await world.audit()).status == "clean"
        kept_account = await world.one(
            "registration", "SELECT account_id FROM registration WHERE id = :id", id=kept["id"]
        )
        lost_account = await world.one(
            "registration", "SELECT account_id FROM registration WHERE id = :id", id=lost["id"]
        )
        ended = await world.one(
            "registration", "SELECT event_version FROM account WHERE id = :id", id=kept_account
        )
    await backup.put_back()

    async with audit_world(tmp_path, bus, backup.urls, keys) as world:
        health = await world.audit()
        told = {
            finding.ids[0]: finding.sentence
            for finding in health.findings
            if finding.check == "log-known:registration"
        }
        assert set(told) == {kept_account, lost_account}, health
        assert (
            f"The log knows registration {kept_account} up to version {ended}; the database ends at 1."
            in told[kept_account]
        )
        assert "the database does not know it at all" in told[lost_account]
        assert health.status == "findings"

        # It goes on, and takes numbers that others have applied already.
        world.filings = 20
        await world.file("acme", "before", product_lines=["platform"], amount=OTHER)
        await world.file("techstart", "before")
        await world.settle()
        health = await world.audit()
        doubled = {f.ids[0] for f in health.findings if f.check == "log"}
        assert kept_account in doubled
    await bus.close()


OTHER = {"amount": "30000.00", "currency": "USD"}
