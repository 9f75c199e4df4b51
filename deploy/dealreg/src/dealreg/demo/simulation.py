"""The three services on a clock that the demo moves: advance, drain, tick, and file over HTTP.

Everything goes the real way: the services' own HTTP applications (called in this process), their
databases, outboxes, the bus and the inboxes, and mail over SMTP. Only time is simulated, and between two
events nothing moves by itself.
"""

import heapq
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime, time, timedelta
from http import HTTPStatus
from typing import Any

import httpx

from dealreg.all_in_one import build_all
from dealreg.compose import Joined
from dealreg.demo.case_stops import CaseStops
from dealreg.demo.clock import SimulatedClock
from dealreg.first_key import ensure_admin_key
from dealreg_shared.bus.factory import make_bus
from dealreg_shared.bus.port import Bus, Message, Subscription
from dealreg_shared.config import SharedSettings
from dealreg_shared.contracts import catalogue
from dealreg_shared.contracts.conflict import ConflictOpened
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.inbox import Consumer
from dealreg_shared.runtime import Flow, Service

CALLS_PER_MINUTE = 60_000
"""The demo packs two years into a minute; rate limits count in real time."""


LADDER_ROLES = frozenset({"partner_manager", "vp", "ceo"})

ABOUT_CASES = b'"type":"dealreg.conflict.'

Act = Callable[[], Awaitable[None]]


class RequestFailed(Exception):
    """A call that the demo relies on was refused. The message says how, ``status`` is HTTP's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NotingBus:
    """A bus that notes on which topics something was published, so that only consumers that have
    something to consume are asked to; and which events are about cases, for time must stop at what
    they stamp."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._topics: set[str] = set()
        self._about_cases: list[Event[Any]] = []

    def noted(self) -> set[str]:
        """The topics published on since the last call."""
        topics, self._topics = self._topics, set()
        return topics

    def about_cases(self) -> list[Event[Any]]:
        """The events about cases that were published since the last call."""
        events, self._about_cases = self._about_cases, []
        return events

    async def publish(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._topics.add(message.topic)
            if message.value is not None and ABOUT_CASES in message.value:
                self._about_cases.append(catalogue.decode(message.value))
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
        self.person_keys: dict[str, str] = {}
        self._services = {service.name: service for service in services}
        self._bus = bus
        self._http = http
        self._stops = CaseStops()
        self._acts: list[tuple[datetime, int, Act]] = []
        self._numbers = itertools.count()
        self._ears: list[Callable[[ConflictOpened], None]] = []
        self._day = clock().date()

    async def call(
        self,
        method: str,
        path: str,
        *,
        as_partner: str | None = None,
        as_person: str | None = None,
        **request: Any,
    ) -> Any:
        """Call the HTTP API as a partner, as a person of the vendor, else as admin. Raises
        ``RequestFailed`` for a refusal."""
        key = self.admin_key
        if as_partner is not None:
            key = self.partner_keys[as_partner]
        elif as_person is not None:
            key = self.person_keys[as_person]
        headers = {"authorization": f"Bearer {key}", **request.pop("headers", {})}
        answer = await self.page(method, path, headers=headers, **request)
        return answer.json()

    async def page(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Call with no key, as a browser does that follows a link. Raises ``RequestFailed``."""
        answer = await self._http.request(method, path, **request)
        if not answer.is_success:
            said = f"{method} {path}: {answer.status_code} {answer.text}"
            raise RequestFailed(said, answer.status_code)
        return answer

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

    async def publish(self, plan: bytes) -> None:
        """Publish a plan, in force at once, and make a key for each of its partners, and for each of
        its people who have a level of the ladder."""
        published = await self.call(
            "POST",
            "/v1/plans",
            content=plan,
            headers={"content-type": "application/yaml", "idempotency-key": "demo-plan"},
        )
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
        for person in whole["document"]["people"]:
            for role in LADDER_ROLES.intersection(person["roles"]):
                made = await self.call(
                    "POST",
                    "/v1/keys",
                    json={
                        "role": role,
                        "person_id": person["id"],
                        "requests_per_minute": CALLS_PER_MINUTE,
                    },
                )
                self.person_keys[person["id"]] = made["key"]
        for service in self._services.values():  # the plan first: filings wait for it
            while await service.drain():
                pass
        await self.drain()

    def hear(self, ear: Callable[[ConflictOpened], None]) -> None:
        """Have ``ear`` told of every case that opens from now on."""
        self._ears.append(ear)

    def at(self, instant: datetime, act: Act) -> None:
        """Have something done when the clock comes to an instant."""
        heapq.heappush(self._acts, (instant, next(self._numbers), act))

    async def file(self, partner: str, body: Mapping[str, Any], key: str) -> Any:
        """File a registration as a partner. If a case opens, those who must act are told at once."""
        answer = await self.call(
            "POST",
            "/v1/registrations",
            as_partner=partner,
            json=body,
            headers={"idempotency-key": key},
        )
        for relay in self._relays("registration"):
            await relay.drain()
        if self._note_cases():
            await self.told()
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
        """Let time pass until ``to``, stopping where time alone makes something due, at every deadline
        and reminder of a case and at every midnight, and where somebody acts. Scores are looked at on
        Mondays."""
        while True:
            midnight = datetime.combine(self._day + timedelta(days=1), time(), to.tzinfo)
            at = min(midnight, self._stops.next() or midnight)
            if self._acts:
                at = min(at, self._acts[0][0])
            if at > to:
                break
            self.clock.advance(at)
            if at == midnight:
                self._day = at.date()
                await self._services["registration"].tick()
            await self.drain()
            if at == midnight and at.weekday() == 0:
                await self._services["coverage"].tick()
            self._stops.reached(at)
            await self._services["notifier"].tick()
            while self._acts and self._acts[0][0] <= at:
                _, _, act = heapq.heappop(self._acts)
                await act()
                await self.told()
        self.clock.advance(to)

    async def told(self) -> None:
        """Whoever must know of what was done until now has been told."""
        await self.drain()
        await self._services["notifier"].tick()

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
        relays = self._relays(*self._services)
        while True:
            for relay in relays:
                await relay.drain()
            self._note_cases()
            topics = self._bus.noted()
            if not topics:
                return
            for consumer in consumers:
                if not topics.isdisjoint(consumer.topics):
                    await consumer.drain()

    def _relays(self, *names: str) -> list[Flow]:
        flows = [flow for name in names for flow in self._services[name].flows]
        return [flow for flow in flows if not isinstance(flow, Consumer)]

    def _note_cases(self) -> bool:
        """Know the stops of what was published about cases, and tell of new ones. Whether there was
        anything."""
        events = self._bus.about_cases()
        for event in events:
            self._stops.note(event)
            if isinstance(event.data, ConflictOpened):
                for ear in self._ears:
                    ear(event.data)
        return bool(events)


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
            raise RequestFailed(
                "The data folder was used before; the demo needs an empty one.",
                HTTPStatus.CONFLICT,
            )
        yield Simulation(services, clock, bus, http, admin)
