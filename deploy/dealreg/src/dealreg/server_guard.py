"""``python -m dealreg.server_guard FOLDER``: stops a folder's servers when all who used them are gone.

Started by ``dealreg up --distributed`` beside the servers that it starts, in a session of its own.
Standard input is a pipe whose writers are that process and its services. A byte in it says that all is
stopped as it should be; its end without one says that they were killed.
"""

import os
import sys
from pathlib import Path


def guard(folder: Path, pipe: int) -> None:
    """Wait for the end; stop the servers if nobody else has."""
    if os.read(pipe, 1):
        return
    from dealreg_devstack.stack import Stack

    Stack(folder).down()


if __name__ == "__main__":
    guard(Path(sys.argv[1]), sys.stdin.fileno())
