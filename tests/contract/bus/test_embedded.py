"""The embedded bus keeps the contract, also when its process is killed and when others use the file."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.bus.port import BusError, Message
from dealreg_shared.contracts.catalogue import ACCESS, PEOPLE, PLAN, REGISTRATION
from tests.contract.bus.suite import Again, BusContract, fetch, positions, read, text, values

PUBLISHER = """
import asyncio, sys
from pathlib import Path
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.bus.port import Message

async def main():
    bus = EmbeddedBus(Path(sys.argv[1]))
    number = 0
    while True:
        places = [(key, str(number + n).encode()) for n in range(7) for key in "ab"]
        batch = [Message("dealreg.plan", key, value) for key, value in places]
        await bus.publish(batch)
        number += 7
        print(number, flush=True)  # the acknowledgement, as the parent knows it

asyncio.run(main())
"""

MEMBER = """
import asyncio, sys
from pathlib import Path
from dealreg_shared.bus.embedded import EmbeddedBus

async def main():
    bus = EmbeddedBus(Path(sys.argv[1]))
    async with bus.subscribe("team", ["dealreg.plan"]) as subscription:
        got = await subscription.fetch(1, 10.0)
        await subscription.commit([got[0].position])
        print("active", flush=True)
        await asyncio.sleep(3600)

asyncio.run(main())
"""


def child(program: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
    )


def kill(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@pytest.fixture
def bus(embedded_bus: EmbeddedBus) -> EmbeddedBus:
    return embedded_bus


@pytest.fixture
async def again(bus: EmbeddedBus) -> AsyncIterator[Again]:
    made: list[EmbeddedBus] = []

    def another() -> EmbeddedBus:
        made.append(EmbeddedBus(bus.path))
        return made[-1]

    yield another
    for one in made:
        await one.close()


class TestEmbeddedBus(BusContract):
    """The contract, on a file."""


@pytest.mark.parametrize("lines", [1, 3, 9])
async def test_a_publisher_killed_in_mid_publish_loses_nothing_acknowledged(
    bus: EmbeddedBus, lines: int
) -> None:
    process = child(PUBLISHER, bus.path)
    assert process.stdout is not None
    acknowledged = 0
    for _ in range(lines):
        acknowledged = int(await asyncio.to_thread(process.stdout.readline))
    kill(process)
    async with bus.subscribe("readers", [PLAN]) as subscription:
        lag = await subscription.lag()
        got = await fetch(subscription, lag)
    assert len(got) >= 2 * acknowledged
    assert len(got) % 14 == 0  # a publish is there whole or not at all
    for key in "ab":
        assert values(got, key) == [str(n) for n in range(len(got) // 2)]
    await bus.publish(text(PLAN, "a", 1))  # the file is in order


async def test_two_processes_publish_into_one_file(bus: EmbeddedBus) -> None:
    processes = [child(PUBLISHER, bus.path) for _ in range(2)]
    for _ in range(5):
        await bus.publish(text(PLAN, "own", 1))
        for process in processes:
            assert process.stdout is not None
            await asyncio.to_thread(process.stdout.readline)
    for process in processes:
        kill(process)
    async with bus.subscribe("readers", [PLAN]) as subscription:
        got = await fetch(subscription, await subscription.lag())
    assert len(values(got, "own")) == 5
    assert len(values(got, "a")) == len(values(got, "b")) >= 70


async def test_a_member_takes_over_from_one_that_was_killed(bus: EmbeddedBus) -> None:
    await bus.publish(text(PLAN, "a", 1, 2))
    process = child(MEMBER, bus.path)
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == "active\n"
    async with bus.subscribe("team", [PLAN]) as subscription:
        assert await subscription.fetch(1, 0.5) == []
        with pytest.raises(BusError, match="another member"):
            await subscription.seek_to_beginning()
        kill(process)
        assert values(await fetch(subscription, 1), "a") == ["2"]


async def test_a_publish_is_there_whole_or_not_at_all(bus: EmbeddedBus) -> None:
    with pytest.raises(ValueError, match="tombstones"):
        await bus.publish([*text(PLAN, "a", 1), Message(PLAN, "a", None)])
    await bus.publish(text(PLAN, "a", 2))
    assert values(await read(bus, "readers", [PLAN], 1), "a") == ["2"]


async def test_compaction_leaves_nothing_of_a_person_that_was_erased(bus: EmbeddedBus) -> None:
    await bus.publish([Message(PEOPLE, "p", b"Ada Lovelace"), Message(ACCESS, "k", b"hash")])
    await bus.publish([Message(PEOPLE, "p", None)])
    await bus.close()
    assert all(b"Lovelace" not in file.read_bytes() for file in bus.path.parent.glob("bus.db*"))


async def test_a_late_repetition_does_not_supersede_what_is_newer(bus: EmbeddedBus) -> None:
    def version(number: int, value: bytes | None) -> Message:
        return Message(ACCESS, "k", value, (("keyversion", str(number)),))

    await bus.publish([version(1, b"valid"), version(2, b"revoked"), version(1, b"valid")])
    got = await read(bus, "readers", [ACCESS], 1)
    assert values(got, "k") == ["revoked"]
    await bus.publish([version(3, None), version(2, b"revoked")])
    assert [d.message.value for d in await read(bus, "readers", [ACCESS], 1)] == [None]


async def test_topics_that_nobody_here_reads_do_not_hide_the_next_message(bus: EmbeddedBus) -> None:
    async with bus.subscribe("readers", [PLAN]) as subscription:
        for turn in range(5):
            await bus.publish(text(REGISTRATION, "x", *range(50)))
            assert await subscription.fetch(10, 0.0) == []
            await bus.publish(text(PLAN, "a", turn))
            got = await fetch(subscription, 1)
            await subscription.commit(positions(got))
            assert values(got, "a") == [str(turn)]


async def test_a_fetch_that_is_cancelled_has_delivered_nothing(bus: EmbeddedBus) -> None:
    async with bus.subscribe("readers", [PLAN]) as subscription:
        for turn in range(20):
            fetching = asyncio.create_task(subscription.fetch(10, 5.0))
            await asyncio.sleep(0)
            await bus.publish(text(PLAN, "a", turn))
            fetching.cancel()
            got = (await asyncio.gather(fetching, return_exceptions=True))[0]
            if isinstance(got, asyncio.CancelledError):
                got = await fetch(subscription, 1)
            assert not isinstance(got, BaseException)
            assert values(got, "a") == [str(turn)]


async def test_a_group_needs_a_name_that_a_file_can_have(bus: EmbeddedBus) -> None:
    with pytest.raises(ValueError, match="group's name"):
        async with bus.subscribe("../x", [PLAN]):
            pass


async def test_a_file_that_is_no_log_is_a_bus_error(tmp_path: Path) -> None:
    (tmp_path / "bus.db").write_bytes(b"something else entirely, and long enough" * 100)
    bus = EmbeddedBus(tmp_path / "bus.db")
    with pytest.raises(BusError):
        await bus.publish(text(PLAN, "a", 1))
    assert not await bus.healthy()
    await bus.close()
    with pytest.raises(BusError, match="closed"):
        await bus.publish(text(PLAN, "a", 1))


async def test_an_acknowledged_message_is_forced_to_the_disk(bus: EmbeddedBus) -> None:
    """WAL with synchronous FULL: a power cut after the acknowledgement loses nothing."""
    await bus.publish(text(PLAN, "a", 1))
    assert bus._connections["FULL"].execute("PRAGMA synchronous").fetchone() == (2,)
    with sqlite3.connect(bus.path) as conn:
        assert conn.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    conn.close()
