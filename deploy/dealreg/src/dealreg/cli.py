"""The table of commands: one line each, one file each."""

import typer

from dealreg.backup import backup, restore
from dealreg.demo.command import demo
from dealreg.explain import explain
from dealreg.export_registrations import export
from dealreg.import_registrations import import_
from dealreg.plan import plan_app

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Deal registration, territory coverage and conflict escalation for partner programmes.",
)

app.add_typer(plan_app, name="plan")
app.command()(demo)
app.command()(explain)
app.command("import")(import_)
app.command()(export)
app.command()(backup)
app.command()(restore)
