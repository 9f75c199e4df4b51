"""Files for their owner alone, made without harm to those that exist."""

import fcntl
import subprocess
import sys
from pathlib import Path

from dealreg_shared.private_files import make_file

TRY_LOCK = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("held")
    else:
        print("free")
"""


def lock_seen_by_another_process(file: Path) -> str:
    asked = [sys.executable, "-c", TRY_LOCK, str(file)]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    make_file(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


def test_an_existing_file_keeps_its_mode_and_the_locks_that_this_process_holds(
    tmp_path: Path,
) -> None:
    file = tmp_path / "there"
    file.touch(0o640)
    with file.open("r+b") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        make_file(file)
        assert lock_seen_by_another_process(file) == "held"
    assert file.stat().st_mode & 0o777 == 0o640
