"""The documentation page in a real browser: it shows the operations, alone and without a complaint."""

import asyncio
import hashlib
import json
import threading
from collections.abc import AsyncIterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, Page, Request
from starlette.applications import Starlette
from starlette.routing import Mount

from dealreg_shared.web.app import new_app
from dealreg_shared.web.bodies import JsonBody, StrictBody
from dealreg_shared.web.docs_page import POLICY, STATIC


class Filing(StrictBody):
    product: str


def make_app() -> FastAPI:
    app = new_app("Shop <b>&", "1.2.3", service="docs-shop", description="What it *does*.")

    @app.post("/v1/filings", summary="File a deal")
    async def file(body: JsonBody[Filing]) -> Filing:
        return body

    return app


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """The app at its root, and the same one mounted under /inner, on a port of its own."""
    outer = Starlette(routes=[Mount("/inner", make_app()), Mount("/", make_app())])
    server = uvicorn.Server(
        uvicorn.Config(outer, port=0, lifespan="off", log_level="warning", log_config=None)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await asyncio.to_thread(thread.join)


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page in Chromium."""
    page = await browser.new_page()
    yield page
    await page.close()


@pytest.mark.browser
@pytest.mark.parametrize("path", ["", "/inner"])
async def test_the_page_shows_the_operations_and_asks_nobody_else(
    path: str, address: str, page: Page
) -> None:
    requests: list[Request] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request))
    page.on("console", lambda line: complaints.append(f"{line.type}: {line.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))

    response = await page.goto(f"{address}{path}/docs")
    operation = page.locator(".opblock", has_text="File a deal")
    await operation.wait_for()
    await operation.locator(".opblock-summary-control").click()
    await operation.get_by_text("A problem").wait_for()
    await operation.get_by_role("button", name="Try it out").click()
    await operation.get_by_role("button", name="Execute").click()
    await operation.locator(".live-responses-table").wait_for()

    assert response is not None
    assert response.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert await page.title() == "Shop <b>&"
    assert [
        request.url
        for request in requests
        if not request.url.startswith((f"{address}{path}/", "data:"))
    ] == []
    assert complaints == []


async def test_the_vendored_files_are_what_their_manifest_says() -> None:
    folder = STATIC / "swagger-ui"
    manifest = json.loads((folder / "manifest.json").read_text())

    assert manifest["licence"] == "Apache-2.0"
    assert {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
        if file.name != "manifest.json"
    } == manifest["sha256"]


async def test_the_files_can_be_read_but_nothing_beside_them() -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(make_app()), base_url="http://shop"
    ) as http:
        script = await http.get("/docs-files/swagger-ui/swagger-ui-bundle.js")
        outside = await http.get("/docs-files/%2e%2e/problems.py")

    assert script.headers["content-type"].startswith("text/javascript")
    assert outside.status_code == 404
