"""The ladder's statistics in the summary: who settled the cases, how fast, who was late."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from dealreg.demo.simulation import Simulation

LEVELS = {1: "1 partner manager", 2: "2 VP", 3: "3 CEO", 4: "4 reviewer"}
BY_ITSELF, STILL_OPEN = "by itself", "still open"


async def levels_that_ruled(
    sim: Simulation, conflicts: Sequence[Mapping[str, Any]]
) -> dict[str, int]:
    """Case id -> the level that ruled on it, from the case's history."""
    levels = {}
    for case in conflicts:
        if case["state"] == "decided":
            whole = await sim.call("GET", f"/v1/conflicts/{case['id']}")
            [ruled] = [e for e in whole["history"] if e["action"] == "conflict.decided"]
            levels[case["id"]] = ruled["detail"]["level"]
    return levels


def show(
    conflicts: Sequence[Mapping[str, Any]],
    escalations: Sequence[Mapping[str, Any]],
    ruled_on: Mapping[str, int],
    console: Console,
) -> None:
    """All cases by who settled them, the time it took, deadlines missed and appeals."""
    took: defaultdict[str, list[timedelta]] = defaultdict(list)
    open_ = 0
    for case in conflicts:
        if case["closed_at"] is None:
            open_ += 1
            continue
        name = LEVELS[ruled_on[case["id"]]] if case["id"] in ruled_on else BY_ITSELF
        took[name].append(_at(case["closed_at"]) - _at(case["opened_at"]))
    table = Table(title="How the conflicts were settled", title_justify="left")
    for name in ("by", "cases", "median", "worst"):
        table.add_column(name, justify="left" if name == "by" else "right")
    for name in (*LEVELS.values(), BY_ITSELF):
        if spans := took.get(name):
            table.add_row(name, str(len(spans)), _median(spans), _span(max(spans)))
    table.add_row(STILL_OPEN, str(open_), "", "")
    decided = [span for name in LEVELS.values() for span in took[name]]
    table.add_section()
    if decided:
        all_of = _median(decided), _span(max(decided))
        table.add_row("decided", str(len(decided)), *all_of)
    console.print(table)
    missed = [level for case in escalations for level in case["breached_levels"]]
    appeals = sum(case["kind"] == "appeal" for case in conflicts)
    console.print(
        f"{len(conflicts)} cases opened, {appeals} of them appeals. Deadlines missed: "
        f"{missed.count(1)} by a manager (4 h), {missed.count(2)} by the VP (24 h)."
    )


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _median(spans: Sequence[timedelta]) -> str:
    return _span(timedelta(seconds=median(span.total_seconds() for span in spans)))


def _span(span: timedelta) -> str:
    """In hours and minutes; from two days on in days."""
    minutes = round(span.total_seconds() / 60)
    if minutes >= 2 * 24 * 60:
        return f"{minutes / 1440:.1f} d"
    return f"{minutes // 60} h {minutes % 60:02} min"
