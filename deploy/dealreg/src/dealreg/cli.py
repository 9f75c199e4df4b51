"""The table of commands: one line each, one file each, and nothing of a command is loaded before it is
asked for."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

COMMANDS: Mapping[str, str] = {
    "up": "dealreg.up:up",
    "demo": "dealreg.demo.command:demo",
    "plan": "dealreg.plan:plan_app",
    "explain": "dealreg.explain:explain",
    "replay": "dealreg.replay:replay",
    "verify": "dealreg.verify:verify",
    "import": "dealreg.import_registrations:import_",
    "export": "dealreg.export_registrations:export",
    "backup": "dealreg.backup:backup",
    "restore": "dealreg.backup:restore",
    "doctor": "dealreg.doctor:doctor",
    "auditor": "dealreg.auditor.command:auditor_app",
    "parked": "dealreg.parked:parked",
}
"""Name -> where its function (or its own table of commands) is."""

PASSED_ON = {"parked"}
"""Commands whose arguments are another program's."""


class Commands(TyperGroup):
    """Loads a command when it is named."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            function, found = found, typer.Typer(add_completion=False)
            anything = {"allow_extra_args": True, "ignore_unknown_options": True}
            passed_on = cmd_name in PASSED_ON
            found.command(
                cmd_name,
                context_settings=anything if passed_on else None,
                add_help_option=not passed_on,
            )(function)
        command = get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Deal registration, territory coverage and conflict escalation for partner programmes.",
)


@app.callback()
def _root() -> None:
    """Makes the table a table, whatever it holds."""
