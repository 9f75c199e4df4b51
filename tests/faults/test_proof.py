"""The smoke of the proof: every row, on both kinds of installation."""

from pathlib import Path

import pytest

from tests.faults.proof import Lab, Row, Where, rows


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
    row: Row, where: Where, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    lab = Lab(where, tmp_path)
    if where == "servers":
        lab.postgres = request.getfixturevalue("postgres_server")
        lab.kafka = request.getfixturevalue("kafka_cluster")
    outcome = row.prove(lab)
    assert outcome.kept, f"{row.promise}: {outcome.found} (tried {outcome.tried})"
