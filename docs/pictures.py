"""Makes the pictures of ``when-two-register.md``: real mails of the running services, in a real browser.

Two partners file one deal, the manager misses the deadline, the VP rules, the loser appeals. Only time
is simulated. Run ``python docs/pictures.py [folder]``; Chromium is the one that
``DEALREG_TEST_CHROMIUM`` names, else the one on the path.
"""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from playwright.async_api import async_playwright

from dealreg.demo.clock import SimulatedClock
from dealreg.demo.mailbox import Mailbox, mail_server
from dealreg.demo.run import START, embedded, mail
from dealreg.demo.simulation import Simulation, simulated
from dealreg.demo.telling import FIRST, SECOND, deal, links
from dealreg.settings import all_settings

ROOT = Path(__file__).resolve().parent
PLAN = ROOT.parent / "examples" / "stream" / "plan-territorial.yaml"
WIDTH = 720
"""Of the picture, in pixels: a mail client's reading pane."""


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "pictures"
    folder.mkdir(exist_ok=True)
    asyncio.run(draw(folder))


async def draw(folder: Path) -> None:
    """Write a PNG for each page of the story."""
    with tempfile.TemporaryDirectory() as data:
        pages = await story(Path(data))
    executable = os.environ.get("DEALREG_TEST_CHROMIUM") or shutil.which("chromium")
    if executable is None:
        sys.exit("no Chromium: install it or name it in DEALREG_TEST_CHROMIUM")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        for name, html in pages.items():
            page = await browser.new_page(
                viewport={"width": WIDTH, "height": 200}, java_script_enabled=False
            )
            await page.set_content(html)
            await page.screenshot(path=folder / f"{name}.png", full_page=True)
            await page.close()
        await browser.close()


async def story(data: Path) -> dict[str, str]:
    """Name -> HTML of the mails and pages, in the order in which people read them."""
    clock = SimulatedClock(START)
    async with mail_server(clock) as mailbox:
        settings = all_settings(**embedded(data), **mail(mailbox, 8000))
        async with simulated(settings, clock) as sim:
            await sim.publish(_plan())
            return await _tell(sim, mailbox)


def _plan() -> bytes:
    """The demo's plan, with an address for the deal desks of the two partners."""
    document = yaml.safe_load(PLAN.read_text("utf-8"))
    for person in document["people"]:
        if person.get("partner") in (FIRST, SECOND):
            person["email"] = f"{person['partner']}@partner.example"
    return yaml.safe_dump(document).encode()


async def _tell(sim: Simulation, mailbox: Mailbox) -> dict[str, str]:
    pages: dict[str, str] = {}

    def keep(name: str, to: str, subject: str) -> str:
        """The newest mail to somebody."""
        found = [m for m in mailbox.mails if m.to.startswith(to) and subject in m.subject]
        pages[name] = found[-1].html
        return found[-1].text

    names = ("Aspen Ridge Labs Inc.", "ASPEN RIDGE LABS")
    await sim.file(FIRST, deal(names[0], "aspen-ridge.example.com", "88000.00"), "first")
    await sim.advance(sim.clock() + timedelta(seconds=4))
    await sim.file(SECOND, deal(names[1], "www.aspen-ridge.example.com", "91500.00"), "second")
    keep("second-partner-case-open", SECOND, "case is open")
    keep("manager-decide-by", "manager-na", "Decide by")
    urls = links([m for m in mailbox.mails if m.to.startswith("manager-na")][-1])
    [url] = [url for label, url in urls.items() if label.startswith("Uphold")]
    pages["manager-confirms"] = (await sim.page("GET", urlsplit(url).path)).text
    await sim.advance(sim.clock() + timedelta(hours=4))
    keep("manager-missed", "manager-na", "Deadline missed")
    keep("vp-decide-by", "vp@", "Decide by")
    [case] = await sim.items("/v1/conflicts", state="open")
    first, second = case["claims"]
    await sim.advance(sim.clock() + timedelta(hours=2))
    await _decide(sim, case["id"], "vp", second["id"], "The project began with the later claim.")
    keep("first-partner-decided", FIRST, "Decided")
    keep("second-partner-decided", SECOND, "Decided")
    appeal = await sim.call(
        "POST",
        f"/v1/registrations/{first['registration_id']}/appeal",
        as_partner=FIRST,
        json={"text": "The customer asked us first.", "evidence": ["signed minutes"]},
    )
    await sim.told()
    keep("ceo-appeal", "ceo@", "Decide now")
    await _decide(sim, appeal["id"], "ceo", first["id"], "The signed minutes show who came first.")
    keep("first-partner-appeal-granted", FIRST, "your appeal")
    return pages


async def _decide(sim: Simulation, case_id: str, person: str, claim: str, reason: str) -> None:
    seen: Mapping[str, Any] = await sim.call("GET", f"/v1/conflicts/{case_id}")
    await sim.call(
        "POST",
        f"/v1/conflicts/{case_id}/decide",
        as_person=person,
        headers={"if-match": f'"v{seen["version"]}"'},
        json={"ruling": "award", "claim": claim, "reason": reason},
    )
    await sim.told()


if __name__ == "__main__":
    main()
