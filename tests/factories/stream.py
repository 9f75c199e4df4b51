"""The demo's stream for tests: short pieces of it, and what the pure core says about it."""

import csv
import json
import shutil
from pathlib import Path

from dealreg import documents
from dealreg.demo import stream
from dealreg.explain import IN_FORCE
from dealreg.in_memory import InMemory, Tried
from dealreg_registration.api.schemas import RegistrationBody
from dealreg_registration.compiling import compile_plan
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.ending import report_result
from dealreg_registration.domain.plan import PlanBook, Standing
from dealreg_registration.domain.settle import settle
from dealreg_registration.domains import registrable_domain

STREAM = Path(__file__).resolve().parents[2] / "examples" / "stream"


def first(count: int, folder: Path) -> Path:
    """A stream of the first ``count`` registrations and what became of them by the last of these."""
    shutil.copytree(STREAM, folder)
    registrations = stream.rows(STREAM, "registrations.csv")[:count]
    filed = {row["event_id"] for row in registrations}
    last = registrations[-1]["received_at"]
    closings = [
        row
        for row in stream.rows(STREAM, "closings.csv")
        if row["event_id"] in filed and row["closed_at"] <= last
    ]
    for name, kept in (("registrations.csv", registrations), ("closings.csv", closings)):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(kept[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(kept)
    return folder


def decide_in_memory(folder: Path, plan_name: str) -> dict[str, Tried]:
    """Event id -> what the pure core decided, with closings reported at their time."""
    plan = compile_plan(documents.read_plan(folder / plan_name), 1, IN_FORCE, registrable_domain)
    memory, book = InMemory(plan), PlanBook([plan])
    tried: dict[str, Tried] = {}
    for event in stream.read(folder):
        if isinstance(event, stream.Filing):
            body = RegistrationBody.model_validate_json(json.dumps(event.body))
            tried[event.event_id] = memory.file(body.filing(event.partner_id), event.at)
        else:
            account = tried[event.event_id].account
            settle(account, book, Standing(), event.at)
            registration = account.registrations[tried[event.event_id].registration.id]
            context = Context(plan, Standing(), event.at)
            report_result(account, registration, book, context, event.outcome)
    return tried
