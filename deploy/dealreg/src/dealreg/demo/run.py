"""Replays the stream through the simulated services, and says what came of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dealreg import documents
from dealreg.demo import parity, stream, summary
from dealreg.demo.clock import SimulatedClock
from dealreg.demo.mailbox import Mailbox, mail_server
from dealreg.demo.people import People
from dealreg.demo.settling import Settling
from dealreg.demo.simulation import Simulation, simulated
from dealreg.demo.stories import Stories
from dealreg.demo.telling import Teller
from dealreg.settings import all_settings

START = datetime(2024, 12, 30, 9, 0, tzinfo=UTC)
"""A Monday, before the first event of the stream."""

PLANS = {False: "plan-territorial.yaml", True: "plan-parity.yaml"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What stays when the services are closed: the frozen clock and the keys to look around with."""

    clock: SimulatedClock
    admin_key: str
    partner_id: str
    partner_key: str
    verdicts: Mapping[str, str]
    """Event id -> what became of its registration."""
    comparison: parity.Comparison | None


async def replay(
    folder: Path, data: Path, *, with_parity: bool, console: Console, port: int = 8000
) -> Outcome:
    """The whole demo up to its summary, with the services' files in ``data``. ``port`` is where the
    links in mails lead to.

    In parity nobody settles anything: the truth file knows of no rulings.
    """
    plan_file = folder / PLANS[with_parity]
    plan = documents.read_plan(plan_file)
    events = stream.read(folder)
    clock = SimulatedClock(START)
    async with mail_server(clock) as mailbox:
        settings = all_settings(**embedded(data), **mail(mailbox, port))
        async with simulated(settings, clock) as sim:
            await sim.publish(plan_file.read_bytes())
            if not with_parity:
                names = {partner.id: partner.name for partner in plan.partners}
                teller = Teller(sim, mailbox, names, console)
                await Stories(teller).tell()
                await Settling(teller).tell()
                sim.hear(People(sim).hear)
            answers = await _stream(sim, events, console)
            await sim.settle()
            outcomes = {id_: a["claims"][0]["outcome"] for id_, a in answers.items()}
            comparison = None
            if with_parity:
                comparison = parity.compare(folder, await _verdicts(sim, answers))
            # Where every partner covers everything, scores say nothing and fill pages.
            await summary.show(sim, Counter(outcomes.values()), console, ruled=not with_parity)
            console.print(f"{len(mailbox.mails):,} mails were sent.")
            if comparison is not None:
                summary.show_parity(comparison, console)
            partner_id = plan.partners[0].id
            return Outcome(
                clock,
                sim.admin_key,
                partner_id,
                sim.partner_keys[partner_id],
                outcomes,
                comparison,
            )


async def _stream(
    sim: Simulation, events: list[stream.Filing | stream.Closing], console: Console
) -> dict[str, Any]:
    """File and close everything in order of time. Event id -> the answer to the filing."""
    answers: dict[str, Any] = {}
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        task = progress.add_task("", total=len(events))
        for event in events:
            await sim.advance(event.at)
            if isinstance(event, stream.Filing):
                answers[event.event_id] = await sim.file(
                    event.partner_id, event.body, f"stream-{event.event_id}"
                )
            else:
                await sim.end(
                    event.partner_id,
                    answers[event.event_id]["id"],
                    "win" if event.outcome == "won" else "lose",
                    f"closing-{event.event_id}",
                )
            progress.update(task, advance=1, description=f"{event.at:%Y-%m-%d}")
    return answers


async def _verdicts(sim: Simulation, answers: Mapping[str, Any]) -> list[parity.Verdict]:
    """What was decided, with the accounts as staff see them."""
    account_of = {item["id"]: item["account_id"] for item in await sim.items("/v1/registrations")}
    return [
        parity.Verdict(
            event_id, claim["outcome"], claim["id"], account_of[answer["id"]], claim["duplicate_of"]
        )
        for event_id, answer in answers.items()
        for claim in answer["claims"]
    ]


def embedded(data: Path) -> dict[str, Any]:
    """Settings of the demo: everything in files under ``data``, whatever the environment says."""
    return {
        "data_dir": data,
        "bus": "embedded",
        "bus_path": None,
        "kafka_bootstrap": None,
        "registration_database_url": None,
        "coverage_database_url": None,
        "notifier_database_url": None,
        "log_level": "warning",
    }


def mail(mailbox: Mailbox, port: int) -> dict[str, Any]:
    return {
        "notifier_smtp_host": "127.0.0.1",
        "notifier_smtp_port": mailbox.port,
        "notifier_smtp_from": "Partner desk <partners@vendor.example>",
        "notifier_smtp_tls": "none",
        "notifier_smtp_user": None,
        "notifier_smtp_password": None,
        "notifier_public_url": f"http://127.0.0.1:{port}",
    }
