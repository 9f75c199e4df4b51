"""A notifier that may send to this machine, and somebody who receives."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.factories.notifier_hooks import hook_world
from tests.factories.notifier_world import MailServer, World
from tests.factories.outbound import Receiver, receiver


@pytest.fixture
async def world(tmp_path: Path, mail: MailServer) -> AsyncIterator[World]:
    """With a plan, its people and a mail server."""
    async with hook_world(tmp_path, mail) as made:
        yield made


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    """An endpoint on a port of its own."""
    async with receiver() as made:
        yield made
