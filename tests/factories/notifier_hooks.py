"""What a partner does with its webhooks over HTTP, and what its receiver checks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from standardwebhooks.webhooks import Webhook

from tests.factories import notifier_world as stage
from tests.factories.notifier_world import MailServer, World
from tests.factories.outbound import Receiver, Request

HOOKS = "/v1/webhooks"


async def key(world: World, role: Any, **of: str) -> dict[str, str]:
    headers = await world.others.key(role, **of)
    await world.settle()
    return headers


async def add(
    world: World, headers: dict[str, str], hook: Receiver, kind: str = "webhook", **body: Any
) -> dict[str, Any]:
    url = f"http://127.0.0.1:{hook.port}/hook"
    answer = await world.http.post(HOOKS, headers=headers, json={"kind": kind, "url": url, **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def read(world: World, headers: dict[str, str], endpoint_id: str) -> dict[str, Any]:
    answer = await world.http.get(f"{HOOKS}/{endpoint_id}", headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def log(world: World, headers: dict[str, str], endpoint_id: str) -> list[dict[str, Any]]:
    """The delivery log, the oldest first."""
    answer = await world.http.get(f"{HOOKS}/{endpoint_id}/deliveries", headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items[::-1]


def verified(request: Request, secret: str) -> dict[str, Any]:
    """What a receiver makes of it, with the standard's own library."""
    found: dict[str, Any] = Webhook(secret).verify(request.body, request.headers)
    return found


@asynccontextmanager
async def hook_world(folder: Path, mail: MailServer) -> AsyncIterator[World]:
    """A notifier that knows people and plan, and may call receivers on this machine."""
    async with stage.world(
        folder, notifier_outbound_loopback=True, **stage.mail_settings(mail)
    ) as made:
        await made.others.people()
        await made.others.plan()
        await made.settle()
        yield made
