"""Row 13: a part that is killed, stopped or stuck is named by the watch, and nothing else ever is.

Real processes: each service killed with kill -9 and stopped with SIGSTOP; parts of live processes frozen
one by one (relay, sweep, consumers, timers, sender, all ticks at once); the auditor itself, which the
services name. Then ninety simulated days in hourly steps with filings, withdrawals, cases that climb and
mails, in which the auditor has nothing to say.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from dealreg_shared.bus.embedded import EmbeddedBus
from tests.factories.audit_world import AuditWorld, audit_world
from tests.factories.notifier_world import mail_server, mail_settings
from tests.faults.installation import Installation, Process, until
from tests.faults.proof import Lab, Outcome, Row

WITHIN = 60.0
"""Seconds until the watch must have named what stands still."""

QUICK = {"DEALREG_AUDITOR_SILENT_SECONDS": "8", "DEALREG_AUDITOR_WATCH_SECONDS": "1"}
"""The smoke is impatient; in full the defaults are tried."""

SMOKE = ("stop coverage",)

FROZEN = {
    "relay": ["registration-relay"],
    "sweep": ["registration-sweep"],
    "consumer of coverage": ["consumer-coverage-registration"],
    "consumer of notifier": ["consumer-notifier-registration"],
    "timers": ["notifier-timers"],
    "sender": ["notifier-deliveries"],
}
SCHEDULER = ["notifier-ticks"]
"""Of which none completes: the metronome ends its process, and the watch names all of it."""

FALSE_ALARMS = 1


@dataclass
class Watch:
    """The running installation and its auditor."""

    made: Installation
    services: dict[str, Process]
    auditor: Process
    key: str
    frozen: Path
    more: dict[str, str]

    def named(self) -> list[str]:
        """The first ids of what the watch says stands still."""
        answer = httpx.get(
            f"{self.auditor.url}/v1/audit/health",
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=30,
        ).raise_for_status()
        return [
            finding["ids"][0]
            for finding in answer.json()["findings"]
            if finding["check"] == "heartbeats"
        ]

    def well(self) -> bool:
        """Whether nothing is named. A process that asked to be started again is, as by a supervisor."""
        for name, process in self.services.items():
            if not process.running:
                self.services[name] = self.made.start(name, more=self.more)
        return self.named() == []

    def notes(self) -> set[str]:
        """What the services say of the auditor."""
        return {
            httpx.get(f"{process.url}/readyz", timeout=30).json()["notes"]["auditor"]
            for process in self.services.values()
        }

    def freeze(self, parts: Sequence[str]) -> None:
        self.frozen.write_text(" ".join(parts), "utf-8")

    def start(self, service: str) -> Process:
        return self.made.start(service, more=self.more).ready()


Case = tuple[str, Callable[[Watch], Any], str, Callable[[Watch], Any]]
"""What is done, how, what the watch must name, and how it is undone."""


def prove(lab: Lab) -> Outcome:
    """Break one after the other; then let time pass."""
    with _watched(lab) as watch:
        chosen = [case for case in _cases() if lab.full or case[0] in SMOKE]
        took = {}
        for name, act, named, undo in chosen:
            took[name] = _try(watch, act, named, undo)
            lab.say(f"{name}: named after {took[name] or 0:.0f} s")
        if lab.full:
            took |= _without_the_auditor(watch)
    late = [name for name, seconds in took.items() if seconds is None or seconds > WITHIN]
    slowest = max((seconds or WITHIN) for seconds in took.values())
    tried = f"{len(took)} parts killed, stopped or frozen"
    found = f"slowest named after {slowest:.0f} s; not named: {', '.join(late) or 'none'}"
    alarms = 0
    if lab.where == "embedded":
        hours = lab.count(8, 90 * 24)
        alarms = asyncio.run(_let_time_pass(lab.folder / "simulated", hours))
        tried += f"; {hours} simulated hours, step by step"
        found += f"; {alarms} false alarms"
    return Outcome(tried, found, kept=not late and alarms <= FALSE_ALARMS)


ROW = Row(
    "13",
    "self-watch",
    "named within 60 s; at most 1 false alarm in 90 simulated days",
    prove,
    smoke_where=("embedded",),
)


@contextmanager
def _watched(lab: Lab) -> Iterator[Watch]:
    with lab.installation() as made:
        frozen = made.folder / "frozen"
        more = {"PROOF_FREEZE": str(frozen), **({} if lab.full else QUICK)}
        services = {
            name: made.start(name, more=more) for name in ("registration", "coverage", "notifier")
        }
        for process in services.values():
            process.ready()
        auditor = made.start("auditor", more=more).ready()
        watch = Watch(made, services, auditor, made.admin_key(), frozen, more)
        until(lambda: watch.notes() == {"ok"}, "the services see the auditor")
        assert watch.named() == []
        yield watch


def _cases() -> list[Case]:
    cases: list[Case] = []
    for service in ("registration", "coverage", "notifier"):

        def kill(watch: Watch, service: str = service) -> None:
            watch.services[service].kill()

        def again(watch: Watch, service: str = service) -> None:
            watch.services[service] = watch.start(service)

        def stop(watch: Watch, service: str = service) -> None:
            watch.services[service].pause()

        def go_on(watch: Watch, service: str = service) -> None:
            watch.services[service].resume()

        cases += [
            (f"kill {service}", kill, service, again),
            (f"stop {service}", stop, service, go_on),
        ]
    for name, parts in FROZEN.items():

        def freeze(watch: Watch, parts: Sequence[str] = parts) -> None:
            watch.freeze(parts)

        cases.append((f"freeze {name}", freeze, parts[0], lambda watch: watch.freeze([])))

    def scheduler(watch: Watch) -> None:
        watch.freeze(SCHEDULER)

    def new_notifier(watch: Watch) -> None:
        watch.freeze([])
        until(lambda: not watch.services["notifier"].running, "the metronome ends its process")
        watch.services["notifier"] = watch.start("notifier")

    cases.append(("freeze scheduler", scheduler, "notifier", new_notifier))
    return cases


def _try(
    watch: Watch, act: Callable[[Watch], Any], named: str, undo: Callable[[Watch], Any]
) -> float | None:
    """Seconds until it was named; None: it was not."""
    act(watch)
    took = _seconds(lambda: named in watch.named())
    undo(watch)
    until(watch.well, f"all moves again after {named}")
    return took


def _without_the_auditor(watch: Watch) -> dict[str, float | None]:
    watch.auditor.pause()
    stopped = _seconds(lambda: watch.notes() == {"silent"})
    watch.auditor.resume()
    until(lambda: watch.notes() == {"ok"}, "the auditor is seen again")
    assert watch.named() == [], "an auditor that was stopped alarms nobody"
    watch.auditor.kill()
    killed = _seconds(lambda: watch.notes() == {"silent"})
    return {"stop auditor": stopped, "kill auditor": killed}


def _seconds(fact: Callable[[], bool]) -> float | None:
    began = time.monotonic()
    while not fact():
        if time.monotonic() - began > WITHIN:
            return None
        time.sleep(0.2)
    return time.monotonic() - began


async def _let_time_pass(folder: Path, hours: int) -> int:
    """How many passes of the auditor had anything to say."""
    folder.mkdir()
    bus = EmbeddedBus(folder / "bus.db")
    alarms = 0
    async with (
        mail_server() as mail,
        audit_world(folder, bus, services=mail_settings(mail)) as world,
    ):
        for step in range(hours):
            await _live(world, step)
            await world.settle()
            await world.travel(hours=1)
            await world.settle()
            world.seconds.now += 5
            health = await world.audit()
            if health.status != "clean":
                alarms += 1
                print(step, [finding.sentence for finding in health.findings])  # noqa: T201  (for who reads why)
        assert mail.messages, "somebody was told something"
    await bus.close()
    return alarms


async def _live(world: AuditWorld, step: int) -> None:
    """A deal every three hours; each second one meets a rival, and some are given up."""
    if step % 3:
        return
    number = step // 3
    filed = await world.file("acme", f"deal-{number}")
    if number % 2:
        await world.file("techstart", f"deal-{number}")
    if number % 8 == 3:
        answer = await world.http.post(
            f"/v1/registrations/{filed['id']}/withdraw", headers=world.headers("acme")
        )
        assert answer.status_code == httpx.codes.OK, answer.text
