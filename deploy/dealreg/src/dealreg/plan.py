"""``dealreg plan``: validate, publish, diff, schema. Files are checked as the service checks them."""

import hashlib
import json
from pathlib import Path
from typing import Annotated

import typer

from dealreg import documents
from dealreg.api_client import DEFAULT_URL, Key, Refused, Unreachable, Url, connect
from dealreg.terminal import MISUSED, err, out, refuse
from dealreg_registration.domain.plan_diff import diff_plans
from dealreg_registration.plan_content import content_of
from dealreg_registration.plan_schema import plan_schema

plan_app = typer.Typer(no_args_is_help=True, help="Check, publish and compare plans.")

PlanFile = Annotated[Path, typer.Argument(help="A plan, YAML or JSON.", dir_okay=False)]


@plan_app.command()
def validate(file: PlanFile) -> None:
    """Say everything that is wrong with a plan, each with its path and what is allowed."""
    try:
        report = documents.check_plan(file)
    except documents.Unreadable as error:
        refuse(str(error), MISUSED)
    for warning in report.warnings:
        err().print(f"warning: {documents.line(file, warning)}", markup=False)
    if report.document is None:
        for fault in report.faults:
            err().print(documents.line(file, fault), markup=False)
        count = len(report.faults)
        refuse(f"{file}: {count} fault{'s' * (count != 1)}; this plan cannot be published.")
    plan = report.document
    out().print(
        f"{file}: fit to be published: {len(plan.regions)} regions, {len(plan.partners)} partners, "
        f"{len(plan.territories)} territories, {len(plan.assignments)} assignments",
        markup=False,
    )


@plan_app.command()
def publish(
    file: PlanFile,
    url: Url = DEFAULT_URL,
    key: Key = None,
    in_force_from: Annotated[
        str | None,
        typer.Option(
            "--from", help="In force from this instant, RFC 3339 with zone; else at once."
        ),
    ] = None,
) -> None:
    """Publish a plan as the next numbered version. The same file at the same instant counts once."""
    try:
        documents.read_plan(file)
        raw = file.read_bytes()
    except (documents.Unreadable, OSError) as error:
        refuse(str(error), MISUSED)
    query = {} if in_force_from is None else {"in_force_from": in_force_from}
    digest = hashlib.sha256(raw + (in_force_from or "").encode()).hexdigest()
    try:
        with connect(url, key) as api:
            published = api.post_raw(
                "/v1/plans", raw, "application/yaml", key=f"plan-{digest}", query=query
            )
    except (Refused, Unreachable) as error:
        refuse(str(error))
    for warning in published["warnings"]:
        err().print(f"warning: {warning['path'] or '/'}: {warning['sentence']}", markup=False)
    out().print(
        f"plan {published['number']}, in force from {published['in_force_from']}", markup=False
    )


@plan_app.command()
def diff(
    before: Annotated[Path, typer.Argument(help="The former plan.", dir_okay=False)],
    after: Annotated[Path, typer.Argument(help="The new plan.", dir_okay=False)],
) -> None:
    """Say what changed between two plans, item by item. Exit code 1 if anything did."""
    try:
        former, new = (content_of(documents.read_plan(path)) for path in (before, after))
    except documents.Unreadable as error:
        refuse(str(error), MISUSED)
    changed = False
    for change in diff_plans(former, new):
        changed = True
        out().print(change.sentence, markup=False)
    if changed:
        raise typer.Exit(1)
    out().print("The two plans say the same.")


@plan_app.command()
def schema() -> None:
    """Print the JSON Schema of a plan document."""
    typer.echo(json.dumps(plan_schema(), indent=2, ensure_ascii=False))
