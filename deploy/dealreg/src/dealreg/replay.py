"""``dealreg replay``: history decided again from what is stored. Reads registration's database only."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from dealreg import documents
from dealreg.backup import DataDir
from dealreg.replay_report import DayReport, OtherReport
from dealreg.settings import all_settings, settings_of
from dealreg.terminal import FAILED, MISUSED, refuse
from dealreg_registration import app
from dealreg_registration.compiling import compile_plan
from dealreg_registration.domain.comparing import product_lines
from dealreg_registration.domain.decide import RULE_BOOK
from dealreg_registration.domain.plan import Plan
from dealreg_registration.domains import registrable_domain
from dealreg_registration.replaying import (
    Plans,
    PlanUnknown,
    deals,
    decisions,
    people_on_record,
    same_again,
    standing_of_history,
    under_another,
)
from dealreg_registration.settings import RegistrationSettings
from dealreg_shared import serve
from dealreg_shared.config import ConfigurationError
from dealreg_shared.db import Database

TRIED = 0
"""The number of a plan that is a file: published ones count from 1."""

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def replay(
    since: Annotated[
        str | None,
        typer.Option(help="From this instant on, such as 2026-03-01 or 2026-03-01T09:00:00Z."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before this instant.")] = None,
    plan: Annotated[
        str | None,
        typer.Option(
            help="Another plan: the number of a published one, or a file.", show_default=False
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON object per line, the summary last.")
    ] = False,
    data: DataDir = None,
) -> None:
    """Decide history again from the stored inputs. Writes nothing.

    Without --plan each decision is made again with the plan of its day, and
    must come out byte for byte the same; ends with 1 if one does not. With
    --plan it lists the verdicts that flip under another plan, for whom, and
    the amounts at stake.

    One decision at a time: each is made on its own inputs, as they were. What
    would have followed from an earlier flip (another holder, other standby,
    other rulings) is not simulated; verdicts on a line where an earlier one
    flipped are marked. Rulings of people are not decided again.
    """
    begins, ends = _instant(since, "--since"), _instant(until, "--until")
    try:
        every = all_settings(**({} if data is None else {"data_dir": data}))
    except ConfigurationError as error:
        refuse(str(error), serve.MISCONFIGURED)
    settings = settings_of(RegistrationSettings, every)
    url = settings.database_url("registration")
    file = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and not file.is_file():
        refuse(f"There is no {file}; name the folder with --data.")

    async def run(database: Database) -> bool:
        plans = Plans(database)
        if plan is None:
            return await _day(database, plans, begins, ends, DayReport(as_json))
        if plan.isdecimal():
            other = await plans.get(int(plan))
        else:
            other = await _from_file(Path(plan), database)
        return await _other(database, plans, other, begins, ends, OtherReport(as_json))

    try:
        same = asyncio.run(_with_database(settings, run))
    except PlanUnknown as error:
        refuse(f"{error}.")
    except (SQLAlchemyError, OSError) as error:
        refuse(f"The database cannot be read: {str(error).splitlines()[0]}")
    if not same:
        raise typer.Exit(FAILED)


async def _with_database(
    settings: RegistrationSettings, run: Callable[[Database], Awaitable[bool]]
) -> bool:
    database = app.make_database(settings)
    try:
        return await run(database)
    finally:
        await database.dispose()


async def _day(
    database: Database,
    plans: Plans,
    since: datetime | None,
    until: datetime | None,
    report: DayReport,
) -> bool:
    """Whether every decision comes out the same with the plan of its day."""
    async for slice_ in decisions(database, since, until):
        for stored in slice_:
            try:
                found = same_again(stored, await plans.get(stored.plan_number))
            except PlanUnknown as error:
                found = (f"/: {error}",)
            report.decided(stored, found)
    return report.finish(RULE_BOOK)


async def _other(
    database: Database,
    plans: Plans,
    other: Plan,
    since: datetime | None,
    until: datetime | None,
    report: OtherReport,
) -> bool:
    standing = await standing_of_history(database)
    async for slice_ in decisions(database, since, until):
        flipped = []
        for stored in slice_:
            currency = (await plans.get(stored.plan_number)).currency
            inputs, compared = under_another(stored, other, standing)
            flipped += report.decided(stored, product_lines(inputs), compared, currency)
        report.flipped(flipped, await deals(database, {it.flip.registration_id for it in flipped}))
    report.finish(other.number or None, RULE_BOOK)
    return True


async def _from_file(path: Path, database: Database) -> Plan:
    known = await people_on_record(database)
    try:
        document = documents.read_plan(path, people=known.reachable, erased=known.erased)
    except documents.Unreadable as error:
        refuse(str(error), MISUSED)
    return compile_plan(document, TRIED, LONG_AGO, registrable_domain)


def _instant(given: str | None, option: str) -> datetime | None:
    """An instant; a date is its midnight in UTC."""
    if given is None:
        return None
    try:
        read = datetime.fromisoformat(given)
    except ValueError:
        refuse(f"{option}: {given} is no instant; give 2026-03-01T09:00:00Z or 2026-03-01", MISUSED)
    if read.tzinfo is None and len(given) > len("2026-03-01"):
        refuse(f"{option}: {given} has no time zone; write {given}Z for UTC", MISUSED)
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
