"""Row 3: whatever step a service is killed at, nothing is lost and nothing inside happens twice.

Pass 1 tells the story once, piece by piece, and records every crash point that each piece meets. Pass 2
tells the pieces again, while each of the three services is killed with kill -9 at one (point, n-th
meeting) after another and started again at once; callers repeat what got no answer with the same key.
All kills fall on one installation that lives on, so that the traces of each are still there for the
next. At the end everything is checked: ``tests.faults.invariants``.

The smoke has no pass 1: its places to die are written down here.
"""

import asyncio
import os
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from email.utils import parseaddr

import httpx

from tests.factories.notifier_world import MailServer, mail_server
from tests.factories.outbound import Receiver, Request, answered, receiver
from tests.faults import invariants, story
from tests.faults.caller import Caller, Refused
from tests.faults.installation import SERVICES, Installation
from tests.faults.points import EMBEDDED, KAFKA, MET
from tests.faults.proof import Lab, Outcome, Row
from tests.faults.story import ALONE, PARTNERS, PIECES, STAFF, Story
from tests.faults.watched import Target, Watched

LEASE_OVER = 80.0
"""Seconds that the clock moves on at each kill: what the dead process had leased is free."""

DELIVERY_LEASE_OVER = 400.0
KILLS, SECONDS = 200, 1200.0
"""In full, on each kind of installation: so many kills, or what can be had in so long."""

POINTS, LEAST = 60, 150
"""Fewer points or kills on one kind of installation than these prove too little."""

MISSED_AFTER = 12.0
"""Seconds that a target may still be met in after its piece was told."""

SETTLED_WITHIN = 300.0

SMOKE = (
    Target("registration", "writer.written", 1, "overlap"),
    Target("registration", "file.committed", 2, "overlap"),
    Target("coverage", "inbox.applied", 1, "overlap"),
    Target("notifier", "notices.written", 1, "overlap"),
    Target("notifier", "mail.sent", 1, "overlap"),
)
START = "start"
"""The piece of points that are met when a process starts."""


@dataclass(slots=True)
class Gate:
    """Pieces that go side by side, and those that are told alone."""

    _inside: int = 0
    _alone: bool = False
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @asynccontextmanager
    async def enter(self, *, alone: bool) -> AsyncIterator[None]:
        async with self._changed:
            if alone:
                await self._changed.wait_for(lambda: not self._alone)
                self._alone = True
                await self._changed.wait_for(lambda: not self._inside)
            else:
                await self._changed.wait_for(lambda: not self._alone)
                self._inside += 1
        try:
            yield
        finally:
            async with self._changed:
                if alone:
                    self._alone = False
                else:
                    self._inside -= 1
                self._changed.notify_all()


@dataclass(slots=True)
class Stage:
    """The installation with its three watched services, and whoever stands outside."""

    lab: Lab
    made: Installation
    mail: MailServer
    hook: Receiver
    watched: dict[str, Watched] = field(default_factory=dict)
    story: Story = field(init=False)
    gate: Gate = field(default_factory=Gate)
    refused: list[str] = field(default_factory=list)
    missed: list[Target] = field(default_factory=list)
    _moving: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def move(self, seconds: float) -> None:
        """Move the business clock of all services on."""
        async with self._moving:
            await asyncio.to_thread(self.made.advance, self.made.ahead + seconds)

    async def settle(self, within: float = SETTLED_WITHIN) -> None:
        """Until everything is sent, applied and delivered."""
        began = time.monotonic()
        while not await asyncio.to_thread(self._settled):
            if time.monotonic() - began > within:
                left = await asyncio.to_thread(self._unsettled)
                raise Refused(f"not settled within {within:g} s: {left}")
            await asyncio.sleep(0.1)

    def _settled(self) -> bool:
        made = self.made
        return not (made.unsent() or made.behind() or invariants.open_deliveries(made))

    def _unsettled(self) -> str:
        made = self.made
        return (
            f"{made.unsent()} unsent, {made.behind()[:3]}, {invariants.open_deliveries(made)} due"
        )

    @property
    def killed(self) -> list[Target]:
        return [target for each in self.watched.values() for target in each.killed]

    @property
    def faults(self) -> list[str]:
        return [fault for each in self.watched.values() for fault in each.faults] + self.refused


def prove(lab: Lab) -> Outcome:
    """Both passes, and the checks."""
    with lab.installation() as made:
        return asyncio.run(_prove(lab, made))


ROW = Row(
    "3",
    "crash anywhere",
    ">= 60 points, >= 300 kills on both together: 0 lost, 0 doubled internal effects; outside "
    "duplicates carry the same id",
    prove,
)


async def _prove(lab: Lab, made: Installation) -> Outcome:
    async with AsyncExitStack() as stack:
        mail = await stack.enter_async_context(mail_server())
        hook = await stack.enter_async_context(receiver(_answer_by_path))
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        stage = Stage(lab, made, mail, hook)
        watching = await _begin(stage, client)
        try:
            if lab.full:
                found = await _record(stage)
                await _kill_all(stage, _chosen(found))
            else:
                await _kill_each(stage)
            return await _end(stage)
        finally:
            for watched in stage.watched.values():
                await watched.stop()
            await asyncio.gather(*watching)


async def _answer_by_path(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(answered(410 if "/gone" in request.line else 204))


async def _begin(stage: Stage, client: httpx.AsyncClient) -> list["asyncio.Task[None]"]:
    """Start the services; a plan, keys and endpoints."""
    first = {
        service: [target for target in SMOKE if target.service == service] for service in SERVICES
    }
    if stage.lab.full:
        first = {service: [] for service in SERVICES}
        first["notifier"] = [Target("notifier", "signing.replaced", 1, START)]
    settings = {
        "DEALREG_NOTIFIER_SMTP_HOST": "127.0.0.1",
        "DEALREG_NOTIFIER_SMTP_PORT": str(stage.mail.port),
        "DEALREG_NOTIFIER_SMTP_FROM": "Partner desk <desk@example.org>",
        "DEALREG_NOTIFIER_SMTP_TIMEOUT_SECONDS": "5",
        "DEALREG_NOTIFIER_OUTBOUND_LOOPBACK": "true",
        "DEALREG_COVERAGE_TICK_SECONDS": "1",
        "DEALREG_REGISTRATION_ANSWERS_DAYS": "3650",  # the story takes months, and all is asked again
    }

    async def died() -> None:
        await stage.move(LEASE_OVER)

    for service in SERVICES:
        record = stage.made.folder / f"{service}.points" if stage.lab.full else None
        stage.watched[service] = Watched(
            stage.made, service, iter(first[service]), settings, died, record
        )
        stage.watched[service].start()
    watching = [asyncio.create_task(each.watch()) for each in stage.watched.values()]
    await asyncio.gather(*(each.ready() for each in stage.watched.values()))
    admin = await asyncio.to_thread(stage.made.admin_key)
    caller = Caller({it.service: it.url for it in stage.watched.values()}, {"admin": admin}, client)
    stage.story = Story(
        caller, stage.move, stage.settle, hook=f"http://127.0.0.1:{stage.hook.port}"
    )
    await caller.call("admin", "POST", "/v1/plans", story.plan())
    plenty = {"requests_per_minute": 100_000}
    for id_ in PARTNERS:
        body = {"role": "partner", "partner_id": id_, **plenty}
        caller.keys[id_] = (await stage.story.say("admin", "/v1/keys", body))["key"]
    for id_, role in STAFF.items():
        body = {"role": role, "person_id": id_, **plenty}
        caller.keys[id_] = (await stage.story.say("admin", "/v1/keys", body))["key"]
    await stage.settle()
    for kind, owner in (("webhook", "programme"), ("webhook", "partner:p0"), ("slack", "role:vp")):
        place = {"kind": kind, "url": f"{stage.story.hook}/{kind}", "owner": owner}
        await stage.story.say("admin", "/v1/webhooks", place, service="notifier")
    return watching


Found = dict[tuple[str, str, str], int]
"""(service, piece, point) -> how often it was met."""


async def _record(stage: Stage) -> Found:
    """Pass 1: every piece once, by itself."""
    found: Found = {}
    for name, piece in {START: None, **PIECES, **ALONE}.items():
        if piece is not None:
            await piece(stage.story)
            await stage.settle()
        for service, watched in stage.watched.items():
            assert watched.record is not None
            met = Counter(watched.record.read_text().split()) if watched.record.exists() else {}
            found |= {(service, name, point): n for point, n in met.items()}
            os.truncate(watched.record, 0)
    points = {point for _, _, point in found}
    expected = MET - (EMBEDDED if stage.lab.where == "servers" else KAFKA)
    stage.lab.say(f"pass 1: {len(points)} points, {sum(found.values())} meetings")
    stage.lab.say(f"pass 1: not met {sorted(expected - points - {'signing.replaced'})}")
    return found


def _chosen(found: Found) -> list[Target]:
    """Every point of each service once; then in every piece that meets it; then later meetings."""
    by_turn: dict[int, list[Target]] = defaultdict(list)
    seen: set[tuple[str, str]] = set()
    for (service, name, point), met in sorted(found.items(), key=lambda item: item[1]):
        if name == START and (service, "relay.leased") != (service, point):
            continue
        first = (service, point) not in seen
        seen.add((service, point))
        for n in sorted({1, 2, 3, 5, 8, met}):
            if n <= min(met, 12):
                turn = 0 if first and n == 1 else (1 if n == 1 else 1 + n)
                by_turn[turn].append(Target(service, point, n, name))
    return [target for turn in sorted(by_turn) for target in by_turn[turn]]


async def _kill_all(stage: Stage, targets: Sequence[Target]) -> None:
    """Pass 2, in full: until enough is killed or the time is over."""
    until = time.monotonic() + SECONDS
    for service, watched in stage.watched.items():
        watched.targets = _until(until, stage, [it for it in targets if it.service == service])
        watched.record = None
        watched.kill()
    await _lanes(stage)


def _until(end: float, stage: Stage, targets: Iterable[Target]) -> Iterator[Target]:
    for target in targets:
        if time.monotonic() > end or len(stage.killed) >= KILLS:
            return
        yield target


async def _kill_each(stage: Stage) -> None:
    """Pass 2 of the smoke: its few places."""
    await _tell(stage, SMOKE[0].piece)
    await _lanes(stage)


async def _lanes(stage: Stage) -> None:
    await asyncio.gather(*(_lane(stage, watched) for watched in stage.watched.values()))


async def _lane(stage: Stage, watched: Watched) -> None:
    """Tell the piece that reaches this service's target, until there is no other target."""
    while watched.at_random == 0 and watched.target is None and stage.lab.full:
        await asyncio.sleep(0.05)
    while (target := watched.target) is not None:
        await _tell(stage, target.piece)
        began = time.monotonic()
        while watched.target is target:
            if time.monotonic() - began > MISSED_AFTER:
                stage.missed.append(target)
                watched.kill()
                began = time.monotonic()
            await asyncio.sleep(0.05)


async def _tell(stage: Stage, name: str) -> None:
    """One piece; what it did not expect is a fault."""
    if name == START:
        return
    try:
        async with stage.gate.enter(alone=name in ALONE):
            await {**PIECES, **ALONE}[name](stage.story)
    except (Refused, KeyError, StopIteration, RuntimeError) as error:
        stage.refused.append(f"{name}: {error!r}"[:400])


async def _end(stage: Stage) -> Outcome:
    """Let everything come to rest, and check it."""
    for watched in stage.watched.values():
        watched.rest()
        await watched.ready()
    await stage.move(LEASE_OVER)
    await stage.settle()
    await stage.move(DELIVERY_LEASE_OVER)
    await stage.settle()
    changed = await _asked_again(stage)
    for watched in stage.watched.values():
        await watched.stop()
    faults, repeats = await asyncio.to_thread(_check, stage)
    faults = [*stage.faults, *changed, *faults]
    killed, caller = stage.killed, stage.story.caller
    points = {target.point for target in killed}
    refused = sum(n for status, n in caller.statuses.items() if status >= 500 and status != 503)
    enough = not stage.lab.full or (len(points) >= POINTS and len(killed) >= LEAST)
    for fault in faults:
        stage.lab.say(f"  {fault}")
    return Outcome(
        f"{len(points)} points, {len(killed)} kills at them"
        + (f" and {len(stage.missed)} elsewhere" if stage.missed else "")
        + f"; {len(caller.acknowledged)} calls acknowledged, {caller.repeated} repeated",
        f"{len(faults)} faults, {refused} answers 5xx; {repeats}"
        + "".join(f"; {fault}" for fault in faults[:3]),
        kept=not faults and not refused and enough,
    )


async def _asked_again(stage: Stage) -> list[str]:
    """Some of the acknowledged calls once more: the same answer, byte for byte."""
    caller = stage.story.caller
    calls = caller.acknowledged[:: max(1, len(caller.acknowledged) // 200)]
    faults = []
    for call in calls:
        answer = await caller.again(call)
        if (answer.status_code, answer.content) != (call.status, call.answer):
            faults.append(f"{call.path}, asked again: {answer.status_code}, was {call.status}")
    return faults


def _check(stage: Stage) -> tuple[list[str], str]:
    made = stage.made
    faults = invariants.all_of(made, stage.story.references, stage.story.rulings)
    mails = [parseaddr(str(it["Message-ID"]))[1].partition("@")[0] for it in stage.mail.messages]
    more, mailed = invariants.outside(made, "email", mails, "mail")
    hooks = [
        request.headers["webhook-id"]
        for request in stage.hook.requests
        if "webhook-id" in request.headers and "/gone" not in request.line
    ]
    others, posted = invariants.outside(made, "webhook", hooks, "webhook")
    said = f"{len(mails)} mails ({mailed} again), {len(hooks)} webhooks ({posted} again)"
    return [*faults, *more, *others], said
