"""A programme of all three services in which partners meet, with everything that each was told.

Each partner's facts are unlike anybody else's, so that one of them in another's answer is a leak.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection

from dealreg_coverage.app import build as build_coverage
from dealreg_coverage.settings import CoverageSettings
from dealreg_notifier.app import build as build_notifier
from dealreg_notifier.settings import NotifierSettings
from dealreg_registration import tables
from dealreg_registration.app import SOURCE, build
from dealreg_registration.handlers.manage_keys import ensure_admin_key
from dealreg_registration.settings import RegistrationSettings
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.outbox import Outbox
from dealreg_shared.runtime import Service
from tests.factories.clocks import stand_at
from tests.factories.migrated import migrated
from tests.factories.notifier_world import MailServer, mail_server, mail_settings
from tests.factories.outbound import Receiver, receiver
from tests.factories.registration_service import PLAN

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PARTNERS = ("alderline", "birchcore", "cedarium", "elmstack", "pinegate")
STAFF = {"quill-manager": "partner_manager", "quill-vp": "vp", "quill-ceo": "ceo"}
KEYS = (*PARTNERS, *STAFF, "admin", "auditor")
REASON = "Ruled upon private grounds"

PEOPLE = [
    {
        "id": id_,
        "roles": [role],
        "name": f"{id_.title()} Person",
        "email": f"{id_}@example.com",
    }
    for id_, role in STAFF.items()
] + [
    {
        "id": f"{partner}-contact",
        "roles": ["partner_contact"],
        "partner": partner,
        "name": f"{partner.title()} Contact",
        "email": f"{partner}-contact@example.com",
    }
    for partner in PARTNERS
]


def plan() -> dict[str, Any]:
    """All cover the United States but Cedarium, whose filings there are referred to Alderline."""
    us = [partner for partner in PARTNERS if partner != "cedarium"]
    return {
        **PLAN,
        "partners": [
            {"id": id_, "name": f"{id_.title()} Systems", "tier": "gold", "certified": ["platform"]}
            for id_ in PARTNERS
        ],
        "territories": PLAN["territories"][:2],
        "assignments": [
            {
                "id": f"us-{index}",
                "territory": "us",
                "partner": partner,
                "role": "secondary" if index else "primary",
            }
            for index, partner in enumerate(us)
        ]
        + [{"id": "de-1", "territory": "de", "partner": "cedarium"}],
        "people": PEOPLE,
    }


@dataclass(frozen=True, slots=True)
class Heard:
    """What somebody was told: where, and in which words."""

    who: str
    where: str
    text: str
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Rivals:
    """The programme in the test's hand. ``heard`` grows with every answer."""

    services: dict[str, Service]
    clients: dict[str, httpx.AsyncClient]
    mail: MailServer
    hooks: dict[str, Receiver]
    now: datetime = START
    keys: dict[str, str] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    secrets: dict[str, dict[str, str]] = field(default_factory=lambda: {p: {} for p in PARTNERS})
    ids: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    """What kind of thing -> whose -> ids."""
    told_at: dict[str, set[str]] = field(default_factory=lambda: {p: set() for p in PARTNERS})
    """Instants at which something happened to a partner itself: a case of its own opened, a referral was
    offered to it, a protection began. They may be those of another's filing or end."""

    async def call(
        self, who: str, method: str, path: str, service: str = "registration", **more: Any
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.keys[who]}"} | more.pop("headers", {})
        answer = await self.clients[service].request(method, path, headers=headers, **more)
        told = Heard(who, f"{method} {path}", answer.text, answer.status_code, dict(answer.headers))
        self.heard.append(told)
        return answer

    async def ok(self, who: str, method: str, path: str, **more: Any) -> dict[str, Any]:
        answer = await self.call(who, method, path, **more)
        assert answer.status_code < 300, f"{method} {path}: {answer.text}"
        view: dict[str, Any] = answer.json() if answer.content else {}
        return view

    async def act(self, who: str, path: str, **body: Any) -> dict[str, Any]:
        """Post at an instant of its own; ``version`` goes as If-Match."""
        await self.later(minutes=2)
        version = body.pop("version", None)
        headers = {} if version is None else {"if-match": f'"v{version}"'}
        view = await self.ok(who, "POST", path, headers=headers, json=body)
        await self.settle()
        return view

    async def settle(self) -> None:
        """Until nothing moves: messages, timers, deliveries."""
        for _ in range(2):
            while sum([await service.drain() for service in self.services.values()]):
                pass
            for service in self.services.values():
                await service.tick()

    async def later(self, **elapsed: float) -> None:
        """An odd while, so that no two instants are alike by chance."""
        self.now += timedelta(**elapsed) + timedelta(seconds=7, microseconds=317)
        for service in self.services.values():
            await stand_at(service.database, self.now)
        await self.settle()

    def own(self, kind: str, who: str, id_: str) -> None:
        self.ids.setdefault(kind, {}).setdefault(who, set()).add(id_)

    async def file(self, who: str, number: int, **changes: Any) -> dict[str, Any]:
        """Partner ``who`` files on customer ``number``, in its own words."""
        await self.later(minutes=1)
        index = PARTNERS.index(who) + 1
        word = ("Holding", "Limited", "Works", "Group", "Trust")[index - 1]
        secret = {
            "spelling": f"Harbor {number} {word}",
            "contact": f"Buyer {number} met by {word}",
            "email": f"buyer{number}@customer-of-{index}.example",
            "phone": f"+1 555 {index}{number:02}{index}{number:02}",
            "amount": f"{index}{number:02}73{index}.{index}{number % 10}",
            "close date": date(2030 + index, 1 + number % 12, 10 + index).isoformat(),
            "reference": f"REF-{index}-{number:03}",
            "evidence": f"evidence-{index}-{number:03}",
        }
        view = await self.ok(
            who,
            "POST",
            "/v1/registrations",
            headers={"idempotency-key": f"{who}-{number}"},
            json={
                "account": {
                    "name": secret["spelling"],
                    "domain": f"harbor{number}.com",
                    "country": "US",
                }
                | changes.pop("account", {}),
                "product_lines": ["platform"],
                "amount": {"amount": secret["amount"], "currency": "USD"},
                "close_date": secret["close date"],
                "external_reference": secret["reference"],
                "evidence": [secret["evidence"]],
                "contacts": [
                    {"name": secret["contact"], "email": secret["email"], "phone": secret["phone"]}
                ],
                **changes,
            },
        )
        secret |= {
            "registration": view["id"],
            "receipt": view["receipt"]["number"],
            "filed at": view["filed_at"],
        }
        self.own("registration", who, view["id"])
        for claim in view["claims"]:
            secret[f"claim {claim['id']}"] = claim["id"]
            if claim["protected_until"]:
                secret["protected until"] = claim["protected_until"]
        self.secrets[who] |= {f"{name} ({number})": value for name, value in secret.items()}
        await self.settle()
        return view

    async def newest_case(self) -> dict[str, Any]:
        cases = (await self.ok("auditor", "GET", "/v1/conflicts"))["items"]
        for case in cases:
            for claim in case["claims"]:
                self.own("conflict", claim["partner_id"], case["id"])
                self.told_at[claim["partner_id"]].add(case["opened_at"])
            self.own("account", "nobody", case["account"]["id"])
        newest: dict[str, Any] = cases[0]
        return newest

    async def decide(self, who: str, case: Mapping[str, Any], **ruling: Any) -> None:
        path = f"/v1/conflicts/{case['id']}"
        version = (await self.ok("auditor", "GET", path))["version"]
        await self.act(who, f"{path}/decide", version=version, reason=REASON, **ruling)

    async def look_back(self) -> None:
        """Take note of every id, and of what happened to each partner itself."""
        for who in PARTNERS:
            notices = await self.ok(who, "GET", "/v1/notifications?limit=200", service="notifier")
            for item in notices["items"]:
                self.own("notification", who, item["id"])
            for item in (await self.ok(who, "GET", "/v1/registrations"))["items"]:
                starts = {claim["protected_from"] for claim in item["claims"]} - {None}
                self.told_at[who] |= starts
            for item in (await self.ok(who, "GET", "/v1/referrals"))["items"]:
                self.own("referral", who, item["id"])
                self.told_at[who].add(item["offered_at"])
        sent = await self.ok("admin", "GET", "/v1/deliveries?limit=50", service="notifier")
        for item in sent["items"]:
            self.own("delivery", "nobody", item["id"])

    def mails(self) -> list[Heard]:
        """Every part of every mail to a partner's contact."""
        found = []
        for partner in PARTNERS:
            for message in self.mail.to(f"{partner}-contact"):
                for part in message.walk():
                    if part.get_content_maintype() == "text":
                        text = f"{message['Subject']}\n{part.get_content()}"
                        found.append(Heard(partner, f"mail {part.get_content_type()}", text))
        return found

    def posted(self) -> list[Heard]:
        """Every body that a partner's webhook received."""
        return [
            Heard(partner, "webhook", request.body.decode())
            for partner, hook in self.hooks.items()
            for request in hook.requests
        ]


@asynccontextmanager
async def rivals(folder: Path, databases: Mapping[str, str] | None = None) -> AsyncIterator[Rivals]:
    """The three services on one bus, a plan in force, everybody's key, a webhook for each partner.
    ``databases``: by service, else files."""
    async with AsyncExitStack() as stack:
        mail = await stack.enter_async_context(mail_server())
        hooks = {partner: await stack.enter_async_context(receiver()) for partner in PARTNERS}
        it: Rivals
        bus = EmbeddedBus(folder / "bus.db")
        stack.push_async_callback(bus.close)
        common: dict[str, Any] = {"data_dir": folder, "key_cache_seconds": 0}
        common |= {f"{name}_database_url": url for name, url in (databases or {}).items()}
        smtp = mail_settings(mail) | {"notifier_outbound_loopback": True}
        services = {
            "registration": build(RegistrationSettings(**common), bus=bus, now=lambda: it.now),
            "coverage": build_coverage(CoverageSettings(**common), bus=bus, now=lambda: it.now),
            "notifier": build_notifier(
                NotifierSettings(**common, **smtp), bus=bus, now=lambda: it.now
            ),
        }
        clients: dict[str, httpx.AsyncClient] = {}
        it = Rivals(services, clients, mail, hooks)
        for name, service in services.items():
            await migrated(service.database, service.name)
            await stand_at(service.database, START)
            await stack.enter_async_context(service.open())
            clients[name] = await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(service.app), base_url=f"http://{name}"
                )
            )
        await _begin(it)
        yield it


async def _begin(it: Rivals) -> None:
    outbox = Outbox(tables.outbox, SOURCE, "default")

    def admin_key(conn: Connection) -> str:
        return ensure_admin_key(conn, datetime.now(UTC), outbox=outbox) or ""

    it.keys["admin"] = await it.services["registration"].database.write(admin_key)
    await it.ok("admin", "POST", "/v1/plans", content=json.dumps(plan()))
    for who in KEYS:
        if who == "admin":
            continue
        body: dict[str, Any] = {"role": "auditor", "requests_per_minute": 100_000}
        if who in PARTNERS:
            body |= {"role": "partner", "partner_id": who}
        elif who in STAFF:
            body |= {"role": STAFF[who], "person_id": who}
        made = await it.ok("admin", "POST", "/v1/keys", json=body)
        it.keys[who] = made["key"]
        it.own("key", who, made["id"])
    await it.settle()
    for who, hook in it.hooks.items():
        made = await it.ok(
            who,
            "POST",
            "/v1/webhooks",
            service="notifier",
            json={"kind": "webhook", "url": f"http://127.0.0.1:{hook.port}/{who}"},
        )
        it.own("endpoint", who, made["id"])
