"""``outbox send-again`` of a service's own command line."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dealreg_registration import tables
from dealreg_registration.__main__ import cli
from dealreg_shared.db.engine import utc_now
from dealreg_shared.outbox import Relay
from tests.factories.registration_service import RegistrationApi, registration_api


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[RegistrationApi]:
    async with registration_api(tmp_path) as made:
        await made.filed("acme")
        yield made


async def run(api: RegistrationApi, *arguments: str) -> Result:
    variables = {
        "DEALREG_REGISTRATION_DATABASE_URL": api.database.url.render_as_string(),
        "DEALREG_DATA_DIR": str(Path(str(api.database.url.database)).parent),
    }

    def invoke() -> Result:
        return CliRunner().invoke(cli, ["outbox", "send-again", *arguments], env=variables)

    return await asyncio.to_thread(invoke)


async def test_all_is_sent_again_once_the_relay_has_let_go(api: RegistrationApi) -> None:
    api.clock.now = utc_now()  # the command reads the real clock
    relays = [flow for flow in api.service.flows if isinstance(flow, Relay)]
    sent = await relays[0].drain()
    assert sent > 0
    refused = await run(api, "--all")
    assert refused.exit_code == 1
    assert "A relay holds shards of this outbox until" in refused.output
    assert "Nothing was changed." in refused.output
    assert await relays[0].drain() == 0

    lease = tables.outbox.lease
    await api.database.write(lambda conn: conn.execute(lease.delete()) and None)
    marked = await run(api, "dealreg.registration")
    assert (marked.exit_code, marked.output.splitlines()[-1]) == (0, "Start registration.")
    counts = [int(line.split()[1]) for line in marked.output.splitlines()[:-1]]
    assert await relays[0].drain() == sum(counts) <= sent


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Name a topic, or say --all."),
        (("dealreg.plan", "--all"), "Name a topic, or say --all."),
        (("dealreg.coverage",), "registration does not write dealreg.coverage; it writes"),
    ],
)
async def test_what_cannot_be_sent_is_said(
    api: RegistrationApi, arguments: tuple[str, ...], words: str
) -> None:
    done = await run(api, *arguments)
    assert (done.exit_code, words in done.output) == (2, True)
