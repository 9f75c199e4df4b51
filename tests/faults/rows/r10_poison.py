"""Row 10: what cannot be applied holds up its own key alone, is seen, mended and replayed in order."""

import asyncio
import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import httpx
from sqlalchemy import func, select

from dealreg_coverage.tables import INBOX
from dealreg_shared.bus.port import Message
from dealreg_shared.contracts.catalogue import REGISTRATION
from dealreg_shared.db import Database
from dealreg_shared.inbox import Consumer, park
from dealreg_shared.inbox.tables import PARKED
from tests.faults import log
from tests.faults.installation import ROOT, Installation, Process, until
from tests.faults.proof import Lab, Outcome, Row

GROUP = "coverage-registration"
KINDS = ("malformed", "unknown type", "unknown version", "gap", "handler raises")


def prove(lab: Lab) -> Outcome:
    """The same log, clean and with the second event of many keys spoilt, consumed by real coverage."""
    events = log.make_log(lab, lab.count(24, 500))
    spoilt = _spoil(events, lab.count(1, 20))
    with lab.installation() as clean:
        expected = asyncio.run(_consumed(clean, events))
    with lab.installation() as target:
        raising = target.folder / "raising"
        raising.write_text("\n".join(key for key, kind in spoilt.items() if kind == KINDS[-1]))
        asyncio.run(_publish(target, _with_poison(events, spoilt)))
        process = target.start("coverage", more={"PROOF_RAISE": str(raising)}).ready()
        until(lambda: _parked(target) == set(spoilt), "exactly the spoilt keys are parked", 120)
        others = {message.key for message in events} - set(spoilt)
        until(lambda: _applied(target, events, others), "the other keys have gone on", 120)
        seen = _seen_by_metrics(process, len(spoilt)) + _seen_by_doctor(target, len(spoilt))
        raising.write_text("")
        asyncio.run(_mend(target, events, spoilt))
        until(lambda: _applied(target, events, set(spoilt)), "the mended keys have gone on", 120)
        process.stop()
        mended = asyncio.run(_consumed(target, []))
    kinds = Counter(spoilt.values())
    return Outcome(
        f"{len(spoilt)} keys of {len(others) + len(spoilt)}: "
        + ", ".join(f"{count} {kind}" for kind, count in kinds.items()),
        f"only they were parked; seen by {' and '.join(seen) or 'NOBODY'}; mended and replayed, the "
        f"state is {'that of the clean log' if mended == expected else 'DIFFERENT'}",
        kept=mended == expected and seen == ["metrics", "doctor"],
    )


ROW = Row(
    "10",
    "poison",
    "the key is parked, the others go on, it is seen in metrics and doctor, mended and replayed",
    prove,
)


def _spoil(events: Sequence[Message], each: int) -> dict[str, str]:
    """Keys with at least three events -> how the second one is spoilt."""
    counts = Counter(message.key for message in events if message.topic == REGISTRATION)
    keys = [key for key, count in counts.items() if count >= 3]
    assert len(keys) >= each * len(KINDS), f"only {len(keys)} keys have three events"
    return {key: KINDS[index % len(KINDS)] for index, key in enumerate(keys[: each * len(KINDS)])}


def _with_poison(events: Sequence[Message], spoilt: dict[str, str]) -> list[Message]:
    met: Counter[str] = Counter()
    poisoned = []
    for message in events:
        kind = spoilt.get(message.key) if message.topic == REGISTRATION else None
        met[message.key] += kind is not None
        if kind is None or met[message.key] != 2:
            poisoned.append(message)
        elif kind != "gap":
            poisoned.append(replace(message, value=_poison(kind, message.value)))
    return poisoned


def _poison(kind: str, value: bytes | None) -> bytes:
    assert value is not None
    if kind == "malformed":
        return value[: len(value) // 2]
    event = json.loads(value)
    if kind == "unknown type":
        event["type"] = "dealreg.nobody.knows.v1"
    elif kind == "unknown version":
        event["type"] = event["type"].rpartition(".")[0] + ".v99"
    return json.dumps(event).encode()


async def _publish(target: Installation, events: Sequence[Message]) -> None:
    bus = target.bus()
    await log.publish(bus, events)
    await bus.close()


async def _consumed(target: Installation, events: Sequence[Message]) -> str:
    """Coverage's state once it has consumed ``events`` beside what is there."""
    bus = target.bus()
    await log.publish(bus, events)
    async with log.coverage_on(target, bus) as service:
        await log.drained(service)
        found = await log.coverage_hash(service)
    await bus.close()
    return found


def _parked(target: Installation) -> set[str]:
    key = INBOX.key
    query = select(key.c.key).where(key.c.status == PARKED)
    return {row.key for row in target.rows("coverage", query)}


def _applied(target: Installation, events: Sequence[Message], keys: set[str]) -> bool:
    """Whether the last event of each of the keys has been applied."""
    last: dict[str, int] = defaultdict(int)
    for message in events:
        if message.topic == REGISTRATION:
            last[message.key] += 1
    key = INBOX.key
    query = select(key.c.key, func.max(key.c.version)).where(key.c.topic == REGISTRATION)
    applied = dict(tuple(row) for row in target.rows("coverage", query.group_by(key.c.key)))
    return all(applied.get(key) == last[key] for key in keys & set(last))


def _seen_by_metrics(process: Process, keys: int) -> list[str]:
    wanted = f'dealreg_inbox_keys_aside{{consumer="{GROUP}",status="parked"}} {float(keys)}'
    until(lambda: wanted in httpx.get(f"{process.url}/metrics").text, wanted, 30)
    return ["metrics"]


def _seen_by_doctor(target: Installation, keys: int) -> list[str]:
    said = subprocess.run(
        [sys.executable, "-m", "dealreg", "doctor", "--data", str(target.folder)],
        cwd=ROOT,
        env=target.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return ["doctor"] if f"{keys} keys stand aside" in " ".join(said.stdout.split()) else []


async def _mend(target: Installation, events: Sequence[Message], spoilt: dict[str, str]) -> None:
    """What the runbook says: put the right event in the place of the wrong one, then replay the key."""
    bus = target.bus()
    async with log.coverage_on(target, bus) as service:
        [consumer] = [it for it in service.flows if isinstance(it, Consumer) and it.group == GROUP]
        for key, kind in spoilt.items():
            right = [it for it in events if it.topic == REGISTRATION and it.key == key][1]
            assert right.value is not None
            if kind == "gap":
                await bus.publish([right])
                while not any(it.version == 2 for it in await _aside(service.database, key)):
                    await asyncio.sleep(0.1)
            elif kind in KINDS[:3]:
                wrong = (await _aside(service.database, key))[0]
                await park.mend(service.database, INBOX, wrong.id, right.value)
            await consumer.replay(REGISTRATION, key)
    await bus.close()


async def _aside(database: Database, key: str) -> list[park.ParkedEvent]:
    return await park.show_parked(database, INBOX, GROUP, REGISTRATION, key)
