"""Registration, notifier and a mail server as one programme, with an overlap to be decided."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

from dealreg_notifier.app import build as build_notifier
from dealreg_notifier.settings import NotifierSettings
from dealreg_notifier.signing import Keyring
from dealreg_registration import tables
from dealreg_registration.app import build as build_registration
from dealreg_registration.settings import RegistrationSettings
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.bus.port import Bus
from dealreg_shared.links import Link, bytes_of, sign, verify
from dealreg_shared.runtime import Service
from tests.factories.clocks import stand_at
from tests.factories.migrated import migrated
from tests.factories.notifier_world import MailServer, mail_server, mail_settings
from tests.factories.plans import person, small_plan

START = datetime(2027, 3, 1, 9, tzinfo=UTC)
URL = "http://deals.example"
FOUR_HOURS, DAY = timedelta(hours=4), timedelta(hours=24)

PARTNERS = [
    {"id": "ada", "name": "Ada Corp", "tier": "gold", "segments": ["smb", "ent"]},
    {"id": "cam", "name": "Cam Ltd", "tier": "gold", "segments": ["smb", "ent"]},
]


@dataclass
class DecisionWorld:
    """Both services, moved by hand. ``now`` is everybody's clock."""

    registration: Service
    notifier: Service
    mail: MailServer
    http: httpx.AsyncClient
    now: datetime = START
    keys: dict[str, str] = field(default_factory=dict)

    async def settle(self) -> None:
        """Until nothing moves."""
        for _ in range(2):
            for service in (self.registration, self.notifier):
                while await service.drain():
                    pass
                await service.tick()

    async def at(self, offset: timedelta) -> None:
        self.now = START + offset
        for service in (self.registration, self.notifier):
            await stand_at(service.database, self.now)
        await self.settle()

    async def call(self, who: str, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.keys[who]}"} | more.pop("headers", {})
        answer = await self.http.request(method, path, headers=headers, **more)
        assert answer.status_code < 300, answer.text
        return answer

    async def key(self, who: str, role: str, **of: str) -> None:
        made = await self.call("admin", "POST", "/v1/keys", json={"role": role, **of})
        self.keys[who] = made.json()["key"]

    async def case(self, kind: str = "overlap") -> dict[str, Any]:
        """The one case of this kind, as staff see it."""
        listed = await self.call("admin", "GET", f"/v1/conflicts?kind={kind}")
        (item,) = listed.json()["items"]
        view: dict[str, Any] = (
            await self.call("admin", "GET", f"/v1/conflicts/{item['id']}")
        ).json()
        return view

    async def rows(self) -> dict[str, int]:
        """How many rows each table of registration has."""

        def count(conn: Any) -> dict[str, int]:
            return {
                table.name: conn.execute(select(func.count()).select_from(table)).scalar_one()
                for table in tables.metadata.sorted_tables
            }

        return await self.registration.database.read(count)

    def mails(self, person_id: str) -> list[EmailMessage]:
        address = f"{person_id}@people.example"
        return [mail for mail in self.mail.messages if address in mail["To"]]

    async def links(self, person_id: str, url: str = URL) -> dict[str, str]:
        """What the latest mail to a person offers: action, or ruling where it rules -> token."""
        keys = await self.public_keys()
        tokens = tokens_in(self.mails(person_id)[-1], url)
        found = {}
        for token in tokens:
            link = verify(token, keys, self.now)
            found[link.ruling if link.action == "decide" and link.ruling else link.action] = token
        return found

    async def public_keys(self) -> dict[str, bytes]:
        transport = httpx.ASGITransport(self.notifier.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://notifier") as http:
            keys = (await http.get("/.well-known/dealreg-keys.json")).json()["keys"]
        return {key["kid"]: bytes_of(key["x"]) for key in keys}

    async def signed(self, token: str, **changes: Any) -> str:
        """A token like ``token`` with other words in it, signed with notifier's own key."""
        ring: Keyring = self.notifier.extras["keyring"]
        private = await self.notifier.database.read(ring.current)
        assert private is not None
        return sign(replace(await self.link(token), **changes), private)

    async def link(self, token: str) -> Link:
        return verify(token, await self.public_keys(), self.now)


def tokens_in(message: EmailMessage, url: str = URL) -> list[str]:
    """The links of a mail's text, in order."""
    text = next(iter(message.iter_parts())).get_content()
    assert isinstance(text, str)
    return re.findall(re.escape(url) + r"/decide/([A-Za-z0-9_.-]+)", text)


@asynccontextmanager
async def decision_world(
    folder: Path,
    url: str = URL,
    *,
    stands_in: str | None = None,
    databases: Mapping[str, str] | None = None,
    bus: Bus | None = None,
    **policy: Any,
) -> AsyncIterator[DecisionWorld]:
    """Two partners have filed the same deal; the manager has a mail, and so has for two hours
    whoever ``stands_in``. ``databases``: by service, else files; ``bus`` is closed at the end."""
    world: DecisionWorld
    bus = bus or EmbeddedBus(folder / "bus.db")
    urls = databases or {}
    async with mail_server() as mail:

        def now() -> datetime:
            return world.now

        registration = build_registration(
            RegistrationSettings(
                data_dir=folder,
                key_cache_seconds=0,
                registration_database_url=urls.get("registration"),
            ),
            bus=bus,
            now=now,
        )
        notifier = build_notifier(
            NotifierSettings(
                data_dir=folder,
                notifier_public_url=url,
                notifier_database_url=urls.get("notifier"),
                **mail_settings(mail),
            ),
            bus=bus,
            now=now,
        )
        transport = httpx.ASGITransport(registration.app)
        async with httpx.AsyncClient(transport=transport, base_url=url) as http:
            world = DecisionWorld(registration, notifier, mail, http)
            await migrated(registration.database, registration.name)
            await migrated(notifier.database, notifier.name)
            for service in (registration, notifier):
                await stand_at(service.database, START)
            async with registration.open(), notifier.open():
                await _begin(world, policy, stands_in)
                yield world
    await bus.close()


async def _begin(world: DecisionWorld, policy: dict[str, Any], stands_in: str | None) -> None:
    secret = await world.registration.extras["ensure_admin_key"]()
    assert secret is not None
    world.keys["admin"] = secret
    plan = small_plan(
        partners=PARTNERS,
        assignments=[
            {"id": "a-ada", "territory": "t-west", "partner": "ada"},
            {"id": "a-cam", "territory": "t-west", "partner": "cam", "role": "secondary"},
        ],
        policy={"protection_days": 60, **policy},
    )
    plan["people"] = [
        one | {"partner": "ada"} if one["id"] == "ann" else one for one in plan["people"]
    ] + [person("rae", "reviewer")]
    await world.call("admin", "POST", "/v1/plans", json=plan)
    for partner in ("ada", "cam"):
        await world.key(partner, "partner", partner_id=partner)
    for who, role in (("mia", "partner_manager"), ("vic", "vp"), ("cleo", "ceo")):
        await world.key(who, role, person_id=who)
    if stands_in is not None:
        until = (START + timedelta(hours=2)).isoformat()
        period = {"delegate_id": stands_in, "until": until}
        await world.call("mia", "POST", "/v1/people/mia/delegations", json=period)
    await world.settle()
    for partner in ("ada", "cam"):
        await world.call(
            partner,
            "POST",
            "/v1/registrations",
            headers={"idempotency-key": f"first-{partner}"},
            json={
                "account": {
                    "name": "Contoso",
                    "domain": "contoso.com",
                    "country": "US",
                    "subdivision": "US-CA",
                    "employees": 50,
                },
                "product_lines": ["core"],
                "amount": {"amount": "25000.00", "currency": "USD"},
                "close_date": "2030-12-31",
            },
        )
    await world.settle()
