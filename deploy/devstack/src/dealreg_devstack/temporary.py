"""Temporary folders of servers, and the end of those whose owner died without tidying up.

A test run that is killed leaves its servers behind; the next one to make a temporary folder of
the same kind stops them.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from dealreg_devstack.privileges import new_folder, temporary_root
from dealreg_devstack.processes import OwnProcess
from dealreg_devstack.statefile import read_state, write_state

_OWNER = "owner.json"


def temporary_folder(prefix: str) -> Path:
    """A new folder, marked as belonging to this process."""
    folder = new_folder(prefix)
    write_state(folder / _OWNER, OwnProcess.of(os.getpid(), "").to_state())
    return folder


def abandoned(prefix: str) -> Iterator[Path]:
    """This user's temporary folders whose owner lives no more."""
    for folder in temporary_root().glob(f"{prefix}*"):
        try:
            mine = folder.stat().st_uid == os.geteuid()
        except FileNotFoundError:  # its owner is just removing it
            continue
        state = read_state(folder / _OWNER) if mine else None
        if state is not None and not OwnProcess.from_state(state).alive():
            yield folder
