"""Coverage on a real Kafka and a real PostgreSQL: a history, its rebuild, and what was told."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from dealreg_coverage.rebuild import rebuild
from dealreg_coverage.state import canonical_state
from dealreg_devstack import Kafka, Postgres
from dealreg_shared.bus.kafka import KafkaBus
from tests.component.coverage.conftest import NOW, open_house
from tests.factories.coverage import interleaved, random_log

pytestmark = pytest.mark.devstack


async def test_a_history_on_kafka_gives_the_bytes_of_its_rebuild(
    tmp_path: Path, kafka_cluster: Kafka, postgres_server: Postgres
) -> None:
    bus = KafkaBus(kafka_cluster.bootstrap, prefix=f"cov-{uuid4().hex[:8]}.", session_seconds=6.0)
    async with open_house(tmp_path, bus, postgres_server) as house:
        await house.move_to(NOW + timedelta(days=800))
        log = random_log(5)
        await house.publish(list(interleaved(log.events, 5)))
        await house.settle()
        await house.service.tick()
        database = house.service.database
        before = await database.read(lambda conn: canonical_state(conn, house.now))
        assert before.count(b'["cell_quarter"') > 5
        applied = await rebuild(database, bus, house.service.extras["desk"])
        assert applied > 50
        after = await database.read(lambda conn: canonical_state(conn, house.now))
        assert after == before
        await house.settle()
        told = await house.told()
        versions = [event.keyversion for event in told if event.partitionkey == "west/smb"]
        assert versions == list(range(1, len(versions) + 1))
        assert len(versions) > 1
