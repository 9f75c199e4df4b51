"""Row 4: many writers, relays killed and paused, two on one shard: the log is whole and in order.

The shared outbox and inbox alone, without a service. Beside the relay that holds the lease there is
always one that heeds none and publishes the same rows; one after the other it is killed where it hurts.
Relays and the consumer are stopped for longer than a lease. Each key's events must all be on the log,
their first appearances in version order without a gap, and must have been applied each once and in
order; what stands last on a compacted topic must be the newest, once a relay was started after the last
one that was killed.
"""

import asyncio
import json
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import func, select

from dealreg_shared.bus.headers import key_version
from dealreg_shared.contracts.catalogue import PEOPLE, PLAN
from tests.faults.installation import Installation, Process, until
from tests.faults.outbox_process import (
    CONSUMING,
    INBOX,
    PRIME,
    STATE,
    TABLES,
    WRITING,
    of_event,
)
from tests.faults.proof import Lab, Outcome, Row

WRITING_PROCESSES = 4
WRITERS_EACH = 5
PAUSE_SECONDS = 20.0
LOOK_SECONDS = 0.2
CHUNK = 20_000
PATIENCE = 120.0
"""Seconds in which something more must have been sent or applied."""

SETTLING_SECONDS = 1.0
"""How often is looked at so many rows."""

POINTS = (
    "relay.leased",
    "relay.read",
    "relay.published",
    "relay.marking",
    "relay.marked",
)


@dataclass
class Chaos:
    """The relays and the consumer, and what is done to them."""

    made: Installation
    chance: random.Random
    pause: float
    most_rounds: int
    kills: int = 0
    pauses: int = 0
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.steady = self._start("relay")
        self.victim = self._victim()
        self.consumer = self._start("consumer")
        self._paused: tuple[Process, float] | None = None

    def round(self) -> None:
        """A look at all of them."""
        if not self.victim.running:
            self._noted(self.victim)
            self.victim = self._victim()
        if self._paused is None:
            choice = (self.steady, self.consumer, self.victim)
            process = choice[self.pauses % len(choice)]
            process.pause()
            self.pauses += 1
            self._paused = (process, time.monotonic() + self.pause)
        elif time.monotonic() > self._paused[1]:
            process, self._paused = self._paused[0], None
            process.resume()
            if process is self.consumer:
                process.kill()
                self._noted(process)
                self.consumer = self._start("consumer")

    def over(self) -> None:
        """Two relays and a consumer that nothing happens to."""
        if self._paused is not None:
            self._paused[0].resume()
        self.victim.kill()
        self._noted(self.victim)
        self._start("relay")
        for process in (self.steady, self.consumer):
            if not process.running:
                self.faults.append(f"{process.service} ended: {process.words()[-300:]}")

    def _noted(self, process: Process) -> None:
        if process.popen.returncode == -signal.SIGKILL:
            self.kills += 1
        else:
            self.faults.append(f"{process.service} ended: {process.words()[-300:]}")

    def _victim(self) -> Process:
        """It heeds no lease, so that it publishes the rows of whoever holds one; until it is killed."""
        point = f"{self.chance.choice(POINTS)}:{self.chance.randint(1, self.most_rounds)}"
        return self._start("relay", crash=point, PROOF_ROGUE="1")

    def _start(self, role: str, crash: str | None = None, **more: str) -> Process:
        return self.made.start(f"outbox-{role}", crash=crash, more=more)


def prove(lab: Lab) -> Outcome:
    """Write, break meanwhile, let it settle, and compare the outbox, the log and the state."""
    events = lab.count(4_000, 1_000_000)
    with lab.installation() as made:
        made.write("registration", WRITING.create_all)
        made.write("coverage", CONSUMING.create_all)
        made.advance(0.0)
        keys = lab.count(100, 5_000)
        with _writers(made, events, keys) as writers:
            chance = random.Random(4)  # noqa: S311  (can be repeated, no secret)
            chaos = Chaos(made, chance, lab.count(2, int(PAUSE_SECONDS)), lab.count(2, 20))
            while _writing(writers) or _unsent(made) > events // 20:
                chaos.round()
                time.sleep(LOOK_SECONDS)
        chaos.over()
        unsent, applied = partial(_unsent, made), partial(_applied, made)
        settled = partial(until, within=PATIENCE, every=SETTLING_SECONDS)
        settled(lambda: unsent() == 0, "everything is sent", moving=unsent)
        expected, last = _expected(made)
        settled(lambda: applied() == last, "everything is applied", moving=applied)
        states = _state(made)
        wrong = [key for key in states.keys() | expected if states.get(key) != expected.get(key)]
        order = asyncio.run(_order(made, last))
        faults = chaos.faults + order.faults + [f"{key}: another state" for key in wrong]
        faults += [process.words()[-300:] for process in writers if process.popen.returncode]
    return Outcome(
        f"{sum(last.values())} events, {WRITING_PROCESSES * WRITERS_EACH} writers, {chaos.kills} kills, "
        f"{chaos.pauses} pauses of {chaos.pause:g} s, a relay that heeds no lease",
        f"{order.missing} missed, {order.inverted} out of order, {order.old} stale at the end of a "
        f"compacted key; {len(wrong)} of {len(expected)} states differ; {order.repeated} repeated"
        + "".join(f"; {fault}" for fault in faults[:3]),
        kept=not faults,
    )


ROW = Row(
    "4",
    "outbox",
    "0 missed; first appearances per key in version order without gaps; states as without faults",
    prove,
)


@contextmanager
def _writers(made: Installation, events: int, keys: int) -> Iterator[list[Process]]:
    yield [
        made.start(
            "outbox-writer",
            more={
                "PROOF_SEED": str(1000 * number),
                "PROOF_EVENTS": str(events // WRITING_PROCESSES),
                "PROOF_WRITERS": str(WRITERS_EACH),
                "PROOF_KEYS": str(keys),
            },
        )
        for number in range(WRITING_PROCESSES)
    ]


def _writing(writers: list[Process]) -> bool:
    return any(process.running for process in writers)


def _unsent(made: Installation) -> int:
    table = TABLES.outbox
    count = select(func.count()).select_from(table).where(table.c.sent_at.is_(None))
    return int(made.rows("registration", count)[0][0])


def _expected(made: Installation) -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
    """The state of each key, and its last version, from the rows in the order of their ids."""
    table = TABLES.outbox
    states: dict[str, tuple[int, int]] = {}
    last: dict[str, int] = {}
    after = 0
    while rows := made.rows(
        "registration",
        select(table.c.id, table.c.key, table.c.version, table.c.topic, table.c.body)
        .where(table.c.id > after)
        .order_by(table.c.id)
        .limit(CHUNK),
    ):
        for _, key, version, topic, body in rows:
            assert version == last.get(key, 0) + 1, f"{key}: {version} after {last.get(key, 0)}"
            last[key] = version
            value, count = states.get(key, (0, 0))
            added = of_event(json.loads(body)["id"])
            if topic == PEOPLE:
                states[key] = (added, 1)
            else:
                states[key] = ((value * 31 + added) % PRIME if count else added, count + 1)
        after = rows[-1][0]
    return states, last


def _state(made: Installation) -> dict[str, tuple[int, int]]:
    return {row.key: (row.value, row.events) for row in made.rows("coverage", select(STATE))}


def _applied(made: Installation) -> dict[str, int]:
    table = INBOX.key
    return {
        row.key: row.version for row in made.rows("coverage", select(table.c.key, table.c.version))
    }


@dataclass
class Order:
    """What the log says."""

    missing: int = 0
    inverted: int = 0
    old: int = 0
    repeated: int = 0

    @property
    def faults(self) -> list[str]:
        found = {"missed": self.missing, "out of order": self.inverted, "stale": self.old}
        return [f"{count} {name}" for name, count in found.items() if count]


async def _order(made: Installation, last: dict[str, int]) -> Order:
    """Read the log once, as it is."""
    bus = made.bus()
    order = Order()
    seen: dict[str, int] = {}
    newest: dict[str, int] = {}
    async with bus.subscribe("proof-order", [PLAN, PEOPLE]) as subscription:
        while await subscription.lag():
            got = await subscription.fetch(2000, 1.0)
            for delivery in got:
                key = delivery.message.key
                version = key_version(delivery.message.headers) or 0
                if delivery.message.topic == PEOPLE:
                    newest[key] = version
                elif version == seen.get(key, 0) + 1:
                    seen[key] = version
                elif version <= seen.get(key, 0):
                    order.repeated += 1
                else:
                    order.inverted += 1
            await subscription.commit([delivery.position for delivery in got])
    await bus.close()
    for key, version in last.items():
        if key.startswith("p"):
            order.old += newest.get(key) != version
        else:
            order.missing += version - seen.get(key, 0)
    return order
