"""Folders and files that only their owner may read: they hold deals and people's addresses.

What exists already keeps its mode: it may be shared on purpose. Must not know what stands in a file.
"""

import os
from contextlib import suppress
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def make_folder(folder: Path) -> None:
    """Make ``folder`` for its owner alone, with what is missing above it. Raises ``OSError``."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)


def make_file(file: Path) -> None:
    """Make ``file``, empty, for its owner alone, where there is none. Raises ``OSError``.

    One that exists is not even opened: to close it again would drop every lock that this process holds
    on it, and another process would then take a database in use for its own
    (https://www.sqlite.org/howtocorrupt.html, section 2.2). SQLite gives the files that it makes beside
    a database the mode of the database.
    """
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDONLY, FILE_MODE))
