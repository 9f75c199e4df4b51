"""One PostgreSQL per test run, also with several workers, and none left when the run is over."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dealreg_devstack import Postgres
from dealreg_devstack.processes import eventually
from dealreg_devstack.temporary import abandoned

pytestmark = pytest.mark.devstack
ROOT = Path(__file__).parents[2]

_TESTS = """
import os, pathlib, pytest

@pytest.mark.parametrize("number", range(4))
def test_it_answers(number, postgres_server):
    assert postgres_server.sql("SELECT 1") == "1"
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    pathlib.Path(f"seen-{worker}").write_text(str(postgres_server.folder))
"""


def _run(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text('pytest_plugins = ["tests.devstack_fixtures"]')
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text(_TESTS)
    inherited = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    inherited.pop("CI", None)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", *options],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        env={**inherited, "PYTHONPATH": str(ROOT), **environment},
    )


def test_workers_share_one_server_and_leave_none(tmp_path: Path) -> None:
    result = _run(tmp_path, "-n", "2", "--dist", "each")
    assert result.returncode == 0, result.stdout
    seen = {file.name: Path(file.read_text()) for file in tmp_path.glob("seen-*")}
    assert set(seen) == {"seen-gw0", "seen-gw1"}
    assert len(set(seen.values())) == 1
    assert not seen["seen-gw0"].exists()


def test_a_missing_part_skips_with_one_line(tmp_path: Path) -> None:
    result = _run(tmp_path, DEALREG_DEVSTACK_PG_BIN="/nowhere")
    assert result.returncode == 0, result.stdout
    assert "4 skipped" in result.stdout
    assert "No PostgreSQL: DEALREG_DEVSTACK_PG_BIN names /nowhere" in result.stdout


def test_a_missing_part_fails_where_nothing_may_be_left_out(tmp_path: Path) -> None:
    result = _run(tmp_path, DEALREG_DEVSTACK_PG_BIN="/nowhere", CI="true")
    assert result.returncode == 1
    assert "4 errors" in result.stdout


def test_what_a_killed_owner_left_is_ended_by_the_next() -> None:
    program = (
        "import os, signal\n"
        "from dealreg_devstack import Postgres\n"
        "print(Postgres(fsync=False).start().folder, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    dead = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    left = Path(dead.stdout.strip())
    # Another run on this machine may be the next; then it tidies up instead of this one.
    orphan = Postgres.attach(left)
    with Postgres(fsync=False):
        assert eventually(lambda: not left.exists(), within=20)
    assert left not in abandoned("dealreg-postgres-")
    assert orphan is None or not orphan.running
