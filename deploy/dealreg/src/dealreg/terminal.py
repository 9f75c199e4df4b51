"""What every command says, and how it ends when it cannot go on: a sentence and an exit code.

Results go to standard output, everything else to standard error, so that output can be piped.
"""

from typing import NoReturn

import typer
from rich.console import Console

FAILED = 1
MISUSED = 2


def out() -> Console:
    """The console for results. Made when used, so that tests and pipes are seen as they are then."""
    return Console(highlight=False, soft_wrap=True)


def err() -> Console:
    """The console for progress and faults."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def refuse(sentence: str, code: int = FAILED) -> NoReturn:
    """Say why the command cannot go on, and end it."""
    err().print(sentence, markup=False, style="red")
    raise typer.Exit(code)
