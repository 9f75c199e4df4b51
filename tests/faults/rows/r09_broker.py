"""Row 9: Kafka is killed, paused and away, while partners file: nobody is refused, nothing is lost.

Each time it is back, what was filed until then must be applied by coverage and notifier within the
deadline. A service that asks to be started again (exit code 75) is, as a supervisor would; the others
must not end. Registration must answer all the while, so it must never be the one that asks.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import httpx
from sqlalchemy import func, select

from dealreg_devstack import Kafka
from dealreg_devstack.processes import free_port
from dealreg_shared.contracts.catalogue import REGISTRATION
from tests.faults.clients import Client, filing_clients, lost
from tests.faults.installation import SERVICES, Installation, until
from tests.faults.programme import enrol
from tests.faults.proof import Lab, Outcome, Row
from tests.faults.supervised import Supervisor

AGAIN_SECONDS = 60.0
"""Until what was filed while the broker was away is applied, from when it answers again."""

EXIT_SECONDS = 15.0
PAUSE_SECONDS = 20.0
LONG_SECONDS = 60.0
"""Longer than any client of Kafka waits."""

BETWEEN_SECONDS = 2.0
"""How long all goes well between two faults."""

FILING_SECONDS = 0.25
"""Between two filings of one of the four partners."""

NEWEST = 60
"""Events that must be applied: so many that every partition has some."""


@dataclass
class Seen:
    """What was found, over all installations of this row."""

    filed: int = 0
    lost: int = 0
    refused: list[str] = field(default_factory=list)
    restarts: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    exits: list[float] = field(default_factory=list)

    def note(self, made: Installation, clients: list[Client], supervisor: Supervisor) -> None:
        """An installation at its end, after everything is applied."""
        self.filed += sum(len(client.accepted) for client in clients)
        self.lost += len(lost(made, clients))
        for client in clients:
            self.refused += client.odd + ["503"] * client.unavailable
        self.restarts += supervisor.restarts
        self.faults += supervisor.faults


def prove(lab: Lab) -> Outcome:
    """One node killed and paused, three nodes killed in turn, and none at all."""
    seen = Seen()
    tried = ["started, and told to stop, with the broker down"]
    if lab.full:
        with Kafka() as kafka, lab.installation(kafka=kafka) as made:
            faults = [partial(_killed, kafka)] * 20 + [partial(_paused, kafka)] * 10
            faults += [partial(_away, kafka), partial(_paused, kafka, LONG_SECONDS)]
            _break(lab, made, {}, faults, seen)
        with Kafka(nodes=3) as kafka, lab.installation(kafka=kafka) as made:
            more = {"DEALREG_KAFKA_REPLICATION": "3"}
            turns = [partial(_killed, kafka, node) for _ in range(5) for node in (1, 2, 3)]
            _break(lab, made, more, turns, seen)
        tried += [
            "1 node: 20 x kill -9, 10 x 20 s paused, 60 s away, 60 s paused",
            "3 nodes: each killed 5 x",
        ]
    _without_broker(lab, seen)
    return Outcome(
        f"{'; '.join(tried)}; {seen.filed} registrations",
        f"{seen.lost} lost, {len(seen.refused)} refused; consuming again after "
        f"{max(seen.again):.1f} s at most, exit after {max(seen.exits):.1f} s at most; "
        f"{len(seen.restarts)} restarts asked for" + "".join(f"; {it}" for it in _odd(seen)[:3]),
        kept=not seen.lost
        and not _odd(seen)
        and max(seen.again) <= AGAIN_SECONDS
        and max(seen.exits) <= EXIT_SECONDS,
    )


ROW = Row(
    "9",
    "broker",
    "0 lost, consuming again <= 60 s, exit <= 15 s; registration never refuses because Kafka is away",
    prove,
    ("servers",),
)


def _odd(seen: Seen) -> list[str]:
    asked = [f"{name} asked for a restart" for name in seen.restarts if name == "registration"]
    return [*seen.refused, *asked, *seen.faults]


def _killed(kafka: Kafka, node: int = 1) -> None:
    kafka.kill(node)
    kafka.restart(node)


def _paused(kafka: Kafka, seconds: float = PAUSE_SECONDS) -> None:
    kafka.pause()
    time.sleep(seconds)
    kafka.resume()


def _away(kafka: Kafka) -> None:
    kafka.kill()
    time.sleep(LONG_SECONDS)
    kafka.restart()


def _break(
    lab: Lab,
    made: Installation,
    more: dict[str, str],
    faults: Sequence[Callable[[], None]],
    seen: Seen,
) -> None:
    """Each fault while four partners file; after each, all filed so far must be applied."""
    supervisor = Supervisor(made, more)
    supervisor.start_all()
    for process in supervisor.processes.values():
        process.ready()
    secrets = enrol(made, 4)
    url = supervisor.processes["registration"].url
    with supervisor.watching(), filing_clients(url, secrets, pause=FILING_SECONDS) as clients:
        until(lambda: min(len(client.accepted) for client in clients) > 2, "partners file")
        _consuming_again(made)
        for number, fault in enumerate(faults, 1):
            fault()
            seen.again.append(_consuming_again(made))
            lab.say(f"  fault {number} of {len(faults)}: again after {seen.again[-1]:.1f} s")
            time.sleep(BETWEEN_SECONDS)
    with supervisor.watching():
        made.settle()
    seen.note(made, clients, supervisor)


def _without_broker(lab: Lab, seen: Seen) -> None:
    """Start all with the broker down, file, tell them to stop; then the broker is there."""
    with lab.installation() as made:
        assert made.kafka is not None
        nobody = Supervisor(made, {"DEALREG_KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}"})
        nobody.start_all()
        with nobody.watching():
            for process in nobody.processes.values():
                until(partial(_alive, process.url), "it answers with the broker down")
            registration = nobody.processes["registration"].ready()
            with filing_clients(registration.url, enrol(made, 4), pause=FILING_SECONDS) as clients:
                until(lambda: min(len(client.accepted) for client in clients) > 2, "partners file")
        for process in nobody.processes.values():
            began = time.monotonic()
            code = process.stop(within=2 * EXIT_SECONDS)
            seen.exits.append(time.monotonic() - began)
            if code != 0:
                seen.faults.append(f"{process.service} ended with {code}: {process.words()[-300:]}")
        seen.note(made, clients, nobody)
        back = Supervisor(made)
        back.start_all()
        with back.watching():
            for service in SERVICES:
                back.processes[service].ready()
            seen.again.append(_consuming_again(made))
            made.settle()
        seen.note(made, [], back)


def _alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5).is_success
    except httpx.TransportError:
        return False


def _consuming_again(made: Installation) -> float:
    """Seconds until registration's newest events, as of now, are applied by coverage and notifier."""
    outbox = made.outbox("registration")
    last = func.max(outbox.c.version)
    newest = select(outbox.c.key, last).where(outbox.c.topic == REGISTRATION).group_by(outbox.c.key)
    newest = newest.order_by(func.max(outbox.c.id).desc()).limit(NEWEST)
    wanted = dict(tuple(row) for row in made.rows("registration", newest))

    def applied() -> bool:
        for service in ("coverage", "notifier"):
            inbox = made.inbox(service)
            its = select(inbox.c.key, func.min(inbox.c.version)).where(
                inbox.c.topic == REGISTRATION, inbox.c.key.in_(wanted)
            )
            there = dict(tuple(row) for row in made.rows(service, its.group_by(inbox.c.key)))
            if any(there.get(key, 0) < version for key, version in wanted.items()):
                return False
        return True

    return until(applied, "coverage and notifier consume again", 2 * AGAIN_SECONDS)
