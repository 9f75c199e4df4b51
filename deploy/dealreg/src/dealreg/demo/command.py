"""``dealreg demo``: the main job on real input, then the services to look around in."""

import asyncio
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dealreg import documents
from dealreg.all_in_one import build_all
from dealreg.compose import Joined
from dealreg.demo import stream
from dealreg.demo.run import Outcome, embedded, replay
from dealreg.demo.throwaway import in_memory
from dealreg.settings import all_settings
from dealreg.terminal import MISUSED, refuse
from dealreg_shared import serve
from dealreg_shared.config import ConfigurationError
from dealreg_shared.telemetry import configure_logging

HOST = "127.0.0.1"


def demo(
    exit_: Annotated[bool, typer.Option("--exit", help="End after the summary.")] = False,
    with_parity: Annotated[
        bool,
        typer.Option(
            "--parity",
            help="Let every partner cover everything, and compare each verdict with the truth file.",
        ),
    ] = False,
    port: Annotated[int, typer.Option(help="Where to look around afterwards.")] = 8000,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Keep the data in this new folder; else it is thrown away.", file_okay=False
        ),
    ] = None,
    stream_folder: Annotated[
        Path | None, typer.Option("--stream", help="The folder examples/stream.", file_okay=False)
    ] = None,
) -> None:
    """Replay two years of registrations on a simulated clock, and show what came of them.

    2,000 registrations go through the three services as they are, with their databases and the bus;
    only time is simulated. Afterwards the clock stands still and the API answers on the port.
    """
    console = Console(highlight=False)
    try:
        folder = stream.find(stream_folder)
        settings = all_settings(**embedded(Path("unused")))
    except (stream.StreamMissing, ConfigurationError) as error:
        refuse(str(error), MISUSED)
    configure_logging(settings["registration"])
    if not exit_:
        _port_is_free(port)
    if data is not None and data.exists() and any(data.iterdir()):
        refuse(f"{data} is not empty; name a new folder.", MISUSED)
    kept = data or Path(tempfile.mkdtemp(prefix="dealreg-demo-", dir=in_memory()))
    try:
        try:
            outcome = asyncio.run(
                replay(folder, kept, with_parity=with_parity, console=console, port=port)
            )
        except documents.Unreadable as error:
            refuse(str(error), MISUSED)
        if not exit_:
            raise typer.Exit(_look_around(kept, port, outcome, console))
    finally:
        if data is None:
            shutil.rmtree(kept, ignore_errors=True)
    if outcome.comparison is not None and (
        outcome.comparison.merged or any(not d.causes for d in outcome.comparison.differences)
    ):
        raise typer.Exit(1)


def _port_is_free(port: int) -> None:
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        refuse(f"Port {port} cannot be used ({error.strerror}); name another with --port.", MISUSED)


def _look_around(data: Path, port: int, outcome: Outcome, console: Console) -> int:
    """Serve what the demo left, with the clock standing still, until stopped."""
    settings = all_settings(**embedded(data), http_host=HOST, http_port=port)

    def ready(port: int) -> None:
        url = f"http://{HOST}:{port}"
        console.soft_wrap = True  # a key must come out in one piece
        console.print()
        console.rule(
            f"[bold]Look around[/bold], the clock stands at {outcome.clock():%Y-%m-%d %H:%M} UTC",
            align="left",
        )
        console.print(f"API pages  {url}/docs")
        console.print(f"admin key  {outcome.admin_key}")
        console.print(f"key of {outcome.partner_id}  {outcome.partner_key}")
        console.print(
            f"\n  curl -H 'Authorization: Bearer {outcome.admin_key}' "
            f"'{url}/v1/conflicts?state=open&limit=3'"
            f"\n  curl -H 'Authorization: Bearer {outcome.admin_key}' '{url}/v1/coverage/summary'",
            markup=False,
        )
        console.print("\nCtrl-C ends the demo.")

    return serve.run(
        settings["registration"],
        lambda: build_all(settings, outcome.clock),
        app=Joined,
        ready=ready,
    )
