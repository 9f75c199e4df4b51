"""Row 8: the database stops at once, again and again, while partners file: what was answered stays."""

import threading
import time
from collections.abc import Sequence

import httpx
from sqlalchemy import select

from dealreg_devstack import Postgres
from tests.faults.installation import Installation, Process, until
from tests.faults.programme import enrol, filing
from tests.faults.proof import Lab, Outcome, Row

READY_SECONDS = 30.0
BETWEEN_SECONDS = 0.5
"""How long it works between two stops."""


def prove(lab: Lab) -> Outcome:
    """Stop and start PostgreSQL while four clients file and repeat what was not answered."""
    times = lab.count(2, 100)
    with Postgres(fsync=True) as postgres, lab.installation(postgres=postgres) as made:
        process = made.start("registration").ready()
        clients = [_Client(process, secret, number) for number, secret in enumerate(enrol(made, 4))]
        for client in clients:
            client.start()
        slowest = max(_stop_and_wait(postgres, process, clients) for _ in range(times))
        for client in clients:
            client.finish()
        lost = _lost(made, clients)
        answered = sum(len(client.accepted) for client in clients)
        odd = [status for client in clients for status in client.odd]
    return Outcome(
        f"{times} immediate stops, fsync on, {answered} registrations answered",
        f"{len(lost)} lost, {len(odd)} answers but 201 and 503; ready after {slowest:.1f} s at most",
        kept=not lost and not odd and slowest <= READY_SECONDS,
    )


ROW = Row(
    "8",
    "database",
    "0 acknowledged decisions lost; ready again unaided <= 30 s",
    prove,
    ("servers",),
)


def _stop_and_wait(postgres: Postgres, process: Process, clients: Sequence["_Client"]) -> float:
    """Seconds from when the database is back to when the service decides again, by itself."""
    postgres.stop_immediately()
    postgres.restart()
    began = time.monotonic()
    before = [len(client.accepted) for client in clients]
    until(process.answers, "the service is ready again", READY_SECONDS)
    for client, count in zip(clients, before, strict=True):
        until(lambda c=client, n=count: len(c.accepted) > n, "it decides again", READY_SECONDS)  # type: ignore[misc]
    took = time.monotonic() - began
    time.sleep(BETWEEN_SECONDS)
    return took


class _Client(threading.Thread):
    """A partner that files one deal after the other, and repeats each until it is answered."""

    def __init__(self, process: Process, secret: str, number: int) -> None:
        super().__init__(daemon=True)
        self._url = f"{process.url}/v1/registrations"
        self._secret = secret
        self._number = number
        self._over = threading.Event()
        self.accepted: list[str] = []
        self.odd: list[str] = []

    def run(self) -> None:
        with httpx.Client(timeout=30) as http:
            key = self._number
            while not self._over.is_set():
                if self._file(http, key):
                    key += 4

    def _file(self, http: httpx.Client, key: int) -> bool:
        headers = {
            "Authorization": f"Bearer {self._secret}",
            "Idempotency-Key": f"customer-{key}",
        }
        try:
            answer = http.post(self._url, headers=headers, json=filing(key))
        except httpx.TransportError as error:
            self.odd.append(repr(error))
            return False
        if answer.status_code == httpx.codes.CREATED:
            self.accepted.append(answer.json()["id"])
            return True
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            self.odd.append(answer.text)
        time.sleep(0.1)
        return False

    def finish(self) -> None:
        """Let it end, after what it has under way."""
        self._over.set()
        self.join(60)


def _lost(made: Installation, clients: Sequence[_Client]) -> set[str]:
    """Registrations that were answered and are not there."""
    table = made.table("registration", "registration")
    there = {row.id for row in made.rows("registration", select(table.c.id))}
    return {id_ for client in clients for id_ in client.accepted} - there
