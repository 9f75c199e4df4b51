"""The smoke of the proof on a real PostgreSQL and a real Kafka.

A file of its own, so that a second worker can try these while another one tries the embedded ones.
"""

from pathlib import Path

import pytest

from dealreg_devstack import Kafka, Postgres
from tests.faults.proof import Lab, Row, rows
from tests.faults.spawner import Spawner

pytestmark = [pytest.mark.devstack, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.name) for row in rows() if row.tried_on("servers", full=False)]
)
def test_the_promise_is_kept(
    row: Row, tmp_path: Path, forks: Spawner, postgres_server: Postgres, kafka_cluster: Kafka
) -> None:
    row.check(Lab("servers", tmp_path, False, postgres_server, kafka_cluster, forks))
