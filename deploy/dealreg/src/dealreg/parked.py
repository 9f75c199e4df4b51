"""``dealreg parked``: what a service set aside because it could not be applied. The service's own
command does it; this one only passes on."""

import subprocess
import sys
from enum import StrEnum
from typing import Annotated

import typer


class Consumer(StrEnum):
    """The services that consume events."""

    coverage = "coverage"
    notifier = "notifier"


def parked(
    context: typer.Context,
    service: Annotated[Consumer, typer.Argument(help="The service that set events aside.")],
) -> None:
    """List, show, mend, drop or replay parked events: dealreg parked coverage list"""
    finished = subprocess.run(  # noqa: S603  (our own program, its arguments as given)
        [sys.executable, "-m", f"dealreg_{service}", "parked", *context.args], check=False
    )
    raise typer.Exit(finished.returncode)
