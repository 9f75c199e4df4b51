"""``dealreg explain``: what the rules say about a deal under a plan. The pure core on two files."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table

from dealreg import documents
from dealreg.in_memory import InMemory, Tried
from dealreg.terminal import MISUSED, out, refuse
from dealreg_registration.api.schemas import RegistrationBody
from dealreg_registration.compiling import compile_plan
from dealreg_registration.domain.decide import LineDecision
from dealreg_registration.domain.inputs import describe_result
from dealreg_registration.domains import registrable_domain
from dealreg_shared.contracts.base import Instant, format_instant
from dealreg_shared.contracts.plan_document import PlanDocument

IN_FORCE = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Deal:
    """The body of ``POST /v1/registrations``, filed by its ``partner_id`` at ``at``."""

    at: datetime
    partner_id: str
    body: RegistrationBody


def explain(
    deal: Annotated[
        Path,
        typer.Argument(
            help="The deal as YAML or JSON: the body of POST /v1/registrations with partner_id, and "
            "`at`, the instant of filing. A list holds several, decided one after the other.",
            dir_okay=False,
        ),
    ],
    plan: Annotated[
        Path,
        typer.Option("--plan", help="The plan, YAML or JSON.", dir_okay=False, show_default=False),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the stored form of it.")] = False,
) -> None:
    """Decide a deal under a plan and show every rule that was tried. Needs no database."""
    try:
        document = documents.read_plan(plan)
        deals = read_deals(deal)
    except documents.Unreadable as error:
        refuse(str(error), MISUSED)
    tried = decide_all(document, deals)
    if as_json:
        typer.echo(json.dumps([describe_result(each.decision) for each in tried], indent=2))
        return
    for each in tried:
        show(each, document, out())


def read_deals(path: Path) -> list[Deal]:
    """The deals in a file. Raises ``Unreadable``. Without ``at`` the deal is filed at its close date's
    midnight, so that the answer does not depend on the day it is asked."""
    content = documents.read(path)
    entries = content if isinstance(content, list) else [content]
    deals: list[Deal] = []
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("partner_id"), str):
            raise documents.Unreadable(f"{path}: /partner_id: name the partner that files the deal")
        body = {name: value for name, value in entry.items() if name != "at"}
        try:
            read = RegistrationBody.model_validate_json(json.dumps(body))
            at = _instant(entry.get("at"), read.close_date)
        except ValidationError as error:
            raise documents.Unreadable("\n".join(_faults(path, error))) from error
        deals.append(Deal(at, entry["partner_id"], read))
    return deals


def _faults(path: Path, error: ValidationError) -> list[str]:
    return [
        f"{path}: /{'/'.join(str(part) for part in fault['loc'])}: "
        f"{fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors(include_url=False, include_input=False)
    ]


def _instant(given: Any, close_date: date) -> datetime:
    if given is None:
        return datetime(close_date.year, close_date.month, close_date.day, tzinfo=UTC)
    instant: datetime = TypeAdapter(Instant).validate_json(json.dumps(given))
    return instant


def decide_all(document: PlanDocument, deals: list[Deal]) -> list[Tried]:
    """Decide the deals one after the other, each seeing the claims of those before."""
    memory = InMemory(compile_plan(document, 1, IN_FORCE, registrable_domain))
    return [memory.file(deal.body.filing(deal.partner_id), deal.at) for deal in deals]


def show(tried: Tried, document: PlanDocument, console: Console) -> None:
    """The decision and its trace, for a person."""
    registration, decision = tried.registration, tried.decision
    partner = next(
        (p.name for p in document.partners if p.id == registration.partner_id),
        registration.partner_id,
    )
    console.print(
        f"\n[bold]{registration.account_name}[/bold], filed by {partner} "
        f"at {format_instant(registration.filed_at)}"
    )
    market = f"{decision.market_region or '-'}/{decision.market_segment or '-'}"
    owner = decision.owner
    owned = " and ".join(filter(None, (owner.partner_id, owner.direct_id))) or "nobody"
    matched = tried.resolution.matched_by
    console.print(
        f"market {market}, account owned by {owned}, rule book {decision.rule_book}"
        + (f", account known by {matched}" if matched else ", a new account"),
        markup=False,
    )
    for line in decision.lines:
        console.print(f"\n  {line.product_line}: [bold]{line.outcome}[/bold]{_terms(line)}")
        table = Table(box=None, padding=(0, 1), show_header=False)
        table.add_column(justify="right")
        table.add_column()
        table.add_column()
        for step in line.trace:
            mark = "[bold green]decides[/bold green]" if step.held else "no"
            table.add_row(f"rule {step.rule}", mark, step.sentence)
        console.print(table)


def _terms(line: LineDecision) -> str:
    if line.protected_until is not None:
        return f" until {format_instant(line.protected_until)}"
    if line.referred_kind is not None:
        return f" to {line.referred_kind} {line.referred_id}"
    return f" ({', '.join(line.codes)})" if line.codes else ""
