"""A real Chromium, for the pages and mails that people look at."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from tests.leaving_out import leave_out


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """`DEALREG_TEST_CHROMIUM`, else the one on the path. In CI a missing one is a failure."""
    executable = os.environ.get("DEALREG_TEST_CHROMIUM") or shutil.which("chromium")
    if executable is None:
        leave_out("no Chromium: install it or name it in DEALREG_TEST_CHROMIUM")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        yield started
        await started.close()
