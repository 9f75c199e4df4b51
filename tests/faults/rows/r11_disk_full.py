"""Row 11: the disk is full: what cannot be stored is refused with a reason, until there is room."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import httpx
from sqlalchemy import select, text

from dealreg_devstack import Postgres
from dealreg_devstack.privileges import new_folder
from tests.faults.installation import Installation, Process, until
from tests.faults.programme import enrol, filing
from tests.faults.proof import Lab, NotTried, Outcome, Row

MEGABYTES = {"embedded": 24, "servers": 220}
MOST_FILINGS = 20_000
"""After so many answers the disk counts as not full: a database has room that it took before."""

AGAIN_SECONDS = 30.0

BETWEEN = 50
"""Registrations while there is room."""


def prove(lab: Lab) -> Outcome:
    """File until the disk is full, look, make room, and file again; several times."""
    times = lab.count(1, 10)
    if os.geteuid() != 0:
        raise NotTried("only root may mount a small disk")
    faults: list[str] = []
    accepted: list[str] = []
    slowest = 0.0
    with _small_disk(MEGABYTES[lab.where]) as disk, _postgres_on(lab, disk) as postgres:
        its = replace(lab, folder=disk / "data" if lab.where == "embedded" else lab.folder)
        with its.installation(postgres=postgres) as made:
            process = made.start("registration").ready()
            partner = _Partner(process, enrol(made, 1)[0])
            for _ in range(times):
                for _ in range(BETWEEN):
                    partner.file(accepted)
                with _filled(disk):
                    faults += partner.file_until_refused(accepted)
                if postgres is not None and not postgres.running:
                    postgres.restart()
                slowest = max(
                    slowest, until(lambda: partner.file(accepted).is_success, "it goes on")
                )
            partner.finish()
            faults += [] if process.running else [f"registration ended: {process.words()}"]
            faults += _damage(made, accepted)
    return Outcome(
        f"{times} times full under {len(accepted)} registrations",
        f"{len(faults)} answers but 201 and 503, or registrations lost; goes on {slowest:.1f} s "
        "after there is room" + "".join(f"; {fault}" for fault in faults[:3]),
        kept=not faults and slowest <= AGAIN_SECONDS,
    )


ROW = Row(
    "11",
    "disk full",
    "503 problem+json, no corruption, goes on by itself when space is back",
    prove,
)


@contextmanager
def _small_disk(megabytes: int) -> Iterator[Path]:
    folder = new_folder("dealreg-disk-")
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "tmpfs", str(folder)],
        check=True,
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@contextmanager
def _postgres_on(lab: Lab, disk: Path) -> Iterator[Postgres | None]:
    if lab.where == "embedded":
        with nullcontext():
            yield None
        return
    with Postgres(disk / "postgres", fsync=True) as postgres:
        yield postgres


@contextmanager
def _filled(disk: Path) -> Iterator[None]:
    """Every byte that is free is taken."""
    fill = disk / "fill"
    with fill.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    try:
        yield
    finally:
        fill.unlink()


class _Partner:
    """Files one deal after the other."""

    def __init__(self, process: Process, secret: str) -> None:
        self._url = f"{process.url}/v1/registrations"
        self._secret = secret
        self._http = httpx.Client(timeout=60)
        self._next = 0

    def file(self, accepted: list[str]) -> httpx.Response:
        """The answer to the next call; a refused one is repeated by the call after it."""
        answer = self._call()
        if answer.status_code == httpx.codes.CREATED:
            accepted.append(answer.json()["id"])
            self._next += 1
        return answer

    def file_until_refused(self, accepted: list[str]) -> list[str]:
        """File until the database refuses, and once more; what is wrong with the answers.

        The call after a refusal may be accepted: a database gives back what it no longer needs.
        """
        for _ in range(MOST_FILINGS):
            refused = self.file(accepted)
            if refused.status_code != httpx.codes.CREATED:
                break
        else:
            return [f"never full within {MOST_FILINGS} registrations"]
        time.sleep(1)
        answers = [refused, self.file(accepted)]
        told = [(answer.status_code, answer.headers.get("content-type")) for answer in answers]
        return [
            f"{status} {kind}: {answer.text}"
            for answer, (status, kind) in zip(answers, told, strict=True)
            if status != httpx.codes.CREATED and (status, kind) != (503, "application/problem+json")
        ]

    def finish(self) -> None:
        """Close its connections."""
        self._http.close()

    def _call(self) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {self._secret}",
            "Idempotency-Key": f"customer-{self._next}",
        }
        return self._http.post(self._url, headers=headers, json=filing(self._next))


def _damage(made: Installation, accepted: list[str]) -> list[str]:
    table = made.table("registration", "registration")
    there = {row.id for row in made.rows("registration", select(table.c.id))}
    lost = [f"{id_} is lost" for id_ in accepted if id_ not in there]
    if made.kafka is None:
        [[said]] = made.rows(
            "registration", select(text("integrity_check FROM pragma_integrity_check"))
        )
        lost += [] if said == "ok" else [f"the database is damaged: {said}"]
    return lost
