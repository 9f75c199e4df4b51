"""The file of the log's roots: outside the database, so that who changes the database cannot change it.

One JSON object per line, only ever added to, and on the disk before the next. Several processes may
share it. Copy it to where the database's keepers cannot write.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from dealreg_shared.private_files import make_file, make_folder
from dealreg_shared.receipts import Root, canonical


def append_roots(path: Path, roots: Sequence[Root]) -> int:
    """Add those of ``roots`` (oldest first) that came after the file's last. Returns how many.

    What a crash has cut off at the file's end is cut off whole. Raises OSError.
    """
    make_folder(path.parent)
    make_file(path)
    with path.open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        end, last = _tail(file)
        new = [root for root in roots if last is None or _order(root) > _order(last)]
        if new:
            file.truncate(end)
            file.seek(end)
            file.write(b"".join(canonical(root.view()) + b"\n" for root in new))
            file.flush()
            os.fsync(file.fileno())
    return len(new)


def last_root(path: Path) -> Root | None:
    """The root that the file ends with; None for a file that is empty or not there."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        return _tail(file)[1]


def read_roots(path: Path) -> Iterator[Root]:
    """All of them, oldest first. Raises OSError, and ValueError naming the line that is none."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield Root.read(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}: line {number} is no root of the log") from error


def _tail(file: BinaryIO) -> tuple[int, Root | None]:
    """Where the last whole line ends, and the root that it holds."""
    size = file.seek(0, os.SEEK_END)
    start = file.seek(max(0, size - _TAIL))
    raw = file.read()
    whole = raw.rfind(b"\n") + 1
    for line in reversed(raw[:whole].splitlines()):
        try:
            return start + whole, Root.read(json.loads(line))
        except (ValueError, KeyError, TypeError):
            continue
    return start + whole, None


_TAIL = 1 << 16
"""Bytes; a root has a few hundred."""


def _order(root: Root) -> tuple[str, int]:
    return root.sealed_at, root.size
