"""Row 2: what clients saw of an account is explained by one order of what they did.

Several clients file, add, withdraw, lose, answer offers, rule and read on one account at once, while
processes of the service are killed and time moves on; many accounts at a time, each a history of its
own. A checker (``tests.faults.linear``) then looks for one order in which a small sequential model of
the rules gives every answer that was seen. Calls that got no answer are repeated with their key; some
are given up, and may or may not have happened.

That it would notice is tried too: five kinds of faults are planted in recorded histories.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Any

import httpx
import orjson

from tests.faults import story
from tests.faults.installation import Installation
from tests.faults.line_model import EMPTY, outcome, step
from tests.faults.linear import Op, TooHard, check
from tests.faults.planted import PLANTS, Plant
from tests.faults.proof import Lab, Outcome, Row
from tests.faults.watched import Watched
from tests.faults.wire import NoAnswer, NotSent, Wire

CLIENTS = 4
PHASES = 3
"""Between them time moves on, while nobody is in the middle of anything."""

JUMP = 91 * story.DAY
LINES = ("platform", "backup")
PARTNERS = story.COVERING
GIVEN_UP = 2
"""Calls of a history that are not repeated when they got no answer."""

ANSWER_WITHIN, CALL_WITHIN = 30.0, 120.0
"""Seconds for one try, and for all."""

SECONDS = 1100.0
"""In full, as many histories as fit; fewer than wanted is a broken promise."""

OPS = ("register", "withdraw", "lose", "accept", "decline", "add", "uphold", "award", "read")
WEIGHTS = (26, 16, 10, 7, 3, 6, 4, 4, 24)


def prove(lab: Lab) -> Outcome:
    """Record, check, plant."""
    with lab.installation() as made:
        recorded = asyncio.run(_record(lab, made))
    return _judge(lab, recorded)


ROW = Row("2", "linear order", "0 violations; 5 of 5 planted faults found", prove)


@dataclass(slots=True)
class History:
    """One account's operations, and what its clients know of it."""

    number: int
    random: Random
    ops: list[Op] = field(default_factory=list)
    filings: dict[str, str] = field(default_factory=dict)
    """Ours -> the registration's id."""
    contested: dict[int, str] = field(default_factory=dict)
    """Place of a contested claim -> its case."""
    made: int = 0
    given_up: int = 0


@dataclass(slots=True)
class Recorded:
    """All histories, and what went on around them."""

    histories: list[History]
    kills: int
    faults: list[str]
    statuses: Counter[int]
    seconds: float
    wanted: int


@dataclass(slots=True)
class Field:
    """Where clients play: the processes' ports, a key for everything."""

    wire: Wire
    ports: Sequence[int]
    key: str
    statuses: Counter[int] = field(default_factory=Counter)

    async def ask(
        self, history: History, method: str, path: str, body: Any = None, *, give_up: bool = True
    ) -> tuple[int, Any] | None:
        """Status and body; None if no answer came and the call was given up."""
        history.made += 1
        key = f"h{history.number}-{history.made}"
        headers = {"authorization": f"Bearer {self.key}", "idempotency-key": key}
        if method == "PATCH" or path.endswith("/decide"):
            headers["if-match"] = "*"
        content = b"" if body is None else orjson.dumps(body)
        if content:
            headers["content-type"] = "application/json"
        until, last = time.monotonic() + CALL_WITHIN, ""
        turn = history.made
        while time.monotonic() < until:
            turn += 1
            port = self.ports[turn % len(self.ports)]
            try:
                status, said = await self.wire.request(port, method, path, headers, content)
            except NotSent as error:
                last = repr(error)
            except NoAnswer as error:
                last = repr(error)
                if give_up and history.given_up < GIVEN_UP:
                    history.given_up += 1
                    return None
            else:
                self.statuses[status] += 1
                if status != httpx.codes.SERVICE_UNAVAILABLE:
                    return status, orjson.loads(said) if said else None
                last = said.decode()
            await asyncio.sleep(0.05)
        raise AssertionError(f"{method} {path} got no answer: {last}")


async def _record(lab: Lab, made: Installation) -> Recorded:
    wanted, length = lab.count(8, 1000), lab.count(60, 200)
    abreast = lab.count(8, 40)
    began = time.monotonic()

    async def died() -> None:
        """Nothing: a relay may wait for its lease."""

    count = 2 if lab.where == "servers" else 1
    quiet = {"DEALREG_LOG_LEVEL": "warning"}
    processes = [Watched(made, "registration", iter(()), quiet, died) for _ in range(count)]
    with closing(Wire(ANSWER_WITHIN)) as wire:
        for process in processes:
            process.start()
            await process.ready()
        tasks = [asyncio.create_task(process.watch()) for process in processes]
        field_ = await _open(made, wire, [process.port for process in processes])
        killer = asyncio.create_task(_kill(processes, field_, lab.count(150, 1500)))
        histories: list[History] = []
        try:
            while len(histories) < wanted and time.monotonic() - began < SECONDS:
                numbers = range(len(histories), min(wanted, len(histories) + abreast))
                some = [History(number, Random(number)) for number in numbers]  # noqa: S311  (can be repeated, no secret)
                await _play(made, field_, some, length)
                histories += some
        finally:
            killer.cancel()
            for process in processes:
                await process.stop()
            await asyncio.gather(*tasks, killer, return_exceptions=True)
    return Recorded(
        histories,
        sum(process.at_random for process in processes),
        [fault for process in processes for fault in process.faults],
        field_.statuses,
        time.monotonic() - began,
        wanted,
    )


async def _open(made: Installation, wire: Wire, ports: Sequence[int]) -> Field:
    """Publish the plan; a key of the CEO, who may do everything here."""
    admin = await asyncio.to_thread(made.admin_key)
    ceo = {"role": "ceo", "person_id": "ceo", "requests_per_minute": 100_000}
    headers = {"authorization": f"Bearer {admin}", "content-type": "application/json"}
    for path, body in (("/v1/plans", story.plan()), ("/v1/keys", ceo)):
        status, said = await wire.request(ports[0], "POST", path, headers, orjson.dumps(body))
        assert status == httpx.codes.CREATED, said
    return Field(wire, ports, orjson.loads(said)["key"])


async def _kill(processes: Sequence[Watched], field_: Field, every: int) -> None:
    """One process after another, each time that about so many calls were answered: the slower the
    machine, the fewer in a minute."""
    random = Random(1)  # noqa: S311  (can be repeated, no secret)
    answered = 0
    while True:
        for process in processes:
            answered += random.randint(every // 2, every * 3 // 2)
            while field_.statuses.total() < answered:
                await asyncio.sleep(0.01)
            process.kill()
            await process.ready()


async def _play(made: Installation, field_: Field, some: Sequence[History], length: int) -> None:
    """Clients side by side on every account; time moves between the phases."""
    each = (length - PHASES + 1) // (CLIENTS * PHASES)
    for phase in range(PHASES):
        if phase:
            called = time.monotonic()
            await asyncio.to_thread(made.advance, made.ahead + JUMP)
            travelled = Op("travel", (), (200, None), called, time.monotonic())
            for history in some:
                history.ops.append(travelled)
        extra = length - PHASES + 1 - each * CLIENTS * PHASES if phase == 0 else 0
        async with asyncio.TaskGroup() as group:
            for history in some:
                for client in range(CLIENTS):
                    turns = each + (extra if client == 0 else 0)
                    group.create_task(_client(field_, history, turns))


async def _client(field_: Field, history: History, turns: int) -> None:
    for _ in range(turns):
        random = history.random
        kind = random.choices(OPS, WEIGHTS)[0]
        if not history.filings:
            kind = "register"
        if kind in ("uphold", "award") and not history.contested:
            kind = "read"
        await _ACTS.get(kind, _on_registration)(field_, history, kind)


async def _register(field_: Field, history: History, kind: str) -> None:
    random = history.random
    partner, lines = random.choice(PARTNERS), tuple(random.sample(LINES, random.choice((1, 1, 2))))
    filing = f"f{history.made}"
    body = {
        "partner_id": partner,
        "account": {
            "name": f"Customer {history.number}",
            "domain": f"customer-{history.number}.com",
            "country": "US",
        },
        "product_lines": list(lines),
        "amount": {"amount": "25000", "currency": "USD"},
        "close_date": "2999-12-31",
    }
    called = time.monotonic()
    answer = await field_.ask(history, "POST", "/v1/registrations", body)
    _note(history, kind, (filing, partner, lines), called, answer)
    if answer is not None and answer[0] == httpx.codes.CREATED:
        history.filings[filing] = answer[1]["id"]
        for claim in answer[1]["claims"]:
            if claim["state"] == "contested" and claim["conflict"]:
                history.contested[claim["place"]] = claim["conflict"]


async def _on_registration(field_: Field, history: History, kind: str) -> None:
    # Old ones have mostly ended: rather one of the last.
    known = list(history.filings)
    filing = history.random.choice(known[-10:] if history.random.random() < 0.8 else known)
    path = f"/v1/registrations/{history.filings[filing]}"
    called = time.monotonic()
    if kind == "read":
        # A read has no effect: one without an answer says nothing, so it is always repeated.
        answer = await field_.ask(history, "GET", path, give_up=False)
    elif kind == "add":
        line = history.random.choice(LINES)
        answer = await field_.ask(history, "PATCH", path, {"product_lines": [line]})
        _note(history, kind, (filing, line), called, answer)
        return
    else:
        acts = {"accept": "offer/accept", "decline": "offer/decline"}
        answer = await field_.ask(history, "POST", f"{path}/{acts.get(kind, kind)}")
    _note(history, kind, (filing,), called, answer)


async def _rule(field_: Field, history: History, kind: str) -> None:
    place = history.random.choice(list(history.contested))
    conflict = history.contested[place]
    body: dict[str, Any] = {"ruling": "uphold_first", "reason": "As agreed."}
    called = time.monotonic()
    if kind == "award":
        seen = await field_.ask(history, "GET", f"/v1/conflicts/{conflict}", give_up=False)
        assert seen is not None, conflict
        chosen = next(it["id"] for it in seen[1]["claims"] if it["place"] == place)
        body |= {"ruling": "award", "claim": chosen}
        called = time.monotonic()
    answer = await field_.ask(history, "POST", f"/v1/conflicts/{conflict}/decide", body)
    _note(history, kind, (place,), called, answer)


_ACTS = {"register": _register, "uphold": _rule, "award": _rule}


def _note(
    history: History,
    kind: str,
    args: tuple[Any, ...],
    called: float,
    answer: tuple[int, Any] | None,
) -> None:
    """Record an operation; without an answer it may have happened at any time since."""
    if answer is None:
        history.ops.append(Op(kind, args, None, called))
        return
    status, body = answer
    shows = status < 300 and kind not in ("uphold", "award")
    result = outcome(status, body["claims"] if shows else None)
    history.ops.append(Op(kind, args, result, called, time.monotonic()))


def _judge(lab: Lab, recorded: Recorded) -> Outcome:
    lab.say(f"  {len(recorded.histories)} histories in {recorded.seconds:.0f} s")
    broken: list[str] = []
    for history in recorded.histories:
        try:
            verdict = check(history.ops, EMPTY, step)
        except TooHard as error:
            broken.append(f"account {history.number}: not decided ({error})")
            continue
        if not verdict.linear:
            broken.append(
                f"account {history.number}: {verdict.furthest} of {len(history.ops)} explained, then "
                + "; ".join(f"{op.kind}{op.args} -> {op.result}" for op in verdict.stuck)
            )
    for words in [*broken, *recorded.faults]:
        lab.say(f"  {words[:600]}")
    planted = {plant.__name__: _found(plant, recorded.histories) for plant in PLANTS}
    ops = sum(len(history.ops) for history in recorded.histories)
    open_ = sum(not op.answered for history in recorded.histories for op in history.ops)
    refused = sum(n for status, n in recorded.statuses.items() if status >= 500 and status != 503)
    done = len(recorded.histories) >= recorded.wanted
    return Outcome(
        f"{len(recorded.histories)} histories, {ops} operations ({open_} without an answer), "
        f"{recorded.kills} kills, {ops / recorded.seconds:.0f} operations/s",
        f"{len(broken)} violations, {refused} answers 5xx; "
        f"{sum(planted.values())} of {len(planted)} planted faults found"
        + "".join(f"; missed: {name}" for name, found in planted.items() if not found)
        + "".join(f"; {words[:300]}" for words in [*broken, *recorded.faults][:2]),
        kept=done and not broken and not refused and not recorded.faults and all(planted.values()),
    )


def _found(plant: Plant, histories: Sequence[History]) -> bool:
    """Whether the fault, planted in the first history that it fits, is noticed. A history with calls
    that may have happened any time leaves more open, so those without come first."""
    for history in sorted(histories, key=lambda it: sum(op.returned == inf for op in it.ops)):
        ops = plant(sorted(history.ops, key=lambda op: op.called))
        if ops is not None:
            return not check(ops, EMPTY, step).linear
    return False
