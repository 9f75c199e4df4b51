"""``dealreg parked``: what a service set aside because it could not be applied. The service's own
command does it; this one only passes on."""

import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dealreg.settings import all_settings
from dealreg.terminal import refuse
from dealreg_shared import serve
from dealreg_shared.config import ConfigurationError


class Consumer(StrEnum):
    """The services that consume events."""

    coverage = "coverage"
    notifier = "notifier"
    registration = "registration"


def parked(
    context: typer.Context,
    service: Annotated[Consumer, typer.Argument(help="The service that set events aside.")],
) -> None:
    """List, show, mend, drop or replay parked events: dealreg parked coverage list"""
    try:
        url = all_settings()[service].database_url(service)
    except ConfigurationError as error:
        refuse(str(error), serve.MISCONFIGURED)
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        refuse(
            f"There is no {url.removeprefix('sqlite:///')}; name the folder in DEALREG_DATA_DIR."
        )
    finished = subprocess.run(  # noqa: S603  (our own program, its arguments as given)
        [sys.executable, "-m", f"dealreg_{service}", "parked", *context.args], check=False
    )
    raise typer.Exit(finished.returncode)
