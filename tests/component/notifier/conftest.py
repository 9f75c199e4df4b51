"""A mail server, and a notifier that has people and a plan and sends there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.factories import notifier_world as stage
from tests.factories.notifier_world import MailServer, World


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with stage.mail_server() as server:
        yield server


@pytest.fixture
async def world(tmp_path: Path, mail: MailServer) -> AsyncIterator[World]:
    async with stage.world(tmp_path, **stage.mail_settings(mail)) as made:
        await made.others.people()
        await made.others.plan()
        await made.settle()
        mail.messages.clear()
        yield made
