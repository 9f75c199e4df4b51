"""The smoke of the proof: every row, on both kinds of installation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.proof import Lab, Row, Where, rows
from tests.faults.spawner import Spawner, spawner


@pytest.fixture(scope="module")
def forks() -> Iterator[Spawner]:
    """One process that forks all services of these tests."""
    with spawner() as started:
        yield started


@pytest.mark.parametrize(
    ("row", "where"),
    [
        pytest.param(
            row,
            where,
            id=f"{row.name}-{where}",
            marks=[pytest.mark.devstack] if where == "servers" else [],
        )
        for row in rows()
        for where in row.where
    ],
)
def test_the_promise_is_kept(
    row: Row, where: Where, tmp_path: Path, forks: Spawner, request: pytest.FixtureRequest
) -> None:
    lab = Lab(where, tmp_path, spawner=forks)
    if where == "servers":
        lab.postgres = request.getfixturevalue("postgres_server")
        lab.kafka = request.getfixturevalue("kafka_cluster")
    outcome = row.prove(lab)
    assert outcome.kept, f"{row.promise}: {outcome.found} (tried {outcome.tried})"
