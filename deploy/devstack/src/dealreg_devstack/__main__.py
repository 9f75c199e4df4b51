"""The command `dealreg-devstack`: start, stop and look at the development servers."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dealreg_devstack.errors import DevstackFailed, DevstackUnavailable
from dealreg_devstack.kafka_programs import lock_jars
from dealreg_devstack.stack import Stack


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did what was asked, 1 when not, with one line that says why."""
    wanted = _parser().parse_args(arguments)
    try:
        return _run(wanted)
    except (DevstackUnavailable, DevstackFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dealreg-devstack",
        description="A real PostgreSQL and a real Apache Kafka for development.",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(".devstack"),
        help="where to remember what runs, and to keep data (default: .devstack)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start what does not run; print the environment to export")
    up.add_argument("--kafka-nodes", type=int, choices=(1, 3), default=1)
    up.add_argument("--no-fsync", action="store_true", help="faster; a crash may lose data")
    down = commands.add_parser("down", help="stop the servers; their data stays")
    down.add_argument("--remove", action="store_true", help="delete the data, too")
    commands.add_parser("status", help="what runs; exit code 1 unless everything does")
    commands.add_parser("lock-jars", help="after a change of Kafka's version: list its jars anew")
    return parser


def _run(wanted: argparse.Namespace) -> int:
    if wanted.command == "lock-jars":
        sys.stdout.write(f"{lock_jars()} jars listed\n")
        return 0
    if wanted.command == "up":
        stack = Stack(wanted.folder, kafka_nodes=wanted.kafka_nodes, fsync=not wanted.no_fsync)
        sys.stderr.write(
            "Starting PostgreSQL and Kafka (44 MB are downloaded the first time) ...\n"
        )
        for name, value in stack.up().items():
            sys.stdout.write(f"{name}={value}\n")
        return 0
    stack = Stack(wanted.folder)
    if wanted.command == "down":
        stack.down(remove=wanted.remove)
        return 0
    running = stack.running()
    for name, runs in running.items():
        sys.stdout.write(f"{name}: {'up' if runs else 'down'}\n")
    sys.stdout.write(f"data: {stack.data}\n")
    return 0 if all(running.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
