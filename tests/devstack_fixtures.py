"""The PostgreSQL and the Kafka that a test run shares, started when a test first asks for them.

One of each per run, also under pytest-xdist: the workers find them in a folder of the controlling
process, which stops them at the end. Tests make databases and topics of their own and must not
stop or break these servers; a test that breaks things starts its own.
"""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from dealreg_devstack import DevstackUnavailable, Kafka, Postgres
from dealreg_devstack.temporary import abandoned, temporary_folder
from tests.leaving_out import leave_out

_PREFIX = "dealreg-tests-"
_FOLDER = pytest.StashKey[Path]()
_WORKER_INPUT = "dealreg_devstack_folder"

ServerT = TypeVar("ServerT")


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> Postgres:
    """A running PostgreSQL without fsync; make a database with `create_database`."""
    return _shared(pytestconfig, lambda run: Postgres(run / "postgres", fsync=False).start())


@pytest.fixture
def postgres_bench() -> Iterator[Postgres]:
    """A PostgreSQL of one's own with fsync, as the benchmarks have it."""
    try:
        server = Postgres(fsync=True).start()
    except DevstackUnavailable as error:
        leave_out(str(error))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kafka_cluster(pytestconfig: pytest.Config) -> Kafka:
    """A running Kafka of one node; make topics with names of your own."""
    return _shared(pytestconfig, lambda run: Kafka(run / "kafka").start())


@pytest.fixture
def reachable_folder() -> Iterator[Path]:
    """An empty folder that a server without root's rights can enter (`tmp_path` is closed)."""
    folder = temporary_folder(_PREFIX)
    yield folder
    shutil.rmtree(folder)


def pytest_configure(config: pytest.Config) -> None:
    """Know the run's folder: a worker is told, the controlling process makes it."""
    worker_input: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker_input is not None:
        config.stash[_FOLDER] = Path(worker_input[_WORKER_INPUT])
        return
    for leftover in abandoned(_PREFIX):  # of a run that was killed
        _remove(leftover)
    config.stash[_FOLDER] = temporary_folder(_PREFIX)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the run's folder is."""
    node.workerinput[_WORKER_INPUT] = str(node.config.stash[_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started, once the last worker is gone."""
    if not hasattr(config, "workerinput") and _FOLDER in config.stash:
        _remove(config.stash[_FOLDER])


def _shared(config: pytest.Config, start: Callable[[Path], ServerT]) -> ServerT:
    run = config.stash[_FOLDER]
    with (run / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return start(run)
        except DevstackUnavailable as error:
            leave_out(str(error))


def _remove(run: Path) -> None:
    Kafka(run / "kafka").stop()
    Postgres(run / "postgres").stop()
    shutil.rmtree(run, ignore_errors=True)
