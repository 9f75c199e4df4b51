"""Row 1: of many who register one line at once, over HTTP against two processes, one is protected.

Half of the keys are new; of the other half somebody else's protection ends while they are contended for.
A control shows that the contention is real: who looks first and writes then, without a lock and without
an index, has several winners.
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import Column, Connection, MetaData, String, Table, func, select

from dealreg_shared.db import Database
from dealreg_shared.db.engine import utc_now
from tests.faults.installation import Installation
from tests.faults.programme import ANSWER_WITHIN, customer, enrol, register
from tests.faults.proof import Lab, Outcome, Row
from tests.faults.wire import Wire

AT_ONCE = 4
"""Keys contended for at the same time."""

PAUSE_SECONDS = 1.5
"""Between the groups of keys whose protection ends: as long as contending for one takes."""

NEAR_SECONDS = 0.2
"""Contenders come as long before and after the end of the protection."""

THOUGHT_SECONDS = 0.01
"""What the control takes between looking and writing."""


def prove(lab: Lab) -> Outcome:
    """New keys at a barrier, then keys whose holder's protection ends in between, then the control."""
    contenders, half = lab.count(20, 100), lab.count(6, 500)
    with lab.installation() as made:
        processes = [made.start("registration").ready() for _ in range(2)]
        secrets = enrol(made, contenders + 1)
        crowd = _Crowd([process.port for process in processes], secrets[1:])
        asyncio.run(crowd.contend_for_new(range(half)))
        _hold(made, crowd, secrets[0], range(half, 2 * half))
        faults = _faults(made, 2 * half, contenders)
        control = asyncio.run(_control(made.databases["registration"], lab.count(10, 200)))
    answers = crowd.statuses
    refused = sum(count for status, count in answers.items() if status >= 500)
    return Outcome(
        f"{contenders} contenders x {2 * half} keys, half at expiry, 2 processes",
        f"{len(faults)} keys with other than one winner or a gap, {refused} answers 5xx; "
        f"control fails on {control:.0%} of keys" + "".join(f"; {fault}" for fault in faults[:3]),
        kept=not faults and answers == {201: contenders * 2 * half} and control >= 0.95,
    )


ROW = Row(
    "1",
    "one winner",
    "1 protected each, gapless distinct places, no 5xx; control fails on >= 95 %",
    prove,
)


class _Crowd:
    """The contenders; ``statuses`` counts the answers they got."""

    def __init__(self, ports: Sequence[int], secrets: Sequence[str]) -> None:
        self._ports = ports
        self._secrets = secrets
        self.statuses: Counter[int] = Counter()

    async def contend_for_new(self, keys: Sequence[int]) -> None:
        """All file for a key at once, a few keys at a time."""
        with closing(Wire(ANSWER_WITHIN)) as wire:
            for first in range(0, len(keys), AT_ONCE):
                some = keys[first : first + AT_ONCE]
                barrier = asyncio.Barrier(len(some) * len(self._secrets))
                await self._file(wire, dict.fromkeys(some, barrier.wait))

    async def contend_at(self, ends: Sequence[dict[int, datetime]]) -> None:
        """All file for a key shortly before and after its instant (by the real clock)."""
        with closing(Wire(ANSWER_WITHIN)) as wire:
            for group in ends:
                await self._file(wire, {key: _around(end) for key, end in group.items()})

    async def _file(self, wire: Wire, starts: dict[int, Callable[[], Awaitable[object]]]) -> None:
        async def one(key: int, index: int, start: Callable[[], Awaitable[object]]) -> None:
            await start()
            port = self._ports[(index + key) % len(self._ports)]
            self.statuses[await register(wire, port, self._secrets[index], key)] += 1

        async with asyncio.TaskGroup() as group:
            for key, start in starts.items():
                for index in range(len(self._secrets)):
                    group.create_task(one(key, index, start))


def _around(instant: datetime) -> Callable[[], Awaitable[None]]:
    async def wait() -> None:
        early = instant + timedelta(seconds=random.uniform(-NEAR_SECONDS, NEAR_SECONDS))  # noqa: S311  (can be repeated, no secret)
        await asyncio.sleep((early - utc_now()).total_seconds())

    return wait


def _hold(made: Installation, crowd: _Crowd, holder: str, keys: Sequence[int]) -> None:
    """Somebody files for ``keys`` at a pace; 90 days later the crowd contends for them at that pace.

    The clock is put ahead once, to a little before the first protection ends.
    """
    port = made.processes[0].port

    async def hold() -> None:
        with closing(Wire(ANSWER_WITHIN)) as wire:
            for first in range(0, len(keys), AT_ONCE):
                for key in keys[first : first + AT_ONCE]:
                    status = await register(wire, port, holder, key)
                    assert status == httpx.codes.CREATED, status
                await asyncio.sleep(PAUSE_SECONDS)

    asyncio.run(hold())
    ends = _ends(made, keys)
    groups = [
        {key: ends[key] for key in keys[first : first + AT_ONCE]}
        for first in range(0, len(keys), AT_ONCE)
    ]
    ahead = min(ends.values()) - utc_now() - timedelta(seconds=3)
    made.advance(ahead.total_seconds())
    asyncio.run(
        crowd.contend_at([{key: end - ahead for key, end in group.items()} for group in groups])
    )


def _ends(made: Installation, keys: Sequence[int]) -> dict[int, datetime]:
    """When the protection of each key ends."""
    account, claim = made.table("registration", "account"), made.table("registration", "claim")
    found = made.rows(
        "registration",
        select(account.c.name, claim.c.protected_until).join(
            claim, claim.c.account_id == account.c.id
        ),
    )
    ends = {row.name: row.protected_until for row in found}
    return {key: ends[customer(key)] for key in keys}


def _faults(made: Installation, keys: int, contenders: int) -> list[str]:
    """What is wrong with whom: the holder at expiry has the first place, and no other has two."""
    table = made.table("registration", "claim")
    lines: dict[str, list[Any]] = defaultdict(list)
    for row in made.rows("registration", select(table)):
        lines[row.account_id].append(row)
    faults = [] if len(lines) == keys else [f"{len(lines)} accounts for {keys} keys"]
    for account, claims in lines.items():
        winners = sum(claim.state == "protected" for claim in claims)
        places = sorted(claim.place for claim in claims)
        enough = len(places) >= contenders and places == list(range(1, len(places) + 1))
        if winners != 1 or not enough:
            faults.append(f"{account}: {winners} protected, {len(claims)} places")
    return faults


async def _control(url: str, keys: int) -> float:
    """The share of keys with other than one winner where contenders look first and write then."""
    metadata = MetaData()
    table = Table("control", metadata, Column("key", String(20)), Column("who", String(20)))
    database = Database(url, pool_size=20)
    await database.write(metadata.create_all)

    async def contend(key: str, who: str) -> None:
        def taken(conn: Connection) -> bool:
            return conn.execute(select(table).where(table.c.key == key)).first() is not None

        free = not await database.read(taken)
        await asyncio.sleep(THOUGHT_SECONDS)
        if free:
            await database.write(lambda conn: conn.execute(table.insert().values(key=key, who=who)))

    for key in range(keys):
        await asyncio.gather(*(contend(f"k{key}", f"p{who}") for who in range(20)))
    count = select(table.c.key, func.count()).group_by(table.c.key)
    winners = await database.read(lambda conn: conn.execute(count).all())
    await database.write(metadata.drop_all)
    await database.dispose()
    failed: float = sum(number != 1 for _, number in winners) / keys
    return failed
