"""Partners that file one deal after the other while a proof breaks something, each a thread."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
from sqlalchemy import select

from tests.faults.installation import Installation
from tests.faults.programme import filing

AGAIN_SECONDS = 0.1


class Client(threading.Thread):
    """One partner, who repeats each filing until it is answered.

    ``accepted``: the ids that were answered. ``unavailable`` counts answers 503, ``odd`` says every
    other answer but 201, and every call without one.
    """

    def __init__(self, url: str, secret: str, number: int, of: int, pause: float) -> None:
        """``number`` of ``of`` clients, who file for customers of their own; ``pause`` in seconds."""
        super().__init__(daemon=True)
        self._url = f"{url}/v1/registrations"
        self._secret = secret
        self._number = number
        self._of = of
        self._pause = pause
        self._over = threading.Event()
        self.accepted: list[str] = []
        self.unavailable = 0
        self.odd: list[str] = []

    def run(self) -> None:
        with httpx.Client(timeout=30) as http:
            key = self._number
            while not self._over.is_set():
                if self._file(http, key):
                    key += self._of
                    self._over.wait(self._pause)
                else:
                    self._over.wait(AGAIN_SECONDS)

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
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            self.unavailable += 1
        else:
            self.odd.append(answer.text)
        return False

    def finish(self) -> None:
        """Let it end, after what it has under way."""
        self._over.set()
        self.join(60)


@contextmanager
def filing_clients(
    url: str, secrets: Sequence[str], *, pause: float = 0.0
) -> Iterator[list[Client]]:
    """A client for each of ``secrets``, filing while the context lasts."""
    clients = [
        Client(url, secret, number, len(secrets), pause) for number, secret in enumerate(secrets)
    ]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.finish()


def lost(made: Installation, clients: Sequence[Client]) -> set[str]:
    """Registrations that were answered and are not there."""
    table = made.table("registration", "registration")
    there = {row.id for row in made.rows("registration", select(table.c.id))}
    return {id_ for client in clients for id_ in client.accepted} - there
