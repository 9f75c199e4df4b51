"""From the mail to the ruling in a real browser, on a phone's screen, without scripts."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Browser, Page, Request, ViewportSize

from tests.factories.decision_world import DecisionWorld, decision_world, tokens_in

PHONE: ViewportSize = {"width": 360, "height": 740}


@pytest.fixture
async def listener() -> AsyncIterator[socket.socket]:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        yield made


@pytest.fixture
async def world(tmp_path: Path, listener: socket.socket) -> AsyncIterator[DecisionWorld]:
    """Registration listens on the address that the mails name."""
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with decision_world(tmp_path, url) as made:
        server = uvicorn.Server(
            uvicorn.Config(
                made.registration.app, lifespan="off", log_level="warning", log_config=None
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield made
        server.should_exit = True
        await serving


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page with scripts off."""
    page = await browser.new_page(java_script_enabled=False, viewport=PHONE)
    yield page
    await page.close()


@pytest.mark.browser
async def test_a_manager_decides_on_the_phone_from_the_mail(
    world: DecisionWorld, page: Page
) -> None:
    requests: list[Request] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request))
    page.on("console", lambda line: complaints.append(line.text))
    base = str(world.http.base_url).rstrip("/")
    (message,) = world.mails("mia")
    html = list(message.iter_parts())[1].get_content()
    await page.set_content(html)
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    await page.get_by_role("link", name="Award Core to Cam Ltd").click()
    await page.get_by_role("heading", name="Award this case to Cam Ltd?").wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert (await world.case())["state"] == "open"

    await page.get_by_label("Your reason").fill("The buyer asked for the later one in writing.")
    await page.get_by_role("button", name="Award it to Cam Ltd").click()
    await page.get_by_role("heading", name="The case is decided").wait_for()

    case = await world.case()
    assert case["state"] == "decided"
    assert {c["partner_id"]: c["state"] for c in case["claims"]} == {
        "ada": "revoked",
        "cam": "protected",
    }
    assert complaints == []

    await page.goto(f"{base}/decide/{tokens_in(message, base)[0]}")
    await page.get_by_role("heading", name="This case is settled already").wait_for()
    assert all(request.url.startswith(f"{base}/decide/") for request in requests), requests


@pytest.mark.browser
async def test_a_reason_is_asked_for_before_anything_is_sent(
    world: DecisionWorld, page: Page
) -> None:
    base = str(world.http.base_url).rstrip("/")
    token = (await world.links("mia", base))["uphold_first"]
    await page.goto(f"{base}/decide/{token}")
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request))
    await page.get_by_role("button", name="Uphold the first").click()
    assert sent == []
    assert (await world.case())["state"] == "open"
