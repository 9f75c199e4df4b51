"""Row replay-d: every stored decision is made again, byte for byte; what was touched is named."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select
from typer.testing import CliRunner

from dealreg.cli import app
from dealreg_registration import tables
from dealreg_registration.app import make_database
from dealreg_registration.commands import Actor, Answer, Target
from dealreg_registration.domain.facts import Facts
from dealreg_registration.filing import Filing
from dealreg_registration.handlers.end_registration import EndRegistration
from dealreg_registration.handlers.file_registration import FileRegistration
from dealreg_registration.programme import Programme
from dealreg_registration.receipting import draft
from dealreg_registration.settings import RegistrationSettings
from dealreg_registration.writer import AccountWriter
from dealreg_shared.db import app_now
from dealreg_shared.db.engine import utc_now
from dealreg_shared.db.migrate import migrate
from dealreg_shared.ids import new_id
from dealreg_shared.outbox import Outbox
from tests.factories.registration_service import SIGNER, publish, seed
from tests.faults import programme
from tests.faults.installation import Installation
from tests.faults.proof import Lab, Outcome, Row

PARTNERS = 5
WAVE = 400
"""Commands that wait together."""


def prove(lab: Lab) -> Outcome:
    """Make a history under two plans, decide it again, then under a third, then touch some of it."""
    registrations = lab.count(400, 100_000)
    touched = lab.count(3, 30)
    with lab.installation() as made:
        asyncio.run(_make(made, registrations))
        decided = _replay(made)
        summary = decided[-1]
        referred = [line for line in _replay(made, "--plan", _other(made)) if _referred(line)]
        expected = made.read("registration", _covered_by_first)
        wrong = made.write("registration", lambda conn: _touch(conn, touched))
        named = {line["decision"] for line in _replay(made)[:-1]}
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(summary["made"].items()))
    return Outcome(
        f"{summary['registrations']} registrations under {summary['plans']} plans: {kinds}",
        f"{summary['different']} decisions differ; with another plan {len(referred)} of {expected} "
        f"verdicts flip; {len(named & wrong)} of {touched} touched rows named, "
        f"{len(named - wrong)} others",
        kept=summary["different"] == 0
        and summary["registrations"] >= registrations
        and len(referred) == expected > 0
        and named == wrong
        and len(wrong) == touched,
    )


ROW = Row(
    "replay-d",
    "every decision is made again from its stored inputs, and a plan can be tried on history",
    "all byte for byte the same; every touched row named",
    prove,
)


def _plan(covering: int, days: int) -> dict[str, Any]:
    """All partners, of whom the first ``covering`` cover the market."""
    plan = programme.plan(PARTNERS)
    plan["assignments"] = plan["assignments"][:covering]
    plan["policy"] = {"protection_days": days}
    return plan


async def _make(made: Installation, registrations: int) -> None:
    settings = RegistrationSettings(
        data_dir=made.folder, registration_database_url=made.databases["registration"]
    )
    database = make_database(settings)
    try:
        await migrate(database, "dealreg_registration")
        await database.write(seed({}, _plan(PARTNERS - 1, 90), utc_now() - timedelta(days=1)))
        writer = AccountWriter(
            database,
            Outbox(tables.outbox, "/proof", "default"),
            Programme(),
            audit=tables.audit,
            signer=lambda: SIGNER,
        )
        await _file(writer, 0, registrations // 2)
        await database.write(lambda conn: publish(conn, _plan(PARTNERS, 30), 2, app_now(conn)))
        await _file(writer, registrations // 2, registrations)
        await writer.finish()
    finally:
        await database.dispose()


async def _file(writer: AccountWriter, first: int, last: int) -> None:
    """Two to three partners file for each customer, and of some the first one withdraws."""
    for start in range(first, last, WAVE):
        commands = [_filing(number) for number in range(start, min(start + WAVE, last))]
        await _all(writer.submit(command) for command in commands)
        await _all(
            writer.submit(EndRegistration("withdraw", it.registration_id, it.actor, "proof"))
            for it in commands[::7]
            if it.filing.currency == "USD"  # the others are rejected for want of a rate
        )


async def _all(answers: Any) -> None:
    waiting: Sequence[Awaitable[Answer]] = list(answers)
    for answer in await asyncio.gather(*waiting):
        assert answer.status in (200, 201), answer


def _filing(number: int) -> FileRegistration:
    partner = f"p{number % PARTNERS:03}"
    customer = number * 2 // 5
    filing = Filing(
        partner_id=partner,
        account_name=programme.customer(customer),
        facts=Facts(country="US"),
        product_lines=("platform",),
        amount=Decimal(1000 + number % 977),
        currency="USD" if number % 11 else "EUR",
        close_date=date(2100, 1, 1),
        domain=f"customer-{customer}.com",
    )
    registration_id = new_id("reg")
    return FileRegistration(
        filing=filing,
        target=Target(keys=filing.keys(), name=filing.account_name, facts=filing.facts),
        actor=Actor(f"partner:{partner}", "partner", partner),
        registration_id=registration_id,
        receipt=draft(registration_id),
        correlation_id="proof",
    )


def _replay(made: Installation, *arguments: str) -> list[dict[str, Any]]:
    """What the command says, line by line; the summary last, with what was counted beside it."""
    done = CliRunner().invoke(app, ["replay", "--json", *arguments], env=made.environment)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines and lines[-1]["kind"] == "summary", done.output
    assert done.exit_code == (1 if lines[-1].get("different") else 0)

    def count(conn: Connection) -> tuple[dict[str, int], int]:
        table = tables.decision
        rows = conn.execute(select(table.c.kind, func.count()).group_by(table.c.kind)).all()
        filed = conn.execute(select(func.count()).select_from(tables.registration)).scalar_one()
        return {str(kind): int(number) for kind, number in rows}, int(filed)

    lines[-1]["made"], lines[-1]["registrations"] = made.read("registration", count)
    assert lines[-1]["decisions"] == sum(lines[-1]["made"].values())
    return lines


def _other(made: Installation) -> str:
    """A file with a plan under which the first partner covers the market no more."""
    plan = _plan(PARTNERS, 30)
    plan["assignments"] = plan["assignments"][1:]
    file = made.folder / "other.json"
    file.write_text(json.dumps(plan), encoding="utf-8")
    return str(file)


def _referred(line: dict[str, Any]) -> bool:
    return bool(line["kind"] == "flip" and line["now"] == "referred")


def _covered_by_first(conn: Connection) -> int:
    """The verdicts that must flip: filings of the first partner that were not rejected."""
    rows = conn.execute(
        select(tables.decision.c.result)
        .join(
            tables.registration,
            tables.registration.c.id == tables.decision.c.registration_id,
        )
        .where(tables.registration.c.partner_id == "p000", tables.decision.c.kind == "filing")
    )
    outcomes = Counter(row.result["lines"][0]["outcome"] for row in rows)
    return outcomes["protected"] + outcomes["contested"]


def _touch(conn: Connection, count: int) -> set[int]:
    """Change one value of the inputs or the result of so many decisions; their ids."""
    table = tables.decision
    ids = list(conn.execute(select(table.c.id).where(table.c.kind == "filing")).scalars())
    chosen = random.Random(1).sample(ids, count)  # noqa: S311  (can be repeated, no secret)
    for number, id_ in enumerate(chosen):
        row = conn.execute(select(table).where(table.c.id == id_)).one()
        inputs, result = row.inputs, row.result
        match number % 3:
            case 0:
                result["market"] = ["emea", "all"]
            case 1:
                inputs["filing"]["partner"] = "nobody"
            case _:
                result["lines"][0]["trace"][0]["sentence"] = "Another sentence."
        conn.execute(table.update().where(table.c.id == id_).values(inputs=inputs, result=result))
    return set(chosen)
