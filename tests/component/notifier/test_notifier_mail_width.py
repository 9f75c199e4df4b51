"""Every mail in a real browser at the widths of real clients: nothing is cut off, nothing is loaded."""

from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Request

from dealreg_notifier.domain.offers import Offer
from dealreg_notifier.linking import Button
from dealreg_notifier.wording import Wording
from tests.factories.notifier import START
from tests.unit.notifier.test_notifier_wording import BASE, FACTS

WIDTHS = (320, 414, 680, 1280)
"""A small phone, a large one, a preview pane, a window."""

ID = "0193c1d2a4b570618e6f000000000061"
WORDING = Wording("en")
GATHERED = {
    **BASE,
    "digest": False,
    "count": 700,
    "more": 200,
    "groups": [{"group": "escalation", "titles": ["Decide now: conflict on " + "x" * 60] * 500}],
}
MAILS: dict[str, dict[str, Any]] = {**FACTS, "_gathered": GATHERED}
BUTTONS = tuple(
    Button(offer, f"https://deals.example.com/decide/{'x' * 400}", START + timedelta(hours=4))
    for offer in (
        Offer("take"),
        Offer("decide", "uphold_first", (), "Donaudampfschifffahrtsgesellschaft & Söhne", "Core"),
        Offer("review", "uphold_first"),
    )
)


def long_ids(value: Any) -> Any:
    """The facts with ids as long as real ones."""
    if isinstance(value, dict):
        return {name: long_ids(item) for name, item in value.items()}
    if isinstance(value, list):
        return [long_ids(item) for item in value]
    for prefix in ("cnf_", "reg_", "clm_"):
        if isinstance(value, str) and value.startswith(prefix):
            return prefix + ID
    return value


@pytest.mark.browser
@pytest.mark.parametrize("kind", sorted(MAILS))
async def test_a_mail_fits_every_width_and_loads_nothing(kind: str, browser: Browser) -> None:
    facts = {**BASE, **long_ids(MAILS[kind])}
    html = WORDING.mail_html(kind, facts, "Mia Example", "Title", BUTTONS)
    page = await browser.new_page(java_script_enabled=False)
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request))
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 800})
        await page.set_content(html)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.close()
    assert requests == []
