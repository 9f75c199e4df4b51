"""The devstack's PostgreSQL is a real one, keeps databases apart and leaves nothing behind."""

import contextlib
from pathlib import Path

import asyncpg
import pytest

from dealreg_devstack import DevstackFailed, DevstackUnavailable, Postgres
from dealreg_devstack.privileges import NOBODY, is_root
from dealreg_devstack.processes import OwnProcess

pytestmark = pytest.mark.devstack


def _dsn(url: str) -> str:
    return url.replace("postgresql+asyncpg://", "postgresql://")


@pytest.mark.parametrize("origin", ["preferred", "wheel"])
async def test_database_answers_its_role_and_no_other(
    origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if origin == "wheel":
        monkeypatch.setenv("DEALREG_DEVSTACK_PG_BIN", "wheel")
    with Postgres(fsync=False) as server:
        mine = server.create_database("mine", "owner_of_mine")
        other = server.create_database("other", "owner_of_other")
        connection = await asyncpg.connect(_dsn(mine))
        await connection.execute("CREATE TABLE deal (id int); INSERT INTO deal VALUES (7)")
        assert await connection.fetchval("SELECT id FROM deal") == 7
        assert await connection.fetchval("SHOW fsync") == "off"
        assert await connection.fetchval("SHOW timezone") == "UTC"
        await connection.close()
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(_dsn(mine.rpartition("/")[0] + "/other"))
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(_dsn(other.replace("owner_of_other", "owner_of_mine")))
        server.drop_database("mine", "owner_of_mine")
        assert server.sql("SELECT datname FROM pg_database WHERE datname = 'mine'") == ""
        assert server.sql("SELECT 1 FROM pg_roles WHERE rolname = 'owner_of_mine'") == ""


async def test_committed_rows_survive_a_kill(tmp_path: Path) -> None:
    with Postgres() as server:
        url = _dsn(server.create_database("kept", "keeper"))
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE deal AS SELECT 7 AS id")
        assert await connection.fetchval("SHOW fsync") == "on"
        server.kill()
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            await connection.close(timeout=5)
        assert not server.running
        server.restart()
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT id FROM deal") == 7
        await connection.close()


def test_stop_leaves_no_process_and_no_file() -> None:
    server = Postgres(fsync=False).start()
    folder = server.folder
    process = server._process
    assert folder is not None and process is not None and process.alive()
    if is_root():
        assert (folder / "data").stat().st_uid == NOBODY
        assert folder.stat().st_uid == 0
        assert (folder / "server.json").stat().st_mode & 0o077 == 0
    server.stop()
    assert not process.alive()
    assert not folder.exists()
    server.stop()  # a second time does no harm


def test_a_folder_finds_its_server_again_and_keeps_its_data(reachable_folder: Path) -> None:
    first = Postgres(reachable_folder, fsync=False).start()
    try:
        first.create_database("kept", "keeper")
        found = Postgres.attach(reachable_folder)
        assert found is not None
        assert found.port == first.port
        assert found.sql("SELECT 1") == "1"
        assert Postgres(reachable_folder).start().port == first.port
        Postgres(reachable_folder).stop()
        assert not first.running
        assert Postgres.attach(reachable_folder) is None
        again = Postgres(reachable_folder).start()
        assert again.sql("SELECT 1 FROM pg_database WHERE datname = 'kept'") == "1"
    finally:
        Postgres(reachable_folder).stop()


def test_data_without_its_state_file_is_not_overwritten(reachable_folder: Path) -> None:
    (reachable_folder / "data").mkdir()
    (reachable_folder / "data" / "precious").touch()
    with pytest.raises(DevstackFailed, match=r"no server\.json"):
        Postgres(reachable_folder).start()
    assert (reachable_folder / "data" / "precious").exists()


def test_a_folder_without_programs_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEALREG_DEVSTACK_PG_BIN", str(tmp_path))
    with pytest.raises(
        DevstackUnavailable, match=r"^No PostgreSQL: DEALREG_DEVSTACK_PG_BIN names .*initdb"
    ):
        Postgres().start()


@pytest.mark.parametrize("name", ["", "Upper", "a-b", "a;drop", "x" * 64])
def test_names_that_would_need_quoting_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="small letters"):
        Postgres().create_database(name, "role")


def test_a_role_gets_a_new_password_and_keeps_its_database(postgres_server: Postgres) -> None:
    first = postgres_server.create_database("twice", "twice")
    try:
        second = postgres_server.create_database("twice", "twice", keep=True)
        assert first != second
    finally:
        postgres_server.drop_database("twice", "twice")


def test_the_recorded_process_must_be_the_same_one(postgres_server: Postgres) -> None:
    assert postgres_server._process is not None
    real = postgres_server._process
    for stranger in (
        OwnProcess(real.pid, real.started - 60, real.mark),
        OwnProcess(real.pid, real.started, "/another/folder"),
    ):
        assert not stranger.alive()
        stranger.kill()
        stranger.end()
    assert real.alive()
