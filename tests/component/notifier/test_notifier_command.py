"""The command line of a notifier that runs alone."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dealreg_notifier.__main__ import cli
from tests.factories import notifier as make
from tests.factories import notifier_world as stage

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


async def test_parked_events_are_listed_and_replayed_in_order(folder: Path) -> None:
    async with stage.world(folder) as world:
        await world.others.plan()
        await world.settle()
        first, second = [
            world.others.event("registration.filed", make.filed(f"reg_{n}", "acme"), "acc_9")
            for n in (1, 2)
        ]
        await world.others.send(second)
        await world.settle()
        await world.others.send(first)
        await world.settle()
        listed = await asyncio.to_thread(runner.invoke, cli, ["parked", "list"])
        assert "notifier-registration  dealreg.registration  acc_9" in listed.output
        assert listed.output.startswith("parked")
        replayed = await asyncio.to_thread(
            runner.invoke,
            cli,
            ["parked", "replay", "notifier-registration", "dealreg.registration", "acc_9"],
        )
        assert replayed.output == "2 applied; acc_9 goes on\n"
        headers = await world.others.key("partner", partner_id="acme")
        await world.settle()
        told = [n["subject"] for n in await world.inbox(headers) if n["kind"] == "decision"]
        assert sorted(told) == ["reg_1", "reg_2"]


async def test_an_event_that_still_fails_stays_parked(folder: Path) -> None:
    async with stage.world(folder) as world:
        await world.others.plan()
        await world.others.say("conflict.closed", make.closed("cnf_unknown"), "acc_7")
        await world.settle()
        stopped = await asyncio.to_thread(
            runner.invoke,
            cli,
            ["parked", "replay", "notifier-registration", "dealreg.registration", "acc_7"],
        )
        assert stopped.exit_code == 1
        assert "conflict cnf_unknown closes, but was never opened" in stopped.output
        listed = await asyncio.to_thread(runner.invoke, cli, ["parked", "list"])
        assert "1 keys" in listed.output
