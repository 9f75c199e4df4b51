"""``dealreg up``: everything in one process on SQLite; with ``--distributed`` a process per service."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from dealreg import distributed as separate
from dealreg.all_in_one import build_all
from dealreg.auditor.app import build as build_auditor
from dealreg.auditor.settings import auditor_settings
from dealreg.compose import Joined
from dealreg.first_key import ensure_admin_key
from dealreg.settings import all_settings
from dealreg.terminal import out, refuse
from dealreg_shared import serve
from dealreg_shared.bus.factory import make_bus
from dealreg_shared.config import ConfigurationError
from dealreg_shared.db.engine import utc_now
from dealreg_shared.runtime import Service

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data", help="The data folder; else DEALREG_DATA_DIR, else ./data.", file_okay=False
    ),
]


def up(
    data: DataDir = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; else DEALREG_HTTP_HOST.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port; with --distributed the first of four. Else DEALREG_HTTP_PORT."),
    ] = None,
    distributed: Annotated[
        bool,
        typer.Option(
            "--distributed",
            help="One process per service on PostgreSQL and Kafka, started here if none is configured.",
        ),
    ] = False,
) -> None:
    """Start Dealreg and keep it running until Ctrl-C."""
    given: dict[str, Any] = {"data_dir": data, "http_host": host, "http_port": port}
    values = {name: value for name, value in given.items() if value is not None}
    if "DEALREG_LOG_FORMAT" not in os.environ and sys.stderr.isatty():
        values["log_format"] = "console"
    try:
        code = separate.run(values) if distributed else in_one_process(values)
    except ConfigurationError as error:
        refuse(str(error), serve.MISCONFIGURED)
    raise typer.Exit(code)


def in_one_process(values: dict[str, Any]) -> int:
    """Serve all three on one port. Returns the exit code. Raises ``ConfigurationError``."""
    settings = all_settings(**values)
    first: list[str | None] = []
    console = out()

    own = auditor_settings(values)

    def build() -> list[Service]:
        bus = make_bus(settings["registration"])
        services = build_all(settings, utc_now, bus)
        start = services[0].start

        async def start_and_make_key() -> None:
            await start()
            first.append(await ensure_admin_key(services))

        services[0].start = start_and_make_key
        return [*services, build_auditor(own, settings, bus=bus)]

    def ready(port: int) -> None:
        shared = settings["registration"]
        url = f"http://{shared.http_host}:{port}"
        console.print(f"Dealreg answers on {url}; API pages: {url}/docs; data: {shared.data_dir}")
        show_key(first[0] if first else None, console)
        console.print("Ctrl-C stops it.")

    return serve.run(settings["registration"], build, app=Joined, ready=ready)


def show_key(secret: str | None, console: Console) -> None:
    """Show a first admin key, which is shown nowhere else."""
    if secret is not None:
        console.print(
            f"Admin key, shown this once: {secret}\n"
            "Keep it, then: export DEALREG_CLIENT_KEY=<the key>; dealreg plan publish PLAN.yaml",
            markup=False,
        )
