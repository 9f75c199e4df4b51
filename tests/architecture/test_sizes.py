"""Files stay small and say by their name what is in them."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT = 400
"""Lines. Above it a file is questioned; the answer, if there is a good one, stands in ``ANSWERED``."""

ANSWERED: dict[str, str] = {}
"""Files that are longer for a reason: path -> the reason."""

JUNK = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "manager",
    "service",
    "base_service",
}

SOURCES = sorted(
    path
    for pattern in ("shared/src", "services/*/src", "deploy/*/src")
    for folder in ROOT.glob(pattern)
    for path in folder.rglob("*.py")
)


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_there_is_something_to_measure() -> None:
    assert len(SOURCES) > 40


def test_no_source_file_is_longer_than_the_limit() -> None:
    long = {str(path.relative_to(ROOT)): lines(path) for path in SOURCES if lines(path) > LIMIT}

    assert {name: size for name, size in long.items() if name not in ANSWERED} == {}
    assert set(ANSWERED) <= set(long), "an answer whose file is short again can go"


def test_no_name_is_a_junk_drawer() -> None:
    assert [str(path) for path in SOURCES if {path.stem, path.parent.name} & JUNK] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_why_it_exists(path: Path) -> None:
    text = path.read_text()

    assert not text.strip() or text.startswith(('"""', 'r"""')), "begin with a docstring"
