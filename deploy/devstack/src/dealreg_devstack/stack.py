"""PostgreSQL and Kafka together, for development: one folder remembers what runs.

It must not configure the services beyond the addresses it hands out.
"""

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dealreg_devstack.kafka import Kafka
from dealreg_devstack.postgres import Postgres
from dealreg_devstack.privileges import is_root, open_to_all, own_base
from dealreg_devstack.statefile import read_state, write_state

SERVICES = ("registration", "coverage", "notifier")


class Stack:
    """The servers that belong to `folder`, whichever process started them.

    Their data stays from `up` to `up` until it is removed. Where root's servers could not enter
    `folder`, the data is kept in a folder of root's own under the temporary folder.
    """

    def __init__(self, folder: Path, *, kafka_nodes: int = 1, fsync: bool = True) -> None:
        self.folder = folder.resolve()
        self._kafka_nodes = kafka_nodes
        self._fsync = fsync

    def up(self) -> dict[str, str]:
        """Start what does not run and return the environment that the services need.

        Calling it again changes nothing. Raises DevstackUnavailable or DevstackFailed.
        """
        with self._alone():
            known = self.environment()
            if known and all(self.running().values()):
                return known
            postgres = Postgres(self.data / "postgres", fsync=self._fsync).start()
            kafka = Kafka(self.data / "kafka", nodes=self._kafka_nodes).start()
            environment = {"DEALREG_KAFKA_BOOTSTRAP": kafka.bootstrap}
            for service in SERVICES:
                name = f"dealreg_{service}"
                url = postgres.create_database(name, name, keep=True)
                environment[f"DEALREG_{service.upper()}_DATABASE_URL"] = url
            write_state(self._state, environment)
            return environment

    def down(self, *, remove: bool = False) -> None:
        """Stop the servers by their own process ids; with `remove` delete their data too."""
        if not self.folder.is_dir():
            return
        with self._alone():
            if self.data.is_dir():
                Kafka(self.data / "kafka").stop()
                Postgres(self.data / "postgres").stop()
            self._state.unlink(missing_ok=True)
            if remove:
                shutil.rmtree(self.data, ignore_errors=True)

    def running(self) -> dict[str, bool]:
        """Which of the servers run."""
        return {
            "PostgreSQL": Postgres.attach(self.data / "postgres") is not None,
            "Kafka": Kafka.attach(self.data / "kafka") is not None,
        }

    def environment(self) -> dict[str, str] | None:
        """What `up` returned last, or None when the stack is not up."""
        return read_state(self._state)

    @property
    def data(self) -> Path:
        """The folder of the servers' data and logs."""
        if is_root() and not open_to_all(self.folder):
            digest = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
            return own_base() / f"stack-{digest}"
        return self.folder / "data"

    @property
    def _state(self) -> Path:
        return self.folder / "environment.json"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
