"""Backups of several files that change together: one instant, all or nothing, never over anything."""

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dealreg.snapshot import BackupRefused, put_back, take

AT = datetime(2026, 11, 1, tzinfo=UTC)
NAMES = ("registration.db", "bus.db", "coverage.db")


def files(folder: Path) -> dict[str, Path]:
    return {name: folder / name for name in NAMES}


def make(folder: Path) -> None:
    folder.mkdir()
    for path in files(folder).values():
        with closing(sqlite3.connect(path)) as conn:
            conn.execute("PRAGMA journal_mode=WAL")
            conn.execute("CREATE TABLE step (n INTEGER PRIMARY KEY, filler TEXT)")
            conn.commit()


def last(path: Path) -> int:
    with closing(sqlite3.connect(path)) as conn:
        [(n,)] = conn.execute("SELECT coalesce(max(n), 0) FROM step").fetchall()
        return int(n)


def test_copies_are_of_one_instant_while_a_chain_of_writers_goes_on(tmp_path: Path) -> None:
    make(tmp_path / "data")
    stop = threading.Event()
    moved = threading.Semaphore(0)

    def work() -> None:
        connections = [sqlite3.connect(p, timeout=30) for p in files(tmp_path / "data").values()]
        n = 0
        while not stop.is_set():
            n += 1
            for conn in connections:  # each step goes down the chain, one file after the other
                conn.execute("INSERT INTO step VALUES (?, ?)", (n, "x" * 500))
                conn.commit()
            moved.release()
        for conn in connections:
            conn.close()

    writer = threading.Thread(target=work)
    writer.start()
    try:
        for attempt in range(10):
            for _ in range(20):
                moved.acquire()
            target = tmp_path / f"backup{attempt}"
            take(files(tmp_path / "data"), target, AT)
            first, second, third = (last(target / name) for name in NAMES)
            assert first >= second >= third >= first - 1
    finally:
        stop.set()
        writer.join()


def test_a_backup_comes_back_with_the_same_content(tmp_path: Path) -> None:
    make(tmp_path / "data")
    with closing(sqlite3.connect(tmp_path / "data" / "bus.db")) as conn:
        conn.execute("INSERT INTO step VALUES (7, 'kept')")
        conn.commit()
    manifest = take(files(tmp_path / "data"), tmp_path / "backup", AT)
    assert set(manifest["files"]) == set(NAMES)
    put_back(tmp_path / "backup", files(tmp_path / "new"))
    assert last(tmp_path / "new" / "bus.db") == 7
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == sorted(NAMES)


def test_nothing_is_ever_written_over(tmp_path: Path) -> None:
    make(tmp_path / "data")
    take(files(tmp_path / "data"), tmp_path / "backup", AT)
    with pytest.raises(BackupRefused, match="not empty"):
        take(files(tmp_path / "data"), tmp_path / "backup", AT)
    with pytest.raises(BackupRefused, match="not empty"):
        put_back(tmp_path / "backup", files(tmp_path / "data"))


def test_a_damaged_backup_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    make(tmp_path / "data")
    take(files(tmp_path / "data"), tmp_path / "backup", AT)
    damaged = tmp_path / "backup" / "bus.db"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    with pytest.raises(BackupRefused, match="damaged"):
        put_back(tmp_path / "backup", files(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_no_backup_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(BackupRefused, match="no backup"):
        put_back(tmp_path / "other", files(tmp_path / "new"))


def test_a_missing_file_is_named_and_no_half_backup_stays(tmp_path: Path) -> None:
    make(tmp_path / "data")
    (tmp_path / "data" / "coverage.db").unlink()
    with pytest.raises(BackupRefused, match=r"coverage\.db"):
        take(files(tmp_path / "data"), tmp_path / "backup", AT)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data"]
