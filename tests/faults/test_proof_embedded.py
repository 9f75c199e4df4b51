"""The smoke of the proof on SQLite and the embedded bus."""

from pathlib import Path

import pytest

from tests.faults.proof import Lab, Row, rows
from tests.faults.spawner import Spawner


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row.name) for row in rows() if row.tried_on("embedded", full=False)],
)
def test_the_promise_is_kept(row: Row, tmp_path: Path, forks: Spawner) -> None:
    row.check(Lab("embedded", tmp_path, spawner=forks))
