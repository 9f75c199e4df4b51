"""What the rows of the proof share in a test run."""

from collections.abc import Iterator

import pytest

from tests.faults.spawner import Spawner, spawner


@pytest.fixture(scope="session")
def forks() -> Iterator[Spawner]:
    """One process that forks all services of this worker."""
    with spawner() as started:
        yield started
