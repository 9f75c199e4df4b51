"""The command line of a notifier that runs alone."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.factories import notifier as make
from tests.factories import notifier_world as stage
from typer.testing import CliRunner

from dealreg_notifier.__main__ import cli

runner = CliRunner()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEALREG_DATA_DIR", str(tmp_path))
    return tmp_path


def test_migrate_makes_the_database(folder: Path) -> None:
    result = runner.invoke(cli, ["migrate"])
    assert result.exit_code == 0, result.output
    assert (folder / "notifier.db").exists()
    assert runner.invoke(cli, ["dead-letters", "list"]).output == "0 put aside\n"


def test_a_wrong_setting_is_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEALREG_NOTIFIER_SMTP_HOST", "localhost")
    result = runner.invoke(cli, ["migrate"])
    assert result.exit_code == 78
    assert "DEALREG_NOTIFIER_SMTP_FROM must be an address" in result.output
    assert "Traceback" not in result.output


async def test_dead_letters_are_listed_and_replayed(folder: Path) -> None:
    async with stage.mail_server() as mail:
        mail.answers = ["550 no such user"]
        async with stage.world(folder, **stage.mail_settings(mail)) as world:
            await world.others.people()
            await world.others.plan()
            await world.others.say("conflict.opened", make.opened(claims=()))
            await world.settle()
            listed = await asyncio.to_thread(runner.invoke, cli, ["dead-letters", "list"])
            assert "SMTP 550" in listed.output
            assert "1 put aside" in listed.output
            delivery_id = listed.output.split()[0]
            unknown = await asyncio.to_thread(
                runner.invoke, cli, ["dead-letters", "replay", delivery_id, "dlv_0"]
            )
            assert (unknown.exit_code, unknown.output) == (1, "there is no delivery dlv_0.\n")
            replayed = await asyncio.to_thread(
                runner.invoke, cli, ["dead-letters", "replay", delivery_id]
            )
            assert replayed.output == "1 will be sent again\n"
            # The command reads the wall clock: the delivery is due by then.
            world.clock.at = datetime.now(UTC)
            await world.service.extras["postman"].deliver_due()
            assert f"<{delivery_id}@example.org>" in [m["Message-ID"] for m in mail.messages]
