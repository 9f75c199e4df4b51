"""What the receivers take at most: the mixture of the benchmark, from clients that do nothing but send.

One mail to two webhooks, all connections at work at once. Mails go many on a connection, as notifier
sends them; webhooks are signed, on connections that stay open.
"""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import cycle

import aiosmtplib
import orjson

from benchmarks.receivers import Receivers
from dealreg_notifier.channels.webhook import signed
from dealreg_shared.ids import new_id

CLIENTS = 16
"""Connections at a time, as many as notifier uses on a channel."""

# As large as what the product sends here: a mail of level 1 has 5.1 KB, a notice to a partner 0.9 KB.
_LINES = "A line of a mail of the usual length, with words in it: sixty.\r\n" * 80
_NOTICE = orjson.dumps({"type": "dealreg.notice.case_open", "data": {"text": "a notice " * 100}})


async def measure(receivers: Receivers, secrets: Mapping[str, str], mails: int) -> float:
    """Messages a second, of ``mails`` mails and twice as many posts."""
    share = mails // CLIENTS
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(_mails(receivers.smtp, share))
            group.create_task(_posts(receivers.http, 2 * share, secrets))
    return 3 * share * CLIENTS / (time.perf_counter() - started)


async def _mails(port: int, count: int) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port) as smtp:
        for _ in range(count):
            mail = f"Message-ID: <{new_id('dlv')}@example.com>\r\nSubject: x\r\n\r\n{_LINES}"
            await smtp.sendmail("deals@example.com", ["someone@example.com"], mail)


async def _posts(port: int, count: int, secrets: Mapping[str, str]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for (partner, secret), _ in zip(cycle(secrets.items()), range(count), strict=False):
        headers = signed(new_id("dlv"), datetime.now(UTC), _NOTICE, [secret])
        lines = [
            f"POST /{partner} HTTP/1.1",
            "host: x",
            f"content-length: {len(_NOTICE)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode() + _NOTICE)
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 204 " not in answer:
            raise RuntimeError(f"the receiver said {answer[:80]!r}")
    writer.close()
    await writer.wait_closed()
