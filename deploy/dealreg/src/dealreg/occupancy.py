"""Whether ``dealreg up --distributed`` runs from a data folder, and where its servers are.

A lock on a file in the folder says it: the system lets go of it when the last process that holds it
ends, however it ends. The file says in words what only the one who started it knows.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from dealreg_shared.config import ConfigurationError
from dealreg_shared.private_files import FILE_MODE

FILE = "distributed.json"
PATIENCE = 60.0
LOOK_EVERY = 0.1

Servers = Literal["here", "named"]
"""Started under the data folder, or named in the environment."""


@contextmanager
def occupied(folder: Path, servers: Servers, waiting: Callable[[], None]) -> Iterator[int]:
    """Hold ``folder``; gives the handle of the lock, for processes that hold it beyond this one.

    What a killed run left is waited for, after telling so by ``waiting``. Raises
    ``ConfigurationError`` while another run holds the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        until = time.monotonic() + PATIENCE
        while not _locked(handle, fcntl.LOCK_EX):
            if _alive(folder) or time.monotonic() > until:
                raise ConfigurationError(
                    f"DEALREG_DATA_DIR: another `dealreg up --distributed` runs from {folder}; "
                    "stop it or name another folder."
                )
            waiting()
            time.sleep(LOOK_EVERY)
        os.truncate(handle, 0)
        os.pwrite(handle, json.dumps({"pid": os.getpid(), "servers": servers}).encode(), 0)
        yield handle
    finally:
        os.close(handle)


def occupant(folder: Path) -> Servers | None:
    """Whose servers the run uses that holds ``folder`` now; None if none does."""
    try:
        handle = os.open(folder / FILE, os.O_RDONLY)
    except OSError:
        return None
    try:
        if _locked(handle, fcntl.LOCK_SH):
            return None
        return "here" if _said(folder).get("servers") == "here" else "named"
    finally:
        os.close(handle)


def _locked(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _said(folder: Path) -> dict[str, object]:
    try:
        said = json.loads((folder / FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _alive(folder: Path) -> bool:
    """Whether the process that wrote the file still runs."""
    pid = _said(folder).get("pid")
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
