"""A piece of the demo's stream through the real services: the verdicts are those of the pure core."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dealreg.demo import run
from dealreg_registration.settings import RegistrationSettings
from dealreg_shared.config import load
from dealreg_shared.telemetry import configure_logging
from tests.factories.stream import decide_in_memory, first

COUNT = 110


@pytest.fixture(autouse=True)
def quiet() -> None:
    configure_logging(load(RegistrationSettings, log_level="error"))


def in_territory_or_not(verdicts: Mapping[str, str]) -> dict[str, str]:
    """What rulings on earlier cases cannot change: only among these three may a verdict differ."""
    inside = ("protected", "contested", "duplicate")
    return {id_: "in" if said in inside else said for id_, said in verdicts.items()}


async def test_territorial(tmp_path: Path) -> None:
    folder = first(COUNT, tmp_path / "stream")
    console = Console(file=StringIO(), width=140)
    outcome = await run.replay(folder, tmp_path / "data", with_parity=False, console=console)
    expected = {
        event_id: tried.decision.lines[0].outcome
        for event_id, tried in decide_in_memory(folder, "plan-territorial.yaml").items()
    }
    assert in_territory_or_not(outcome.verdicts) == in_territory_or_not(expected)
    assert isinstance(console.file, StringIO)
    said = console.file.getvalue()
    for words in (
        "files 'Aspen Ridge Labs Inc.'",
        "protected: Nobody holds",
        "files 'ASPEN RIDGE LABS'",
        "contested: An earlier claim",
        "files 'Boulder Creek Foods'",
        "referred: You are not in territory",
        "mail to manager-na@vendor.example",
        "after 4 h: level 2, the VP",
        "after 24 h: level 3, the CEO",
        "mail to ceo@vendor.example",
        "the referral is accepted",
        "rules that both sell together: the case is decided",
        "Uphold the first: Clearpath Technologies",
        "The manager opens the link and confirms: the case is decided.",
        "on level 1: uphold the first claim",
        "Deadline missed: conflict on Harbor Point Media LLC",
        "awards the line to the second: the case is decided.",
        "appeals, with evidence that was not filed before",
        "The CEO grants the appeal: the case is decided.",
        "How the conflicts were settled",
        "1 of them appeals. Deadlines missed: ",
        f"Outcomes of {COUNT} registrations",
        "Cases opened per quarter",
        "Coverage in per cent",
        "Recruit in Southern Europe",
    ):
        assert words in said, said


async def test_parity(tmp_path: Path) -> None:
    folder = first(COUNT, tmp_path / "stream")
    console = Console(file=StringIO(), width=140)
    outcome = await run.replay(folder, tmp_path / "data", with_parity=True, console=console)
    assert outcome.comparison is not None
    assert outcome.comparison.compared == COUNT
    assert outcome.comparison.merged == {}
    expected = [
        (event_id, tried.decision.lines[0].outcome)
        for event_id, tried in decide_in_memory(folder, "plan-parity.yaml").items()
    ]
    differing = {d.event_id: d.ours for d in outcome.comparison.differences}
    assert {"R00047", "R00098"} == set(differing)
    assert all((id_, ours) in expected for id_, ours in differing.items())
    assert all(d.causes for d in outcome.comparison.differences)
    assert isinstance(console.file, StringIO)
    said = console.file.getvalue()
    assert "Nobody settles a case here" in said
    assert "How the conflicts were settled" not in said
