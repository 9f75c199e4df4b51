"""The table of commands: one line each, one file each."""

import typer

from dealreg.explain import explain

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Deal registration, territory coverage and conflict escalation for partner programmes.",
)

app.command()(explain)


@app.callback()
def _root() -> None:
    pass
