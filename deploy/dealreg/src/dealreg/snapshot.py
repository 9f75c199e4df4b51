"""A copy of the embedded data folder as of one instant, taken while the services run.

Four files change one after the other (a service's own, the bus, the consumers' own), so copies taken one
after the other disagree in any order: with the bus first, it lacks events that are marked as published;
with the bus last, consumers lack what the bus believes they have. Therefore every file's write lock is
taken, and while all are held a read transaction is opened on each; then the locks are let go and the
copies are made from those read transactions at leisure. Together they are what a power cut at that
instant would have left, and from that the services recover by design. Writers wait for milliseconds.

Must not know tables.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import Any

from dealreg_shared.private_files import make_file

MANIFEST = "backup.json"
FORMAT = "dealreg.backup/1"
LOCK_SECONDS = 30.0


class BackupRefused(Exception):
    """It would not be a good backup, or it would overwrite something. Nothing was changed."""


def take(sources: Mapping[str, Path], target: Path, at: datetime) -> dict[str, Any]:
    """Copy ``sources`` (name in the backup -> SQLite file) into the new folder ``target``.

    Returns the manifest, which is also written. Raises ``BackupRefused`` if ``target`` holds anything, a
    source is missing, or a writer keeps its lock for longer than half a minute.
    """
    _must_be_empty(target)
    missing = [str(path) for path in sources.values() if not path.is_file()]
    if missing:
        raise BackupRefused(f"There is no {', no '.join(missing)}: nothing to back up.")
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        with ExitStack() as held:
            readers = _freeze(sources, held)
            for name, reader in readers.items():
                make_file(work / name)
                with closing(sqlite3.connect(work / name)) as copy:
                    reader.backup(copy)
                    copy.execute("PRAGMA journal_mode=DELETE")
        manifest = {
            "format": FORMAT,
            "taken_at": at.isoformat(),
            "files": {name: _digest(work / name) for name in sources},
        }
        (work / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
        _settle(work, target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return manifest


def put_back(
    source: Path,
    targets: Mapping[str, Path],
    prepare: Callable[[sqlite3.Connection], None] = lambda _: None,
) -> dict[str, Any]:
    """Check the backup in ``source`` and copy its files to ``targets`` (name -> SQLite file).

    ``prepare`` may change each copy before it is put in place.

    Returns the manifest. Raises ``BackupRefused`` for a damaged or foreign backup, and if any of the
    targets' folders holds anything: a running or former installation is never overwritten.
    """
    manifest = _manifest(source)
    names = set(manifest["files"])
    if names != set(targets):
        raise BackupRefused(f"The backup holds {sorted(names)}, expected {sorted(targets)}.")
    for name, expected in manifest["files"].items():
        if not (source / name).is_file() or _digest(source / name) != expected:
            raise BackupRefused(f"{source / name} is not what was backed up; the copy is damaged.")
        with closing(sqlite3.connect(f"file:{source / name}?mode=ro", uri=True)) as copy:
            [(verdict,)] = copy.execute("PRAGMA integrity_check(1)").fetchall()
        if verdict != "ok":
            raise BackupRefused(f"{source / name}: {verdict}")
    folders = {path.parent for path in targets.values()}
    for folder in folders:
        _must_be_empty(folder)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for name, path in targets.items():
                if path.parent == folder:
                    make_file(work / path.name)
                    shutil.copyfile(source / name, work / path.name)
                    with closing(sqlite3.connect(work / path.name)) as copy:
                        prepare(copy)
                        copy.commit()
            _settle(work, folder)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
    return manifest


def _freeze(sources: Mapping[str, Path], held: ExitStack) -> dict[str, sqlite3.Connection]:
    """A read transaction on each file, all of the same instant."""
    readers: dict[str, sqlite3.Connection] = {}
    with ExitStack() as locks:
        for path in sources.values():
            lock = locks.enter_context(closing(_open(path)))
            try:
                lock.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                raise BackupRefused(f"{path} stays locked ({error}); try again.") from error
            locks.callback(lock.execute, "ROLLBACK")
        for name, path in sources.items():
            readers[name] = held.enter_context(closing(_open(path)))
            readers[name].execute("BEGIN")
            readers[name].execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return readers


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)


def _must_be_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupRefused(
            f"{folder} is not empty; name a folder that is empty or does not exist."
        )


def _manifest(source: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((source / MANIFEST).read_text("utf-8"))
        known = manifest["format"] == FORMAT and isinstance(manifest["files"], dict)
    except (OSError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise BackupRefused(f"{source} holds no backup: {MANIFEST} is missing or not ours.")
    return manifest


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _settle(work: Path, target: Path) -> None:
    """Make ``work`` durable and let it become ``target`` in one step."""
    for path in work.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    work.chmod(0o700)
    work.replace(target)  # onto an empty folder, or onto nothing
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
