"""What the demo says at the end, read from the services' HTTP APIs as any client could."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dealreg.demo import ladder
from dealreg.demo.parity import Comparison
from dealreg.demo.simulation import Simulation

GAPS_SHOWN = 12


async def show(
    sim: Simulation, outcomes: Counter[str], console: Console, *, ruled: bool = True
) -> None:
    """Outcomes, cases per quarter, escalations per level; who settled them; matrix, gaps, what to do
    first. Without ``ruled`` the last ones are left out: nobody settled anything, and where every partner
    covers everything, scores say nothing and fill pages."""
    console.print()
    console.rule("[bold]Summary[/bold]", align="left")
    _outcomes(outcomes, console)
    conflicts = await sim.items("/v1/conflicts")
    escalations = await sim.items("/v1/escalations")
    ruled_on = await ladder.levels_that_ruled(sim, conflicts)
    _cases(conflicts, escalations, ruled_on, console)
    if not ruled:
        console.print("Nobody settles a case here, so nearly all of them climb to the CEO.")
        return
    ladder.show(conflicts, escalations, ruled_on, console)
    _matrix(await sim.call("GET", "/v1/coverage/matrix"), console)
    _gaps(await sim.call("GET", "/v1/coverage/gaps"), console)
    _actions(await sim.call("GET", "/v1/coverage/summary"), console)


def _outcomes(outcomes: Counter[str], console: Console) -> None:
    total = sum(outcomes.values())
    table = Table(title=f"Outcomes of {total:,} registrations", title_justify="left")
    table.add_column("outcome")
    table.add_column("registrations", justify="right")
    table.add_column("share", justify="right")
    for name, count in outcomes.most_common():
        table.add_row(name, f"{count:,}", f"{100 * count / max(1, total):.1f} %")
    console.print(table)


def _quarter(instant: str) -> str:
    return f"{instant[:4]} Q{(int(instant[5:7]) + 2) // 3}"


def _cases(
    conflicts: Sequence[Mapping[str, Any]],
    escalations: Sequence[Mapping[str, Any]],
    ruled_on: Mapping[str, int],
    console: Console,
) -> None:
    """A case reaches the level above one that missed its deadline, and the one that ruled on it. An
    appeal starts above the ruling."""
    opened = Counter((_quarter(c["opened_at"]), c["kind"]) for c in conflicts)
    reached: Counter[tuple[str, int]] = Counter()
    for case in escalations:
        first = case["levels"][0]["level"]
        highest = max(
            first + len(case["breached_levels"]), ruled_on.get(case["conflict_id"], first)
        )
        for level in range(first, highest + 1):
            reached[_quarter(case["opened_at"]), level] += 1
    kinds = sorted({kind for _, kind in opened})
    table = Table(
        title="Cases opened per quarter, and the levels they reached", title_justify="left"
    )
    table.add_column("quarter")
    for kind in kinds:
        table.add_column(kind.replace("_", " "), justify="right")
    for name in ("manager told", "VP told", "CEO told"):
        table.add_column(name, justify="right")
    for quarter in sorted({q for q, _ in opened}):
        table.add_row(
            quarter,
            *(str(opened[quarter, kind]) for kind in kinds),
            *(str(reached[quarter, level]) for level in (1, 2, 3)),
        )
    table.add_section()
    table.add_row(
        "all",
        *(str(sum(n for (_, k), n in opened.items() if k == kind)) for kind in kinds),
        *(str(sum(n for (_, of), n in reached.items() if of == level)) for level in (1, 2, 3)),
    )
    console.print(table)


def _matrix(matrix: Mapping[str, Any], console: Console) -> None:
    """A line per partner and region, a column per segment."""
    target = matrix["target"]
    places = [market.rpartition("/")[::2] for market in matrix["markets"]]
    regions = list(dict.fromkeys(region for region, _ in places))
    segments = list(dict.fromkeys(segment for _, segment in places))
    table = Table(
        title=f"Coverage in per cent (target {target:g}, as of {matrix['as_of'][:10]})",
        title_justify="left",
    )
    for name in ("region", "partner"):
        table.add_column(name, no_wrap=True)
    for segment in segments:
        table.add_column(segment, justify="right")
    for region in regions:
        for row in matrix["rows"]:
            cells = [row["cells"].get(f"{region}/{segment}") for segment in segments]
            if any(cells):
                name = f"{row['partner_id']} {row['partner_name']}"
                table.add_row(region, name, *(_cell(cell, target) for cell in cells))
        table.add_section()
    console.print(table)
    programme = matrix["programme"]
    console.print(
        f"Programme: {programme['mean']:g} % plain mean of partner scores; "
        f"{programme['weighted']:g} % over markets,\nweighted by potential "
        "(a market's score is its best partner's, raised by the others)."
    )


def _cell(cell: Mapping[str, Any] | None, target: float) -> str:
    if cell is None:
        return ""
    colour = "green" if cell["score"] >= target else "yellow" if cell["score"] >= 65 else "red"
    return f"[{colour}]{cell['score']:.0f}[/]"


def _gaps(gaps: Mapping[str, Any], console: Console) -> None:
    table = Table(title=f"Gaps: {len(gaps['items'])}", title_justify="left")
    for name in ("priority", "class", "market"):
        table.add_column(name)
    for name in ("score", "partners", "planned"):
        table.add_column(name, justify="right")
    table.add_column("why")
    for gap in gaps["items"][:GAPS_SHOWN]:
        table.add_row(
            gap["priority"],
            gap["gap_class"],
            gap["name"],
            f"{gap['score']:.0f} %",
            str(gap["partners"]),
            str(gap["headcount"]),
            gap["reason"],
        )
    console.print(table)


def _actions(summary: Mapping[str, Any], console: Console) -> None:
    console.print("[bold]What to do first[/bold]")
    steps = Table.grid(padding=(0, 1))
    for number, action in enumerate(summary["actions"], 1):
        steps.add_row(f"  {number}.", Text(action["text"]))
    console.print(steps)


def show_parity(comparison: Comparison, console: Console) -> None:
    """Every verdict that differs from the truth file's, with its cause."""
    console.print()
    console.rule("[bold]Parity with the truth file[/bold]", align="left")
    table = Table()
    for name in ("event", "truth", "ours", "refers to", "cause"):
        table.add_column(name)
    for difference in comparison.differences:
        table.add_row(
            difference.event_id,
            difference.truth,
            difference.ours,
            difference.refers_to,
            "; ".join(difference.causes) or "[red]unexplained[/red]",
        )
    console.print(table)
    causes = Counter("; ".join(d.causes) or "unexplained" for d in comparison.differences)
    for cause, count in causes.most_common():
        console.print(f"  {count:3}  {cause}", markup=False)
    console.print(
        f"{comparison.compared:,} verdicts compared, {len(comparison.differences)} differ, "
        f"{sum(not d.causes for d in comparison.differences)} unexplained. "
        f"Look-alikes merged: {len(comparison.merged)}."
    )
