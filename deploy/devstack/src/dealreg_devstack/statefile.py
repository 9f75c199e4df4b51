"""Reads and writes what a later process must know to find a server again.

The files hold passwords: only their owner may read them.
"""

import json
import os
from pathlib import Path
from typing import Any


def write_state(file: Path, state: dict[str, Any]) -> None:
    """Replace `file` in one step, readable by its owner only."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(state, stream, indent=2)
    draft.replace(file)


def read_state(file: Path) -> dict[str, Any] | None:
    """The content of `file`, or None when there is none or it is damaged."""
    try:
        state = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None
