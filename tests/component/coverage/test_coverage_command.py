"""The command of a coverage service that runs alone, as an operator calls it."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dealreg_coverage.__main__ import cli
from dealreg_coverage.app import build
from dealreg_coverage.settings import CoverageSettings
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.bus.port import Message
from dealreg_shared.contracts.catalogue import encode, topic_of
from dealreg_shared.db.engine import utc_now
from tests.factories.coverage import PROGRAMME, Log


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEALREG_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DEALREG_PROGRAMME", PROGRAMME)
    return tmp_path


async def fill(folder: Path) -> None:
    """A plan and a win, read by a service that is closed again."""
    log = Log()
    log.plan()
    log.ended("won", "ada")
    bus = EmbeddedBus(folder / "bus.db")
    service = build(CoverageSettings(programme=PROGRAMME, data_dir=folder), bus=bus, now=utc_now)
    await service.migrate()
    async with service.open():
        await bus.publish(
            [Message(topic_of(e.type), e.partitionkey, encode(e)) for e in log.events]
        )
        await service.drain()
    await bus.close()


def test_migrate_then_rebuild_of_nothing(folder: Path) -> None:
    done = CliRunner().invoke(cli, ["migrate"])
    assert (done.exit_code, done.output) == (0, "coverage: database is at head\n")
    done = CliRunner().invoke(cli, ["rebuild"])
    assert (done.exit_code, done.output) == (0, "coverage: made again from 0 events\n")


async def test_rebuild_counts_what_it_applied_and_refuses_an_incomplete_log(folder: Path) -> None:
    await fill(folder)
    done = await asyncio.to_thread(CliRunner().invoke, cli, ["rebuild"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("coverage: made again from ")
    (folder / "bus.db").unlink()
    for leftover in folder.glob("bus.db-*"):
        leftover.unlink()
    done = await asyncio.to_thread(CliRunner().invoke, cli, ["rebuild"])
    assert done.exit_code == 1
    assert "lack events in the log" in done.output
    assert "Nothing was changed" in done.output


def test_a_wrong_setting_stops_it_with_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEALREG_COVERAGE_TICK_SECONDS", "0")
    done = CliRunner().invoke(cli, ["migrate"])
    assert done.exit_code == 78
    assert "DEALREG_COVERAGE_TICK_SECONDS" in done.output


def test_what_is_parked_can_be_listed(folder: Path) -> None:
    CliRunner().invoke(cli, ["migrate"])
    done = CliRunner().invoke(cli, ["parked", "list"])
    assert (done.exit_code, done.output) == (0, "0 keys\n")
