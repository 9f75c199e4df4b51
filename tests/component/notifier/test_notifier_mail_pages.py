"""Mails in a real browser: nothing in them is active, every link works without scripts, and unbreakable
names stay inside a small phone's width."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from playwright.async_api import Browser, Route

from dealreg_notifier.domain.offers import Offer
from dealreg_notifier.linking import Button
from dealreg_notifier.wording import Wording
from tests.unit.notifier.test_notifier_wording import BASE, FACTS

LONG = (
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft_mbH_and_Co_KG"
)
UNTIL = datetime(2026, 11, 22, tzinfo=UTC)
BUTTONS = tuple(
    Button(offer, f"https://deals.example.com/decide/{'x' * 300}{number}", UNTIL)
    for number, offer in enumerate(
        (
            Offer("take"),
            Offer("decide", "award", ("clm_1",), LONG, "Platform"),
            Offer("review", "uphold_first"),
        )
    )
)


def long_words(value: Any) -> Any:
    """The same facts, with names that do not break."""
    if isinstance(value, dict):
        return {name: long_words(item) for name, item in value.items()}
    if isinstance(value, list):
        return [long_words(item) for item in value]
    return LONG if isinstance(value, str) and "Söhne" in value else value


def mails() -> list[tuple[str, str]]:
    wording = Wording("en")
    found = []
    for kind, facts in FACTS.items():
        whole = {**BASE, **facts}
        buttons = BUTTONS if kind == "ladder" else ()
        for name, shown in (("plain", whole), ("long", long_words(whole))):
            html = wording.mail_html(kind, shown, "Mia", "A title", buttons)
            found.append((f"{kind} {name}", html))
    return found


class Parts(HTMLParser):
    """What a mail client would object to, and what is linked."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag in ("script", "iframe", "form", "object", "link", "style", "img", "svg"):
            self.bad.append(tag)
        self.bad += [name for name in named if name.startswith("on") or name == "src"]
        if tag == "a":
            self.links.append(named["href"] or "")


@pytest.mark.browser
async def test_names_that_do_not_break_do_not_stick_out(browser: Browser) -> None:
    page = await browser.new_page(viewport={"width": 320, "height": 900})
    wide: list[str] = []
    for name, html in mails():
        await page.set_content(html)
        if await page.evaluate("document.documentElement.scrollWidth") > 320:
            wide.append(name)
    assert wide == []
    await page.close()


def test_nothing_in_a_mail_is_active() -> None:
    for name, html in mails():
        parts = Parts()
        parts.feed(html)
        assert parts.bad == [], name
        assert all(link.startswith("https://") for link in parts.links), name


@pytest.mark.browser
async def test_every_link_works_without_scripts(browser: Browser) -> None:
    context = await browser.new_context(
        java_script_enabled=False, viewport={"width": 320, "height": 900}
    )
    opened: list[str] = []

    async def answer(route: Route) -> None:
        opened.append(route.request.url)
        await route.fulfill(body="<p>opened</p>", content_type="text/html")

    await context.route("**/*", answer)
    html = dict(mails())["ladder plain"]
    for place, button in enumerate(BUTTONS):
        page = await context.new_page()
        await page.set_content(html)
        async with page.expect_event("response"):
            await page.locator("a").nth(place).click()
        await page.close()
        assert opened[-1] == button.url
    await context.close()
