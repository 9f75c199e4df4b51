"""``python -m benchmarks``: measure and print, all from one run. See README.md."""

import argparse
import asyncio

from benchmarks import ladder, log, matching, registrations
from benchmarks.report import machine, table
from dealreg_devstack import Postgres


def main() -> None:
    """Parse the arguments, run what they name, print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "what", nargs="*", choices=["registrations", "matching", "ladder", "log", []]
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="measured, of each contestant")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--cases", type=int, default=10_000, help="of the ladder")
    parser.add_argument("--notifiers", type=int, default=1, help="processes, of the ladder")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the log")
    given = parser.parse_args()
    what = given.what or ["registrations", "matching"]
    if "registrations" in what:
        size = registrations.Size(
            rounds=given.rounds, seconds=given.seconds, connections=given.connections
        )
        with Postgres(fsync=True) as server:
            print(machine(server.sql("SHOW server_version")), flush=True)
            rows = asyncio.run(registrations.run(size, server))
        print(f"\nRegistrations over HTTP, {size.connections} connections, {size.rounds} rounds\n")
        print(table(rows))
    else:
        print(machine(None))
    if "matching" in what:
        print("\nTerritory match, ten hits each\n")
        print(table(matching.run()))
    if "ladder" in what:
        print("\nThe ladder on PostgreSQL and Kafka, and its notices\n")
        ladder_size = ladder.Size(cases=given.cases, notifiers=given.notifiers)
        print(table(asyncio.run(ladder.run(ladder_size))))
    if "log" in what:
        with Postgres() as server:
            print(f"\nThe log over {given.rows:,} audit rows\n")
            print(table(asyncio.run(log.run(given.rows, server))))


if __name__ == "__main__":
    main()
