"""Folders and files that only their owner may read: they hold deals and people's addresses.

What exists already keeps its mode: it may be shared on purpose. Must not know what stands in a file.
"""

import os
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def make_folder(folder: Path) -> None:
    """Make ``folder`` for its owner alone, with what is missing above it. Raises ``OSError``."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)


def make_file(file: Path) -> None:
    """Make ``file``, empty, for its owner alone, where there is none. Raises ``OSError``.

    SQLite gives the files that it makes beside a database the mode of the database.
    """
    os.close(os.open(file, os.O_CREAT | os.O_RDONLY, FILE_MODE))
