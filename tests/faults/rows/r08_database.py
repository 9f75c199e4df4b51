"""Row 8: the database stops at once, again and again, while partners file: what was answered stays."""

import time
from collections.abc import Sequence
from functools import partial

from dealreg_devstack import Postgres
from tests.faults.clients import Client, filing_clients, lost
from tests.faults.installation import Process, until
from tests.faults.programme import enrol
from tests.faults.proof import Lab, Outcome, Row

READY_SECONDS = 30.0
BETWEEN_SECONDS = 0.5
"""How long it works between two stops."""


def prove(lab: Lab) -> Outcome:
    """Stop and start PostgreSQL while four clients file and repeat what was not answered."""
    times = lab.count(2, 100)
    with Postgres(fsync=True) as postgres, lab.installation(postgres=postgres) as made:
        process = made.start("registration").ready()
        with filing_clients(process.url, enrol(made, 4)) as clients:
            slowest = max(_stop_and_wait(postgres, process, clients) for _ in range(times))
        missing = lost(made, clients)
        answered = sum(len(client.accepted) for client in clients)
        odd = [status for client in clients for status in client.odd]
    return Outcome(
        f"{times} immediate stops, fsync on, {answered} registrations answered",
        f"{len(missing)} lost, {len(odd)} answers but 201 and 503; ready after {slowest:.1f} s at most",
        kept=not missing and not odd and slowest <= READY_SECONDS,
    )


ROW = Row(
    "8",
    "database",
    "0 acknowledged decisions lost; ready again unaided <= 30 s",
    prove,
    ("servers",),
)


def _stop_and_wait(postgres: Postgres, process: Process, clients: Sequence[Client]) -> float:
    """Seconds from when the database is back to when the service decides again, by itself."""
    postgres.stop_immediately()
    postgres.restart()
    began = time.monotonic()
    before = [len(client.accepted) for client in clients]
    until(process.answers, "the service is ready again", READY_SECONDS)
    for client, count in zip(clients, before, strict=True):
        until(partial(_decided_more, client, count), "it decides again", READY_SECONDS)
    took = time.monotonic() - began
    time.sleep(BETWEEN_SECONDS)
    return took


def _decided_more(client: Client, than: int) -> bool:
    return len(client.accepted) > than
