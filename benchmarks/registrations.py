"""Registrations a second over real HTTP, beside the two ceilings, all from one run.

In every round each contestant runs once, one after the other, so that a slow minute of the machine
slows all of them. Reported are the medians over the rounds and the ratios of each round's own pair.
"""

import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks import pgbench
from benchmarks.load import Load, Order
from benchmarks.report import Row
from benchmarks.serving import ROOT, Served
from dealreg_devstack import DevstackUnavailable, Postgres
from dealreg_devstack.temporary import temporary_folder

NOOP = "FastAPI no-op, same models (a)"
POSTGRES, SQLITE = "product on PostgreSQL", "product on SQLite"
HOT = "1 in 10 on ten hot accounts"
RELAYED = "events relayed meanwhile"
CEILING = "pgbench, one function call, 8 clients (b)"

GOALS = {(POSTGRES, NOOP): 0.4, (SQLITE, NOOP): 0.3}


@dataclass(frozen=True, slots=True)
class Size:
    """How long and how often. ``seconds`` is the measured time of each contestant in a round,
    ``seeding`` that of the filings that pgbench's are made like."""

    rounds: int = 3
    seconds: int = 5
    warm_up: float = 1.0
    seeding: float = 3.0
    connections: int = 64
    clients: int = 8
    other_clients: tuple[int, ...] = (1, 4, 16, 32)


@dataclass(slots=True)
class Contestant:
    """A server under load. ``hot_every`` as in ``load.Order``."""

    name: str
    served: Served
    hot_every: int = 0

    def run(self, size: Size) -> tuple[Load, float]:
        """What came back, and the server's share of one processor meanwhile."""
        before = self.served.cpu()
        load = drive(
            Order(
                self.served.port,
                self.served.keys,
                size.connections,
                size.warm_up,
                size.seconds,
                self.hot_every,
            )
        )
        return load, (self.served.cpu() - before) / (size.seconds + size.warm_up)


def drive(order: Order) -> Load:
    """Run the load generator in its own process. Raises RuntimeError if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(asdict(order)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Load(**json.loads(done.stdout))


@contextmanager
def _folder(name: str) -> Iterator[Path]:

    folder = temporary_folder(f"dealreg-bench-{name}-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


async def run(size: Size, server: Postgres) -> list[Row]:
    """Measure and return the table's rows."""
    loads: dict[str, list[tuple[Load, float]]] = defaultdict(list)
    ceilings: list[float] = []
    with ExitStack() as stack:
        folder = stack.enter_context(_folder("run"))

        def served(what: str, name: str, *, relay: bool = False) -> Served:
            place = folder / name
            place.mkdir()
            url = server.create_database(name, name) if name.startswith("postgres") else None
            return stack.enter_context(Served(what, place, url, relay=relay))

        postgres, sqlite = served("product", "postgres_alone"), served("product", "sqlite_alone")
        contestants = [
            Contestant(NOOP, served("noop", "noop")),
            Contestant(POSTGRES, postgres),
            Contestant(SQLITE, sqlite),
            Contestant(f"{POSTGRES}, {HOT}", postgres, 10),
            Contestant(f"{SQLITE}, {HOT}", sqlite, 10),
            Contestant(f"{POSTGRES}, {RELAYED}", served("product", "postgres_relayed", relay=True)),
            Contestant(f"{SQLITE}, {RELAYED}", served("product", "sqlite_relayed", relay=True)),
        ]
        url = server.create_database("ceiling", "ceiling")
        place = folder / "ceiling"
        place.mkdir()
        with Served("product", place, url) as seeding:
            drive(Order(seeding.port, seeding.keys, 1, 0, size.seeding))
        try:
            ceiling = await pgbench.prepare(server, url, folder)
            pgbench.find_pgbench()
        except DevstackUnavailable as missing:
            print(missing)
            ceiling = None
        for number in range(size.rounds):
            for contestant in contestants:
                loads[contestant.name].append(contestant.run(size))
                _say(number, contestant.name, loads[contestant.name][-1][0].rate)
            if ceiling is not None:
                ceilings.append(ceiling.run(size.clients, size.seconds))
                _say(number, CEILING, ceilings[-1])
        others = (
            {clients: ceiling.run(clients, size.seconds) for clients in size.other_clients}
            if ceiling is not None
            else {}
        )
    return _rows(loads, ceilings, others)


def _say(number: int, name: str, rate: float) -> None:
    print(f"  round {number + 1}: {rate:7,.0f}/s  {name}", file=sys.stderr, flush=True)


def _rows(
    loads: dict[str, list[tuple[Load, float]]],
    ceilings: list[float],
    others: dict[int, float],
) -> list[Row]:
    noop = [load.rate for load, _ in loads[NOOP]]
    rows: list[Row] = []
    for name, runs in loads.items():
        rates = [load.rate for load, _ in runs]
        of_noop = [rate / other for rate, other in zip(rates, noop, strict=True)]
        of_ceiling = [rate / other for rate, other in zip(rates, ceilings, strict=False)]
        goal = GOALS.get((name, NOOP))
        rows.append(
            {
                "what": name,
                "per second": f"{median(rates):,.0f} ({min(rates):,.0f}-{max(rates):,.0f})",
                "x a": f"{median(of_noop):.2f} ({min(of_noop):.2f}-{max(of_noop):.2f})",
                "x b": f"{median(of_ceiling):.2f}" if of_ceiling else "",
                "goal": f"{goal:.1f} x a" if goal else "",
                "": "" if goal is None else "reached" if median(of_noop) >= goal else "missed",
                "p50 / p99 ms": f"{median(load.p50 for load, _ in runs):.0f} / "
                f"{median(load.p99 for load, _ in runs):.0f}",
                "server CPU": f"{median(cpu for _, cpu in runs):.0%}",
                "load CPU": f"{median(load.cpu for load, _ in runs):.0%}",
            }
        )
    if ceilings:
        rows.append(
            {
                "what": CEILING,
                "per second": f"{median(ceilings):,.0f} ({min(ceilings):,.0f}-{max(ceilings):,.0f})",
                "x a": f"{median(ceilings) / median(noop):.2f}",
            }
        )
    rows += [
        {"what": f"pgbench, {clients} clients, once", "per second": f"{rate:,.0f}"}
        for clients, rate in others.items()
    ]
    return rows
