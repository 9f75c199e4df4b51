"""Where files may lie that are thrown away soon: in memory, so that no commit waits for a disk."""

import os
import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 -- only ever as the parent of a folder for one user alone
ROOM = 2 * 1024**3
"""Bytes that must be free there."""


def in_memory() -> Path | None:
    """A folder in memory to make folders in; None where there is none, or too little room."""
    if not os.access(MEMORY, os.W_OK | os.X_OK) or shutil.disk_usage(MEMORY).free < ROOM:
        return None
    return MEMORY
