"""Short stories before the stream: a race, a filing out of territory, a case that climbs to the CEO.

Partners and plan are the demo's own, the accounts made up. Shown step by step, with the services' words.
"""

from datetime import datetime, timedelta

from dealreg.demo.telling import ABROAD, FIRST, SECOND, Teller, deal

ROLES = {"partner_manager": "the partner manager", "vp": "the VP", "ceo": "the CEO"}


class Stories:
    """Told by ``teller``, in order."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._sim = teller.sim

    async def tell(self) -> None:
        """All of them. Time moves from the first morning to the next one."""
        await self.two_partners_one_deal()
        await self.out_of_territory()
        await self.a_case_climbs()

    async def two_partners_one_deal(self) -> None:
        self._teller.title("Two partners file one deal, four seconds apart")
        await self._teller.file(
            FIRST, deal("Aspen Ridge Labs Inc.", "aspen-ridge.example.com", "88000.00")
        )
        await self._sim.advance(self._sim.clock() + timedelta(seconds=4))
        await self._teller.file(
            SECOND,
            deal("ASPEN RIDGE LABS", "https://www.aspen-ridge.example.com/contact", "91500.00"),
        )

    async def out_of_territory(self) -> None:
        self._teller.title("A partner from Great Britain files a deal in the United States")
        await self._sim.advance(self._sim.clock() + timedelta(minutes=10))
        await self._teller.read_before(*self._teller.names)
        answer = await self._teller.file(
            ABROAD, deal("Boulder Creek Foods", "boulder-creek.example.net", "52000.00")
        )
        await self._sim.told()
        [referral] = await self._sim.items("/v1/referrals", state="offered")
        target = referral["target"]["id"]
        await self._teller.new_notices(target)
        await self._sim.call("POST", f"/v1/registrations/{answer['id']}/consent", as_partner=ABROAD)
        self._teller.line(f"{self._teller.names[ABROAD]} lets its details pass.")
        await self._sim.advance(self._sim.clock() + timedelta(minutes=20))
        taken = await self._sim.call(
            "POST", f"/v1/referrals/{referral['id']}/accept", as_partner=target
        )
        await self._sim.told()
        after = await self._sim.call("GET", f"/v1/referrals/{referral['id']}")
        self._teller.line(
            f"{self._teller.names[target]} takes it: the referral is [bold]{after['state']}[/bold]."
        )
        if "claims" in taken:
            self._teller.verdict(target, taken)
        await self._teller.new_notices(ABROAD)

    async def a_case_climbs(self) -> None:
        self._teller.title("Nobody settles the conflict: its clock runs 4 h, 24 h, CEO")
        [conflict] = await self._sim.items("/v1/conflicts", state="open")
        path = f"/v1/conflicts/{conflict['id']}"
        opened = datetime.fromisoformat(conflict["opened_at"])
        self._teller.line(f"[bold]opened[/bold]: level {conflict['level']}")
        self._teller.new_mails(with_links=True)
        for hours in (4, 24):
            await self._sim.advance(opened + timedelta(hours=hours))
            now = await self._sim.call("GET", path)
            self._teller.line(
                f"[bold]after {hours} h[/bold]: level {now['level']}, "
                f"{ROLES[now['responsible']['role']]}"
            )
            self._teller.new_mails()
        await self._teller.read_before(FIRST, SECOND)
        now = await self._sim.call("GET", path)
        first, second = now["claims"]
        await self._sim.call(
            "POST",
            f"{path}/decide",
            as_person=now["responsible"]["person_id"],
            headers={"if-match": f'"v{now["version"]}"'},
            json={
                "ruling": "co_sell",
                "claim": first["id"],
                "co_holders": [second["id"]],
                "reason": "Both brought the project forward; they sell it together.",
            },
        )
        await self._sim.told()
        closed = await self._sim.call("GET", path)
        self._teller.line(
            f"The CEO rules that both sell together: the case is [bold]{closed['state']}[/bold], "
            "no timer is left."
        )
        self._teller.new_mails()
        await self._teller.new_notices(FIRST, SECOND)
