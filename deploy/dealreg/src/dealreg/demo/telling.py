"""How the demo tells a story: filings with their verdicts, mails and inboxes, on a console."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from dealreg.demo.mailbox import Mail, Mailbox
from dealreg.demo.simulation import Simulation

FIRST, SECOND, ABROAD = "PT013", "PT011", "PT017"
"""Two partners in the United States that sell storage, and one in Great Britain."""

COLOURS = {
    "protected": "green",
    "contested": "yellow",
    "referred": "blue",
    "rejected": "red",
    "duplicate": "red",
    "open": "cyan",
}

LINK = re.compile(r"^- (?P<label>[^\n]+):\n  (?P<url>\S+/decide/\S+)$", re.MULTILINE)
LINK_SHOWN = 48
"""Characters of a link that are shown; the rest is its signature."""


def deal(account: str, domain: str | None, amount: str) -> dict[str, Any]:
    """A deal in the United States on the flash array. With no domain the account goes by its name."""
    named: dict[str, Any] = {"name": account, "country": "US", "subdivision": "US-CO"}
    return {
        "account": named if domain is None else {**named, "domain": domain},
        "product_lines": ["P-STO-A"],
        "amount": {"amount": amount, "currency": "USD"},
        "close_date": "2025-04-30",
    }


class Teller:
    """Tells on ``console`` what the services say."""

    def __init__(
        self, sim: Simulation, mailbox: Mailbox, names: Mapping[str, str], console: Console
    ) -> None:
        self.sim = sim
        self.mailbox = mailbox
        self.names = names
        self.console = console
        self._shown = 0
        self._read: set[str] = set()

    async def file(self, partner: str, body: Mapping[str, Any]) -> Any:
        """File a deal, and tell what came of it."""
        answer = await self.sim.file(partner, body, f"story-{partner}-{self.sim.clock():%d%H%M%S}")
        self.verdict(partner, answer)
        return answer

    def title(self, text: str) -> None:
        self.console.print()
        self.console.rule(f"[bold]{text}[/bold]", align="left")

    def line(self, markup: str) -> None:
        self.console.print(f"  {markup}")

    def verdict(self, partner: str, answer: Mapping[str, Any]) -> None:
        for claim in answer["claims"]:
            outcome = claim["outcome"]
            self.line(
                f"{answer['filed_at'][:19].replace('T', ' ')}  {self.names[partner]} files "
                f"{answer['account_name']!r}"
            )
            said = Text(outcome, f"bold {COLOURS.get(outcome, 'white')}")
            self._indented(said.append(f": {' '.join(claim['reasons'])}", "not bold dim"))
        self._indented(Text(f"receipt {answer['receipt']['number']}", "dim"))

    def _indented(self, text: Text) -> None:
        self.console.print(Padding(text, (0, 0, 0, 6), expand=False))

    def new_mails(self, *, with_links: bool = False) -> None:
        """Each once, with all whom it went to: who was told what and when; if asked for, with the links
        by which its reader can decide."""
        told: dict[tuple[datetime, str, tuple[str, ...]], list[Mail]] = {}
        for mail in self.mailbox.mails[self._shown :]:
            told.setdefault((mail.at, mail.subject, _said(mail)), []).append(mail)
        self._shown = len(self.mailbox.mails)
        for (at, subject, parts), mails in told.items():
            to = ", ".join(mail.to for mail in mails)
            self.console.print(f"    [dim]{at:%Y-%m-%d %H:%M:%S}[/dim]  mail to [bold]{to}[/bold]")
            self._indented(Text(subject))
            for part in parts:
                self._indented(Text(part, "dim"))
            for label, url in links(mails[0]).items() if with_links else ():
                path = urlsplit(url)
                shown = f"{path.scheme}://{path.netloc}{path.path}"[:LINK_SHOWN]
                self._indented(Text(f"[ {label} ]", "bold cyan").append(f" {shown}...", "dim"))

    async def new_notices(self, *partners: str) -> None:
        """What stands in the partners' inboxes since this was last told."""
        for partner in partners:
            answer = await self.sim.call("GET", "/v1/notifications", as_partner=partner)
            for notice in reversed(answer["items"]):
                if notice["id"] in self._read:
                    continue
                self._read.add(notice["id"])
                self.console.print(
                    f"    [dim]{notice['created_at'][:19].replace('T', ' ')}[/dim]  "
                    f"[bold]{self.names[partner]}[/bold] reads"
                )
                self._indented(Text(notice["title"]))
                for part in _paragraphs(notice["text"])[:2]:
                    self._indented(Text(part, "dim"))

    async def read_before(self, *partners: str) -> None:
        """Leave out of the story what these partners have in their inboxes by now."""
        for partner in partners:
            answer = await self.sim.call("GET", "/v1/notifications", as_partner=partner)
            self._read.update(notice["id"] for notice in answer["items"])


def links(mail: Mail) -> dict[str, str]:
    """Label -> address, of the links in a mail that decide a case."""
    return {found["label"]: found["url"] for found in LINK.finditer(mail.text)}


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in text.split("\n\n"))


def _said(mail: Mail) -> tuple[str, ...]:
    """The two paragraphs after the greeting."""
    return _paragraphs(mail.text)[1:3]
