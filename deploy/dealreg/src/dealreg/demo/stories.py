"""Three short stories before the stream: a race, a filing out of territory, a case that climbs.

Partners and plan are the demo's own, the accounts made up. Shown step by step, with the services' words.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from dealreg.demo.mailbox import Mail, Mailbox
from dealreg.demo.simulation import Simulation

FIRST, SECOND, ABROAD = "PT013", "PT011", "PT017"
"""Two partners in the United States that sell storage, and one in Great Britain."""

ROLES = {"partner_manager": "the partner manager", "vp": "the VP", "ceo": "the CEO"}

COLOURS = {
    "protected": "green",
    "contested": "yellow",
    "referred": "blue",
    "rejected": "red",
    "duplicate": "red",
    "open": "cyan",
}


def deal(account: str, domain: str, amount: str) -> dict[str, Any]:
    """A deal in the United States on the flash array."""
    return {
        "account": {"name": account, "domain": domain, "country": "US", "subdivision": "US-CO"},
        "product_lines": ["P-STO-A"],
        "amount": {"amount": amount, "currency": "USD"},
        "close_date": "2025-04-30",
    }


class Stories:
    """Told on ``console``, in order."""

    def __init__(
        self, sim: Simulation, mailbox: Mailbox, names: Mapping[str, str], console: Console
    ) -> None:
        self._sim = sim
        self._mailbox = mailbox
        self._names = names
        self._console = console
        self._shown = 0

    async def tell(self) -> None:
        """All three. Time moves from the first morning to the day after the next."""
        second = await self.two_partners_one_deal()
        await self.out_of_territory()
        await self.a_case_climbs(second)

    async def two_partners_one_deal(self) -> str:
        """Returns the id of the contested registration."""
        self._title("Two partners file one deal, four seconds apart")
        answer = await self._file(
            FIRST, deal("Aspen Ridge Labs Inc.", "aspen-ridge.example.com", "88000.00")
        )
        self._verdict(FIRST, answer)
        await self._sim.advance(self._sim.clock() + timedelta(seconds=4))
        answer = await self._file(
            SECOND,
            deal("ASPEN RIDGE LABS", "https://www.aspen-ridge.example.com/contact", "91500.00"),
        )
        self._verdict(SECOND, answer)
        identifier: str = answer["id"]
        return identifier

    async def out_of_territory(self) -> None:
        self._title("A partner from Great Britain files a deal in the United States")
        await self._sim.advance(self._sim.clock() + timedelta(minutes=10))
        answer = await self._file(
            ABROAD, deal("Boulder Creek Foods", "boulder-creek.example.com", "52000.00")
        )
        self._verdict(ABROAD, answer)

    async def a_case_climbs(self, second: str) -> None:
        self._title("Nobody settles the conflict: its clock runs 4 h, 24 h, CEO")
        [conflict] = await self._sim.items("/v1/conflicts", state="open")
        opened = datetime.fromisoformat(conflict["opened_at"])
        self._console.print(f"  [bold]opened[/bold]: level {conflict['level']}")
        self._new_mails()
        for hours in (4, 24):
            await self._sim.advance(opened + timedelta(hours=hours))
            now = await self._sim.call("GET", f"/v1/conflicts/{conflict['id']}")
            self._console.print(
                f"  [bold]after {hours} h[/bold]: level {now['level']}, "
                f"{ROLES[now['responsible']['role']]}"
            )
            self._new_mails()
        await self._sim.end(SECOND, second, "withdraw", "story-withdraw")
        await self._sim.settle()
        closed = await self._sim.call("GET", f"/v1/conflicts/{conflict['id']}")
        self._console.print(
            f"  {self._names[SECOND]} withdraws: the case is [bold]{closed['state']}[/bold], "
            "no timer is left."
        )
        self._new_mails()

    async def _file(self, partner: str, body: Mapping[str, Any]) -> Any:
        return await self._sim.file(partner, body, f"story-{partner}")

    def _title(self, text: str) -> None:
        self._console.print()
        self._console.rule(f"[bold]{text}[/bold]", align="left")

    def _verdict(self, partner: str, answer: Mapping[str, Any]) -> None:
        for claim in answer["claims"]:
            outcome = claim["outcome"]
            self._console.print(
                f"  {answer['filed_at'][:19].replace('T', ' ')}  {self._names[partner]} files "
                f"{answer['account_name']!r}"
            )
            said = Text(outcome, f"bold {COLOURS.get(outcome, 'white')}")
            self._indented(said.append(f": {' '.join(claim['reasons'])}", "not bold dim"))
        self._indented(Text(f"receipt {answer['receipt']['number']}", "dim"))

    def _indented(self, text: Text) -> None:
        self._console.print(Padding(text, (0, 0, 0, 6), expand=False))

    def _new_mails(self) -> None:
        """Each once, with all whom it went to: who was told what and when."""
        told: dict[tuple[datetime, str, tuple[str, ...]], list[str]] = {}
        for mail in self._mailbox.mails[self._shown :]:
            told.setdefault((mail.at, mail.subject, _said(mail)), []).append(mail.to)
        self._shown = len(self._mailbox.mails)
        for (at, subject, parts), to in told.items():
            self._console.print(
                f"    [dim]{at:%Y-%m-%d %H:%M:%S}[/dim]  mail to [bold]{', '.join(to)}[/bold]"
            )
            self._indented(Text(subject))
            for part in parts:
                self._indented(Text(part, "dim"))


def _said(mail: Mail) -> tuple[str, ...]:
    """The two paragraphs after the greeting."""
    return tuple(" ".join(part.split()) for part in mail.text.split("\n\n")[1:3])
