"""`dealreg-devstack up`, `status` and `down`: what a developer types."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from dealreg_devstack.kafka import Kafka
from dealreg_devstack.kafka_probe import known_brokers
from dealreg_devstack.postgres import Postgres
from dealreg_devstack.stack import Stack

pytestmark = pytest.mark.devstack


def _command(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dealreg_devstack", "--folder", str(folder), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "stack"  # closed to other users, as root's home is
    Stack(tmp_path / "stack").down(remove=True)


async def test_up_again_and_down(folder: Path) -> None:
    assert _command(folder, "status").returncode == 1

    first = _command(folder, "up", "--no-fsync")
    assert first.returncode == 0, first.stderr
    environment = dict(line.split("=", 1) for line in first.stdout.splitlines())
    assert list(environment) == [
        "DEALREG_KAFKA_BOOTSTRAP",
        "DEALREG_REGISTRATION_DATABASE_URL",
        "DEALREG_COVERAGE_DATABASE_URL",
        "DEALREG_NOTIFIER_DATABASE_URL",
    ]
    for name, url in environment.items():
        if name.endswith("_URL"):
            connection = await asyncpg.connect(url.replace("+asyncpg", ""))
            await connection.execute("CREATE TABLE mark (id int)")
            await connection.close()
    port = int(environment["DEALREG_KAFKA_BOOTSTRAP"].rpartition(":")[2])
    assert known_brokers(port) == {1}
    assert (folder / "environment.json").stat().st_mode & 0o077 == 0  # it holds passwords

    assert _command(folder, "up").stdout == first.stdout
    assert _command(folder, "status").returncode == 0

    # One of the two ends by itself: `up` mends it, and the data is still there.
    data = Stack(folder).data
    kafka, postgres = Kafka.attach(data / "kafka"), Postgres.attach(data / "postgres")
    assert kafka is not None and postgres is not None
    postgres.kill()
    assert "PostgreSQL: down" in _command(folder, "status").stdout
    assert _command(folder, "up").returncode == 0
    mended = Postgres.attach(data / "postgres")
    assert mended is not None
    assert mended.sql("SELECT count(*) FROM mark", database="dealreg_registration") == "0"

    assert _command(folder, "down").returncode == 0
    assert _command(folder, "status").stdout.count("down") == 2
    assert not kafka.running and not mended.running
    assert data.exists()
    assert _command(folder, "down", "--remove").returncode == 0
    assert not data.exists()


def test_a_missing_part_is_one_line(folder: Path) -> None:
    answer = _command(folder, "up", DEALREG_DEVSTACK_PG_BIN="/nowhere")
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith(
        "No PostgreSQL: DEALREG_DEVSTACK_PG_BIN names /nowhere"
    )
    assert "Traceback" not in answer.stderr
