"""A broker that is killed, paused or gone: nothing acknowledged is lost, and nobody waits for ever."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from dealreg_devstack import Kafka
from dealreg_shared.bus.kafka import KafkaBus, limits
from dealreg_shared.bus.port import BusError
from dealreg_shared.bus.stuck import BusStuck
from dealreg_shared.contracts.catalogue import PLAN, REGISTRATION
from dealreg_shared.restart import RestartNeeded
from tests.contract.bus.suite import fetch, positions, text, values

pytestmark = pytest.mark.devstack


@pytest.fixture(scope="module")
def broker() -> Iterator[Kafka]:
    """A broker of these tests' own, to be broken."""
    with Kafka() as cluster:
        yield cluster


@pytest.fixture
async def bus(broker: Kafka, request: pytest.FixtureRequest) -> AsyncIterator[KafkaBus]:
    name = request.node.name.replace("[", "-").rstrip("]")
    bus = KafkaBus(broker.bootstrap, prefix=f"{name}.", session_seconds=6.0)
    yield bus
    await bus.close()


CHILD = """
import asyncio, sys
from dealreg_shared.bus import kafka
from dealreg_shared.bus.kafka import limits
from dealreg_shared.bus.port import BusError, Message
from dealreg_shared.restart import EXIT_CODE, RestartNeeded

limits.PUBLISH, limits.STOP, limits.HEALTH = 3.0, 2.0, 1.0
what, bootstrap, prefix = sys.argv[1:]

async def ready():
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)

async def publish(bus):
    await bus.publish([Message("dealreg.plan", "other", b"0")])
    await ready()
    while True:
        try:
            await bus.publish([Message("dealreg.plan", "a", b"2")])
        except BusError:
            print("refused", flush=True)
        else:
            print("published", flush=True)

async def consume(bus):
    async def stay():
        async with bus.subscribe("readers", ["dealreg.plan"]) as subscription:
            while not await subscription.fetch(1, 1.0):
                pass
            joined.set()
            await asyncio.Event().wait()

    joined = asyncio.Event()
    staying = asyncio.create_task(stay())
    await joined.wait()
    await ready()
    staying.cancel()
    await asyncio.wait([staying])

try:
    asyncio.run(globals()[what](kafka.KafkaBus(bootstrap, prefix=prefix)))
except RestartNeeded:
    sys.exit(EXIT_CODE)
"""


def child(what: str, bus: KafkaBus) -> subprocess.Popen[str]:
    """A process of its own: what a stuck client leaves behind ends with it."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, what, bus._bootstrap, bus._prefix],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


async def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return (await asyncio.to_thread(process.stdout.readline)).strip()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


async def ended(process: subprocess.Popen[str]) -> int:
    """The exit code; far more time than the child's limits allow it to take."""
    return await asyncio.to_thread(process.wait, 60)


def finish(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


async def publish_somehow(bus: KafkaBus, number: int) -> None:
    """Publish until it is acknowledged, as a relay does."""
    while True:
        with contextlib.suppress(BusError):
            return await bus.publish(text(REGISTRATION, "acc", number))
        await asyncio.sleep(0.2)


async def test_a_broker_killed_while_sending_loses_nothing_and_keeps_the_order(
    broker: Kafka, bus: KafkaBus
) -> None:
    async def send() -> None:
        for number in range(200):
            await publish_somehow(bus, number)

    sending = asyncio.create_task(send())
    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.restart)
    await sending
    async with bus.subscribe("readers", [REGISTRATION]) as subscription:
        got = await fetch(subscription, await subscription.lag())
    first_appearances = list(dict.fromkeys(values(got, "acc")))
    assert first_appearances == [str(number) for number in range(200)]


async def test_a_member_goes_on_after_the_broker_was_killed(broker: Kafka, bus: KafkaBus) -> None:
    await bus.publish(text(PLAN, "a", 1))
    seen: list[str] = []

    async def consume() -> None:
        while "2" not in seen:
            with contextlib.suppress(BusError):
                async with bus.subscribe("readers", [PLAN]) as subscription:
                    while "2" not in seen:
                        got = await subscription.fetch(10, 0.5)
                        seen.extend(values(got, "a"))
                        await subscription.commit(positions(got))

    consuming = asyncio.create_task(consume())
    while not seen:
        await asyncio.sleep(0.05)
    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.restart)
    while True:
        with contextlib.suppress(BusError):
            await bus.publish(text(PLAN, "a", 2))
            break
    await consuming
    assert seen[0] == "1"
    assert seen[-1] == "2"


async def test_a_process_outlives_a_broker_that_is_paused_for_long(
    broker: Kafka, bus: KafkaBus
) -> None:
    """Its producer neither sends nor stops; a new process would be no better off."""
    await bus.publish(text(PLAN, "a", 1))
    process = child("publish", bus)
    try:
        assert await said(process) == "ready"
        broker.pause()
        tell(process)
        for _ in range(limits.DISPOSALS + 1):
            assert await said(process) == "refused"
        broker.resume()
        while (word := await said(process)) == "refused":
            pass
        assert word == "published"
    finally:
        broker.resume()
        finish(process)


async def test_a_producer_that_does_not_stop_although_kafka_answers_ends_the_process(
    bus: KafkaBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bus.publish(text(PLAN, "a", 1))
    producer = await bus._started()
    stop = producer.stop
    monkeypatch.setattr(producer, "stop", asyncio.Event().wait)
    monkeypatch.setattr(limits, "PUBLISH", 0.0)
    monkeypatch.setattr(limits, "STOP", 0.1)
    with pytest.raises(BusStuck, match="although the bus answers"):
        await bus.publish(text(PLAN, "a", 2))
    await stop()


async def test_a_member_leaves_a_paused_broker_in_time(broker: Kafka, bus: KafkaBus) -> None:
    await bus.publish(text(PLAN, "a", 1))
    process = child("consume", bus)
    try:
        assert await said(process) == "ready"
        broker.pause()
        tell(process)
        assert await ended(process) == 0
    finally:
        broker.resume()
        finish(process)


async def test_a_member_to_whom_nothing_comes_although_messages_wait_ends_the_process(
    bus: KafkaBus,
) -> None:
    """The watchdog believes facts: here the client is made to fetch nothing, as a bug of it would."""
    bus._watch_seconds = 2.0
    await bus.publish(text(PLAN, "a", 1))
    with pytest.raises(RestartNeeded, match=r"1 messages wait .* none\s+has come"):
        async with bus.subscribe("readers", [PLAN]) as subscription:
            subscription._consumer.pause(*subscription._consumer.assignment())
            async with asyncio.timeout(60):
                while True:
                    await subscription.fetch(10, 0.5)


async def test_a_silence_without_messages_is_no_fault(bus: KafkaBus) -> None:
    bus._watch_seconds = 2.0
    await bus.publish(text(PLAN, "a", 1))
    async with bus.subscribe("readers", [PLAN]) as subscription:
        await fetch(subscription, 1)
        for _ in range(6):
            assert await subscription.fetch(10, 0.5) == []


async def test_a_broker_that_was_never_there_is_a_bus_error() -> None:
    bus = KafkaBus("127.0.0.1:1")
    for _ in range(5):  # no producer was ever started, so there is none too many
        with pytest.raises(BusError):
            await bus.publish(text(PLAN, "a", 1))
    with pytest.raises(BusError):
        async with bus.subscribe("readers", [PLAN]):
            pass
    assert not await bus.healthy()
    await bus.close()


async def test_producers_that_fail_one_after_the_other_end_the_process(
    bus: KafkaBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every acknowledgement comes too late; the third producer in a row is the last."""
    await bus.publish(text(PLAN, "a", 1))
    for turn in (1, 2, 3):
        monkeypatch.setattr(limits, "PUBLISH", 20.0)
        await bus._started()
        monkeypatch.setattr(limits, "PUBLISH", 0.0)
        with pytest.raises(BusError if turn < 3 else BusStuck):
            await bus.publish(text(PLAN, "a", 2))
