"""The pictures of ``docs/when-two-register.md`` can be made anew, and the page shows each of them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.leaving_out import leave_out

DOCS = Path(__file__).resolve().parents[2] / "docs"
LARGEST = 150_000


@pytest.mark.browser
def test_the_script_makes_every_picture(tmp_path: Path) -> None:
    if not (os.environ.get("DEALREG_TEST_CHROMIUM") or shutil.which("chromium")):
        leave_out("no Chromium: install it or name it in DEALREG_TEST_CHROMIUM")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DEALREG_") or "TEST" in k}
    done = subprocess.run(
        [sys.executable, DOCS / "pictures.py", tmp_path],
        capture_output=True,
        text=True,
        env=kept,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {path.name for path in (DOCS / "pictures").iterdir()}
    assert all(path.stat().st_size < LARGEST for path in tmp_path.iterdir())


def test_the_page_shows_every_picture_and_no_other() -> None:
    page = (DOCS / "when-two-register.md").read_text("utf-8")
    shown = re.findall(r"!\[[^\]]+\]\(pictures/([^)]+)\)", page)
    assert sorted(shown) == sorted(path.name for path in (DOCS / "pictures").iterdir())
    assert all(path.stat().st_size < LARGEST for path in (DOCS / "pictures").iterdir())
