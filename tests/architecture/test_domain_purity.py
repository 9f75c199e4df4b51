"""The domain may name times but not read the clock: ``now`` is an argument."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(ROOT.glob("services/*/src/*/domain/**/*.py"))
CLOCKS = {"now", "utcnow", "today"}
EFFECTS = {"open", "print", "input", "exec", "eval", "__import__"}


def impure_calls(source: str) -> list[str]:
    """Calls that read a clock or touch the world, with their lines."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if (
            isinstance(called, ast.Attribute)
            and called.attr in CLOCKS
            and ast.unparse(called.value).split(".")[-1] in ("datetime", "date")
        ):
            found.append(f"{node.lineno}: {ast.unparse(called)}")
        elif isinstance(called, ast.Name) and called.id in EFFECTS:
            found.append(f"{node.lineno}: {called.id}")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_of_a_domain_has_an_effect(path: Path) -> None:
    assert impure_calls(path.read_text()) == []


@pytest.mark.parametrize(
    "line", ["datetime.now(UTC)", "datetime.datetime.utcnow()", "date.today()", "open('x')"]
)
def test_a_planted_effect_is_found(line: str) -> None:
    assert len(impure_calls(f"def f():\n    return {line}\n")) == 1


def test_all_three_domains_are_looked_at() -> None:
    assert {path.relative_to(ROOT).parts[1] for path in MODULES} == {
        "coverage",
        "notifier",
        "registration",
    }
