"""The programme that the rows work in: one market that every partner covers, customers by number."""

import asyncio
from functools import partial
from typing import Any

import httpx
import orjson

from tests.faults.installation import Installation
from tests.faults.wire import NoAnswer, Wire

ANSWER_WITHIN = 60.0
"""Seconds, for whoever files here."""

MOST = 100_000
"""Calls a minute: no limit is in a proof's way."""


def enrol(made: Installation, partners: int) -> list[str]:
    """Publish the plan of so many partners; a key for each. Registration must answer."""
    return asyncio.run(_enrol(made.processes[0].url, made.admin_key(), partners))


async def register(wire: Wire, port: int, secret: str, key: int) -> int:
    """File for customer ``key``; the answer's status. A connection that a server had just closed is no
    answer: it is asked once more, with the same idempotency key."""
    headers = {
        "authorization": f"Bearer {secret}",
        "idempotency-key": f"customer-{key}",
        "content-type": "application/json",
    }
    ask = partial(
        wire.request, port, "POST", "/v1/registrations", headers, orjson.dumps(filing(key))
    )
    try:
        status, _ = await ask()
    except NoAnswer:
        status, _ = await ask()
    return status


def customer(key: int) -> str:
    """The account's name."""
    return f"Customer {key}"


def filing(key: int) -> dict[str, Any]:
    """The body of a registration for customer ``key``."""
    return {
        "account": {"name": customer(key), "domain": f"customer-{key}.com", "country": "US"},
        "product_lines": ["platform"],
        "amount": {"amount": "25000", "currency": "USD"},
        "close_date": "2027-06-30",
    }


def plan(partners: int) -> dict[str, Any]:
    """One market that all partners cover."""
    names = [f"p{number:03}" for number in range(partners)]
    return {
        "schema": "dealreg.plan/1",
        "programme": {"name": "Proof", "time_zone": "UTC", "currency": "USD"},
        "regions": [{"id": "na", "name": "North America", "countries": ["US"]}],
        "segments": [{"id": "all", "name": "All", "employees_from": 1}],
        "product_lines": [{"id": "platform", "name": "Platform"}],
        "tiers": [{"id": "gold", "name": "Gold", "rank": 1}],
        "partners": [
            {"id": name, "name": name, "tier": "gold", "certified": ["platform"]} for name in names
        ],
        "territories": [{"id": "us", "name": "US", "match": {"countries": ["US"]}}],
        "assignments": [
            {"id": f"us-{name}", "territory": "us", "partner": name, "role": "secondary"}
            for name in names
        ],
        "people": [
            {"id": role, "roles": [role], "name": role, "email": f"{role}@people.example"}
            for role in ("partner_manager", "vp", "ceo")
        ],
    }


async def _enrol(url: str, admin: str, partners: int) -> list[str]:
    """Publish the plan; a key for each partner."""
    async with httpx.AsyncClient(
        base_url=url, headers={"Authorization": f"Bearer {admin}"}, timeout=60
    ) as client:
        published = await client.post("/v1/plans", json=plan(partners))
        assert published.status_code == httpx.codes.CREATED, published.text
        made = []
        for number in range(partners):
            body = {"role": "partner", "partner_id": f"p{number:03}", "requests_per_minute": MOST}
            answer = await client.post("/v1/keys", json=body)
            assert answer.status_code == httpx.codes.CREATED, answer.text
            made.append(answer.json()["key"])
        return made
