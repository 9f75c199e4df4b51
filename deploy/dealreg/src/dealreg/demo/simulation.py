"""The three services on a clock that the demo moves: advance, drain, tick, and file over HTTP.

Everything goes the real way: the services' own HTTP applications (called in this process), their
databases, outboxes, the bus and the inboxes, and mail over SMTP. Only time is simulated, and between two
events nothing moves by itself.
"""

import heapq
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime, time, timedelta
from typing import Any

import httpx

from dealreg.all_in_one import build_all
from dealreg.compose import Joined
from dealreg.demo.clock import SimulatedClock
from dealreg.first_key import ensure_admin_key
from dealreg_shared.bus.factory import make_bus
from dealreg_shared.bus.port import Bus, Message, Subscription
from dealreg_shared.config import SharedSettings
from dealreg_shared.contracts.plan_ladder import LadderPolicy
from dealreg_shared.inbox import Consumer
from dealreg_shared.runtime import Service

CALLS_PER_MINUTE = 60_000
"""The demo packs two years into a minute; rate limits count in real time."""


class RequestFailed(Exception):
    """A call that the demo relies on was refused. The message says how."""


class NotingBus:
    """A bus that notes on which topics something was published, so that only consumers that have
    something to consume are asked to."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._topics: set[str] = set()

    def noted(self) -> set[str]:
        """The topics published on since the last call."""
        topics, self._topics = self._topics, set()
        return topics

    async def publish(self, messages: Sequence[Message]) -> None:
        self._topics.update(message.topic for message in messages)
        await self._bus.publish(messages)

    def subscribe(
        self, group: str, topics: Sequence[str]
    ) -> AbstractAsyncContextManager[Subscription]:
        return self._bus.subscribe(group, topics)

    async def healthy(self) -> bool:
        return await self._bus.healthy()

    async def close(self) -> None:
        await self._bus.close()


class Simulation:
    """Made by ``simulated``."""

    def __init__(
        self,
        services: Sequence[Service],
        clock: SimulatedClock,
        bus: NotingBus,
        http: httpx.AsyncClient,
        admin: str,
    ) -> None:
        self.clock = clock
        self.admin_key = admin
        self.partner_keys: dict[str, str] = {}
        self._services = {service.name: service for service in services}
        self._bus = bus
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
        for service in self._services.values():  # the plan first: filings wait for it
            while await service.drain():
                pass
        await self.drain()

    async def file(self, partner: str, body: Mapping[str, Any], key: str) -> Any:
        """File a registration as a partner. If it is contested, those who must act are told at once, and
        the ladder's deadlines are noted, so that time will stop at them."""
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
            await self.drain()
            await self._services["notifier"].tick()
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
        of a case and at every midnight. Scores are looked at on Mondays."""
        while True:
            midnight = datetime.combine(self._day + timedelta(days=1), time(), to.tzinfo)
            deadline = self._deadlines[0] if self._deadlines else midnight
            at = min(midnight, deadline)
            if at > to:
                break
            self.clock.advance(at)
            if at == midnight:
                self._day = at.date()
                await self._services["registration"].tick()
            await self.drain()
            if at == midnight and at.weekday() == 0:
                await self._services["coverage"].tick()
            while self._deadlines and self._deadlines[0] <= at:
                heapq.heappop(self._deadlines)
            await self._services["notifier"].tick()
        self.clock.advance(to)

    async def settle(self) -> None:
        """Everything that is due now, done and told."""
        await self.drain()
        for service in self._services.values():
            await service.tick()
        await self.drain()

    async def drain(self) -> None:
        """Move messages until none is left to move: from every outbox to the bus, and from the topics
        on which something was published to those who read them."""
        flows = [flow for service in self._services.values() for flow in service.flows]
        consumers = [flow for flow in flows if isinstance(flow, Consumer)]
        relays = [flow for flow in flows if not isinstance(flow, Consumer)]
        while True:
            for relay in relays:
                await relay.drain()
            topics = self._bus.noted()
            if not topics:
                return
            for consumer in consumers:
                if not topics.isdisjoint(consumer.topics):
                    await consumer.drain()


@asynccontextmanager
async def simulated(
    settings: Mapping[str, SharedSettings], clock: SimulatedClock
) -> AsyncIterator[Simulation]:
    """The services of ``settings``, migrated and open, standing still until moved."""
    bus = NotingBus(make_bus(settings["registration"]))
    services = build_all(settings, clock, bus)
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
        yield Simulation(services, clock, bus, http, admin)
