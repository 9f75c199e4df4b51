"""Stories of conflicts that are settled: by a click in a mail, by the VP, on appeal by the CEO."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from dealreg.demo.telling import FIRST, SECOND, Teller, deal, links

VERSION = re.compile(r'name="version"[^>]*value="([^"]*)"')


class Settling:
    """Told by ``teller``, in order."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._sim = teller.sim

    async def tell(self) -> None:
        """Time moves from the second morning to the fourth."""
        await self.one_click()
        await self.award_and_appeal()

    async def one_click(self) -> None:
        self._teller.title("The manager settles a conflict in time, with one click in the mail")
        path = await self._conflict("Cedar Falls Robotics, Inc.", "CEDAR FALLS ROBOTICS INC")
        self._teller.new_mails(with_links=True)
        await self._after(timedelta(hours=1, minutes=30))
        [url] = [
            url
            for label, url in links(self._teller.mailbox.mails[-1]).items()
            if self._teller.names[FIRST] in label
        ]
        await self._click(url, "First to register, and the offer is written already.")
        await self._told(path, "The manager opens the link and confirms")

    async def award_and_appeal(self) -> None:
        self._teller.title("The manager misses 4 h, the VP rules, the loser appeals to the CEO")
        path = await self._conflict("Harbor Point Media LLC", "harbor point media, llc")
        await self._after(timedelta(hours=4))
        self._teller.new_mails()
        await self._after(timedelta(hours=2))
        await self._act(path, "vp", "take")
        await self._after(timedelta(minutes=15))
        case = await self._sim.call("GET", path)
        first, second = case["claims"]
        reason = "The customer's project began with the later claim."
        body = {"ruling": "award", "claim": second["id"], "reason": reason}
        await self._act(path, "vp", "decide", body)
        await self._told(path, "The VP takes the case and awards the line to the second")
        await self._after(timedelta(hours=15))
        appeal = await self._sim.call(
            "POST",
            f"/v1/registrations/{first['registration_id']}/appeal",
            as_partner=FIRST,
            json={
                "text": "The customer asked us for this project in October.",
                "evidence": ["minutes of the first meeting, signed by the customer"],
            },
        )
        self._teller.line(
            f"{self._teller.names[FIRST]} appeals, with evidence that was not filed before."
        )
        await self._sim.told()
        self._teller.new_mails()
        await self._after(timedelta(hours=3))
        path = f"/v1/conflicts/{appeal['id']}"
        reason = "The signed minutes show who came first."
        body = {"ruling": "award", "claim": first["id"], "reason": reason}
        await self._act(path, "ceo", "decide", body)
        await self._told(path, "The CEO grants the appeal")

    async def _conflict(self, account: str, other_spelling: str) -> str:
        """Two partners file one deal. The path of the case."""
        await self._after(timedelta(minutes=30))
        await self._teller.file(FIRST, deal(account, None, "64000.00"))
        await self._after(timedelta(seconds=4))
        await self._teller.file(SECOND, deal(other_spelling, None, "61000.00"))
        await self._teller.read_before(FIRST, SECOND)
        [case] = await self._sim.items("/v1/conflicts", state="open")
        return f"/v1/conflicts/{case['id']}"

    async def _click(self, url: str, reason: str) -> None:
        """Open a link and confirm it, as a browser does."""
        path = urlsplit(url).path
        page = await self._sim.page("GET", path)
        [version] = VERSION.findall(page.text)
        await self._sim.page("POST", path, data={"version": version, "reason": reason})

    async def _act(self, path: str, person: str, act: str, body: Any = None) -> None:
        seen = await self._sim.call("GET", path)
        await self._sim.call(
            "POST",
            f"{path}/{act}",
            as_person=person,
            headers={"if-match": f'"v{seen["version"]}"'},
            json=body,
        )

    async def _told(self, path: str, what: str) -> None:
        await self._sim.told()
        case = await self._sim.call("GET", path)
        self._teller.line(f"{what}: the case is [bold]{case['state']}[/bold].")
        self._teller.new_mails()
        await self._teller.new_notices(FIRST, SECOND)

    async def _after(self, span: timedelta) -> None:
        await self._sim.advance(self._sim.clock() + span)
