"""Several processes may open a new SQLite file at the same moment."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from dealreg_shared.db.wal import use_wal

TOGETHER = 8


def test_many_open_a_new_file_together(tmp_path: Path) -> None:
    """Connections of one process lock one another out as those of several do."""
    for turn in range(20):
        barrier = Barrier(TOGETHER)

        def open_it(path: Path = tmp_path / f"{turn}.db", barrier: Barrier = barrier) -> str:
            raw = sqlite3.connect(path, timeout=5)
            barrier.wait()
            use_wal(raw)
            mode: str = raw.execute("PRAGMA journal_mode").fetchone()[0]
            raw.close()
            return mode

        with ThreadPoolExecutor(TOGETHER) as pool:
            opened = [pool.submit(open_it) for _ in range(TOGETHER)]
            assert {each.result() for each in opened} == {"wal"}
