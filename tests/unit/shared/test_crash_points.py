"""The crash points of the source are those that the proof knows, and each stands in one place."""

import re
from collections import Counter
from pathlib import Path

from tests.faults.points import EMBEDDED, KAFKA, MET, NOT_MET

ROOT = Path(__file__).parents[3]
SOURCES = [ROOT / "shared" / "src", *(ROOT / "services").glob("*/src")]


def found() -> Counter[str]:
    """Every literal name in a call."""
    names: Counter[str] = Counter()
    for source in SOURCES:
        for path in source.rglob("*.py"):
            if path.name != "crashpoint.py":
                names.update(re.findall(r"\bcrashpoint\(\"([^\"]+)\"\)", path.read_text()))
    return names


def test_every_point_of_the_source_is_one_that_the_proof_reaches_or_says_why_not() -> None:
    assert set(found()) == MET | NOT_MET.keys()
    assert KAFKA | EMBEDDED <= MET


def test_a_name_is_given_once_and_says_part_and_step() -> None:
    names = found()
    assert [name for name, times in names.items() if times > 1] == []
    assert [name for name in names if not re.fullmatch(r"[a-z_]+\.[a-z_]+", name)] == []


def test_every_call_has_a_literal_name() -> None:
    """A name that is put together at run time would be found by nobody."""
    for source in SOURCES:
        for path in source.rglob("*.py"):
            calls = re.findall(r"\bcrashpoint\((?!\")", path.read_text())
            assert not calls or path.name == "crashpoint.py", path
