"""The three services on a clock that the demo moves: advance, drain, tick, and file over HTTP.

Everything goes the real way: the services' own HTTP applications (called in this process), their
databases, outboxes, the bus and the inboxes, and mail over SMTP. Only time is simulated, and between two
events nothing moves by itself.
"""

import heapq
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, time, timedelta
from typing import Any

import httpx

from dealreg.all_in_one import build_all
from dealreg.compose import Joined
from dealreg.demo.clock import SimulatedClock
from dealreg.first_key import ensure_admin_key
from dealreg_shared.config import SharedSettings
from dealreg_shared.contracts.plan_document import LadderPolicy
from dealreg_shared.runtime import Service

CALLS_PER_MINUTE = 60_000
"""The demo packs two years into a minute; rate limits count in real time."""


class RequestFailed(Exception):
    """A call that the demo relies on was refused. The message says how."""


class Simulation:
    """Made by ``simulated``."""

    def __init__(
        self,
        services: Sequence[Service],
        clock: SimulatedClock,
        http: httpx.AsyncClient,
        admin: str,
    ) -> None:
        self.clock = clock
        self.admin_key = admin
        self.partner_keys: dict[str, str] = {}
        self._services = {service.name: service for service in services}
        self._http = http
        self._deadlines: list[datetime] = []
        self._ladder = LadderPolicy()
        self._day = clock().date()

    async def call(
        self, method: str, path: str, *, as_partner: str | None = None, **request: Any
    ) -> Any:
        """Call the HTTP API as admin or as a partner. Raises ``RequestFailed`` for a refusal."""
        key = self.admin_key if as_partner is None else self.partner_keys[as_partner]
        headers = {"authorization": f"Bearer {key}", **request.pop("headers", {})}
        answer = await self._http.request(method, path, headers=headers, **request)
        if not answer.is_success:
            raise RequestFailed(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    async def items(self, path: str, **query: Any) -> list[Any]:
        """All items of a list, as admin."""
        found: list[Any] = []
        after: str | None = None
        while True:
            given = query if after is None else {**query, "after": after}
            answer = await self.call("GET", path, params={"limit": 200, **given})
            found += answer["items"]
            after = answer["next"]
            if after is None:
                return found

    async def publish(self, plan: bytes, ladder: LadderPolicy) -> None:
        """Publish a plan, in force at once, and make a key for each of its partners."""
        published = await self.call(
            "POST",
            "/v1/plans",
            content=plan,
            headers={"content-type": "application/yaml", "idempotency-key": "demo-plan"},
        )
        self._ladder = ladder
        whole = await self.call("GET", f"/v1/plans/{published['number']}")
        for partner in whole["document"]["partners"]:
            made = await self.call(
                "POST",
                "/v1/keys",
                json={
                    "role": "partner",
                    "partner_id": partner["id"],
                    "requests_per_minute": CALLS_PER_MINUTE,
                },
            )
            self.partner_keys[partner["id"]] = made["key"]
        await self.drain()

    async def file(self, partner: str, body: Mapping[str, Any], key: str) -> Any:
        """File a registration as a partner. If it is contested, the ladder's deadlines are noted, so
        that time will stop at them."""
        answer = await self.call(
            "POST",
            "/v1/registrations",
            as_partner=partner,
            json=body,
            headers={"idempotency-key": key},
        )
        if any(claim["outcome"] == "contested" for claim in answer["claims"]):
            now = self.clock()
            for hours in (self._ladder.partner_manager_hours, self._ladder.vp_hours):
                heapq.heappush(self._deadlines, now + timedelta(hours=hours))
        return answer

    async def end(self, partner: str, registration_id: str, act: str, key: str) -> Any:
        """Win, lose or withdraw a registration as its partner."""
        return await self.call(
            "POST",
            f"/v1/registrations/{registration_id}/{act}",
            as_partner=partner,
            headers={"idempotency-key": key},
        )

    async def advance(self, to: datetime) -> None:
        """Let time pass until ``to``, stopping where time alone makes something due: at every deadline
        of a case, and at every midnight."""
        while True:
            midnight = datetime.combine(self._day + timedelta(days=1), time(), to.tzinfo)
            deadline = self._deadlines[0] if self._deadlines else to
            at = min(midnight, deadline)
            if at > to or (at == to and not self._deadlines and at != midnight):
                break
            self.clock.advance(at)
            await self.drain()
            if self._deadlines and at == self._deadlines[0]:
                heapq.heappop(self._deadlines)
                await self._services["notifier"].tick()
            if at == midnight:
                self._day = at.date()
                for service in self._services.values():
                    await service.tick()
            await self.drain()
        self.clock.advance(to)

    async def settle(self) -> None:
        """Everything that is due now, done and told."""
        await self.drain()
        for service in self._services.values():
            await service.tick()
        await self.drain()

    async def drain(self) -> None:
        """Move messages until none is left to move."""
        while sum([await service.drain() for service in self._services.values()]):
            pass


@asynccontextmanager
async def simulated(
    settings: Mapping[str, SharedSettings], clock: SimulatedClock
) -> AsyncIterator[Simulation]:
    """The services of ``settings``, migrated and open, standing still until moved."""
    services = build_all(settings, clock)
    async with AsyncExitStack() as stack:
        for service in services:
            await service.migrate()
            await stack.enter_async_context(service.open())
        http = await stack.enter_async_context(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(Joined(services)), base_url="http://dealreg.demo"
            )
        )
        admin = await ensure_admin_key(services)
        if admin is None:
            raise RequestFailed("The data folder was used before; the demo needs an empty one.")
        yield Simulation(services, clock, http, admin)
