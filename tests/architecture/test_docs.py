"""The documents say what is so: generated ones are up to date, links lead somewhere, commands exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from dealreg.auditor.settings import AuditorSettings
from dealreg.cli import COMMANDS, PASSED_ON
from dealreg_coverage.__main__ import cli as coverage_cli
from dealreg_coverage.settings import CoverageSettings
from dealreg_notifier.__main__ import cli as notifier_cli
from dealreg_notifier.settings import NotifierSettings
from dealreg_registration.__main__ import cli as registration_cli
from dealreg_registration.settings import RegistrationSettings
from dealreg_shared.config import SharedSettings
from dealreg_shared.contracts.catalogue import CATALOGUE, TOPICS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    {
        *ROOT.glob("*.md"),
        *DOCS.rglob("*.md"),
        *(
            path
            for folder in ("examples", "benchmarks", "deploy")
            for path in (ROOT / folder).rglob("*.md")
        ),
    }
)
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
SETTINGS: list[type[SharedSettings]] = [
    SharedSettings,
    RegistrationSettings,
    CoverageSettings,
    NotifierSettings,
    AuditorSettings,
]
SERVICES: dict[str, Typer] = {
    "dealreg-registration": registration_cli,
    "dealreg-coverage": coverage_cli,
    "dealreg-notifier": notifier_cli,
}


def page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def anchors(path: Path) -> set[str]:
    """The anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")
        for heading in headings
    }


def test_generated_documents_are_what_the_code_says() -> None:
    """In a process of its own, with settings around that must have no part in it."""
    finished = subprocess.run(
        [sys.executable, "-m", "docs.generate", "--check"],
        cwd=ROOT,
        env={"DEALREG_BUS": "kafka", "PYTHONHASHSEED": "7", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (finished.stderr, finished.returncode) == ("", 0)


def test_every_setting_is_documented() -> None:
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(DEALREG_\w+)` \|", text, flags=re.MULTILINE)
    names = {name for settings in SETTINGS for name in settings.model_fields}

    assert sorted(documented) == sorted(
        [*(f"DEALREG_{name.upper()}" for name in names), "DEALREG_CLIENT_KEY", "DEALREG_CLIENT_URL"]
    )


def test_truths_are_written_as_variables_take_them() -> None:
    text = (DOCS / "settings.md").read_text(encoding="utf-8")

    assert "`false`" in text
    assert re.findall(r"`(True|False)`", text) == []


def test_one_variable_holds_the_key_on_every_page() -> None:
    others = [
        f"{page_name(page)}: {name}"
        for page in PAGES
        for name in re.findall(r"\$(\w*KEY)\b", page.read_text(encoding="utf-8"))
        if name not in ("DEALREG_CLIENT_KEY", "NEW_KEY")
    ]

    assert others == []


def test_every_setting_says_what_it_is_for() -> None:
    silent = {
        f"{settings.__name__}.{name}"
        for settings in SETTINGS
        for name, field in settings.model_fields.items()
        if not field.description
    }

    assert silent == set()


def test_every_event_and_topic_is_documented() -> None:
    text = (DOCS / "events.md").read_text(encoding="utf-8")

    assert [name for name in CATALOGUE if f"(schemas/{name}.json)" not in text] == []
    assert [name for name in TOPICS if f"\n## {name}\n" not in text] == []
    for event_type in CATALOGUE.values():
        section = text.split(f"\n### {event_type.model.__name__}\n", 1)[1].split("\n### ", 1)[0]
        missing = [f for f in event_type.model.model_fields if f"| `{f}` |" not in section]
        assert missing == [], event_type.name


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        found = (page.parent / file).resolve() if file else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(target)

    assert broken == []


def test_sections_of_the_rules_that_the_code_cites_exist() -> None:
    text = (DOCS / "rules.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^## (\d)\. ", text, flags=re.MULTILINE))
    cited = {
        number
        for folder in ("services", "shared", "deploy")
        for path in (ROOT / folder).rglob("*.py")
        for number in re.findall(r"rules\.md,?\s+sections? (\d)", path.read_text(encoding="utf-8"))
    }

    assert len(text.splitlines()) <= 260
    assert sections == set("1234567")
    assert {"2", "4", "5", "6"} <= cited <= sections


def test_decisions_are_short_numbered_and_listed() -> None:
    index = (DOCS / "decisions/README.md").read_text(encoding="utf-8")

    numbers = [int(path.name[:4]) for path in DECISIONS]
    assert numbers == sorted(set(numbers)), "each has a number of its own"
    for path in DECISIONS:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 60, path.name
        assert lines[0].startswith(f"# {int(path.name[:4])}. "), path.name
        assert f"]({path.name})" in index, path.name


def test_contributing_is_short() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 80


def commands() -> list[tuple[str, ...]]:
    """Every call of our own commands in the documents, up to its first argument or option."""
    found = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
        lines = [line for block in blocks for line in block.splitlines()]
        lines += re.findall(r"`(dealreg[^`\n]*)`", text)
        for line in lines:
            words = line.split("#")[0].split()
            if words and re.fullmatch(r"(\.venv/bin/)?dealreg(-[a-z]+)?", words[0]):
                found.add((Path(words[0]).name, *_path(words[1:])))
    return sorted(found)


def _path(words: list[str]) -> list[str]:
    path = []
    for word in words:
        if not re.fullmatch(r"[a-z][a-z-]*", word.rstrip(",")):
            break
        path.append(word.rstrip(","))
    return path


def test_the_documents_call_commands() -> None:
    assert len(commands()) > 15


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_a_command_of_the_documents_exists(command: tuple[str, ...]) -> None:
    program, *path = command
    if program == "dealreg-devstack":
        assert set(path) <= {"up", "down", "status"}
        return
    if program == "dealreg" and path:
        assert path[0] in COMMANDS
        if path[0] not in PASSED_ON:
            return
        program, path = f"dealreg-{path[1]}", ["parked", *path[2:]]
    if program in SERVICES:
        path = path[: 2 if path[:1] in (["parked"], ["dead-letters"]) else 1]
        result = CliRunner().invoke(SERVICES[program], [*path, "--help"])
        assert result.exit_code == 0, result.output
