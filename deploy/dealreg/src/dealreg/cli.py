"""The table of commands: one line each, one file each."""

import typer

from dealreg.backup import backup, restore
from dealreg.demo.command import demo
from dealreg.doctor import doctor
from dealreg.explain import explain
from dealreg.export_registrations import export
from dealreg.import_registrations import import_
from dealreg.parked import parked
from dealreg.plan import plan_app
from dealreg.up import up

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Deal registration, territory coverage and conflict escalation for partner programmes.",
)

app.add_typer(plan_app, name="plan")
app.command()(up)
app.command()(demo)
app.command()(explain)
app.command("import")(import_)
app.command()(export)
app.command()(backup)
app.command()(restore)
app.command()(doctor)
app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)(parked)
