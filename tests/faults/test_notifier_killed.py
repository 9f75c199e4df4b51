"""A notifier process that is killed between sending a mail and recording it: kill -9, the real thing."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dealreg_shared.bus.embedded import EmbeddedBus
from tests.factories import notifier as make
from tests.factories import notifier_world as stage
from tests.factories.notifier import MANAGER, Publisher


async def test_the_mail_is_sent_again_with_the_same_message_id(tmp_path: Path) -> None:
    async with stage.mail_server() as mail:
        taken, answered = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            if mail.to(MANAGER):
                taken.set()
                await answered.wait()

        mail.after_taking = hold
        opened_at = datetime.now(UTC)
        bus = EmbeddedBus(tmp_path / "bus.db")
        publisher = Publisher(bus, lambda: opened_at)
        await publisher.people()
        await publisher.plan()
        await publisher.say("conflict.opened", make.opened(claims=(), at=opened_at))
        await bus.close()

        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "dealreg_notifier",
            "serve",
            env={
                **os.environ,
                "DEALREG_NOTIFIER_LEASE_SECONDS": "300",
                "DEALREG_DATA_DIR": str(tmp_path),
                "DEALREG_HTTP_PORT": "0",
                "DEALREG_NOTIFIER_SMTP_HOST": "127.0.0.1",
                "DEALREG_NOTIFIER_SMTP_PORT": str(mail.port),
                "DEALREG_NOTIFIER_SMTP_FROM": "Partner desk <desk@example.org>",
            },
        )
        await asyncio.wait_for(taken.wait(), 60)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        answered.set()
        mail.after_taking = None
        assert len(mail.to(MANAGER)) == 1

        async with stage.world(tmp_path, **stage.mail_settings(mail)) as world:
            world.clock.at = datetime.now(UTC) + timedelta(seconds=200)
            await world.settle()
            assert len(mail.to(MANAGER)) == 1
            world.clock.at = datetime.now(UTC) + timedelta(seconds=301)
            await world.settle()
        first, second = mail.to(MANAGER)
        assert first["Message-ID"] == second["Message-ID"]
