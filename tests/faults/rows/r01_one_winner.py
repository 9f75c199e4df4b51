"""Row 1: of many who register one line at once, over HTTP against two processes, one is protected."""

import asyncio
from collections import Counter, defaultdict
from typing import Any

import httpx
from sqlalchemy import select

from tests.faults.installation import Installation
from tests.faults.proof import Lab, Outcome, Row

AT_ONCE = 4
"""Keys contended for at the same time."""


def prove(lab: Lab) -> Outcome:
    """Contenders wait at a barrier for each key, then file together."""
    contenders, keys = lab.count(20, 100), lab.count(12, 1000)
    with lab.installation() as made:
        processes = [made.start("registration").ready() for _ in range(2)]
        people = asyncio.run(_enrol(processes[0].url, made.admin_key(), contenders))
        urls = [process.url for process in processes]
        answers = asyncio.run(_contend(urls, people, keys))
        faults = _faults(made, keys, contenders)
    refused = sum(count for status, count in answers.items() if status >= 500)
    return Outcome(
        f"{contenders} contenders x {keys} keys, 2 processes",
        f"{len(faults)} keys without exactly one winner or with a gap, {refused} answers 5xx"
        + "".join(f"; {fault}" for fault in faults[:3]),
        kept=not faults and answers == {201: contenders * keys},
    )


ROW = Row("1", "one winner", "1 protected each, gapless distinct places, no 5xx", prove)


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
            body = {"role": "partner", "partner_id": f"p{number:03}"}
            answer = await client.post("/v1/keys", json=body)
            assert answer.status_code == httpx.codes.CREATED, answer.text
            made.append(answer.json()["key"])
        return made


async def _contend(urls: list[str], people: list[str], keys: int) -> Counter[int]:
    statuses: Counter[int] = Counter()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:

        async def file(url: str, secret: str, key: int, barrier: asyncio.Barrier) -> None:
            await barrier.wait()
            answer = await client.post(
                f"{url}/v1/registrations",
                headers={"Authorization": f"Bearer {secret}", "Idempotency-Key": f"k{key}"},
                json=_filing(key),
            )
            statuses[answer.status_code] += 1

        for first in range(0, keys, AT_ONCE):
            some = range(first, min(first + AT_ONCE, keys))
            barrier = asyncio.Barrier(len(some) * len(people))
            async with asyncio.TaskGroup() as group:
                for key in some:
                    for index, secret in enumerate(people):
                        url = urls[(index + key) % len(urls)]
                        group.create_task(file(url, secret, key, barrier))
    return statuses


def _filing(key: int) -> dict[str, Any]:
    return {
        "account": {"name": f"Customer {key}", "domain": f"customer-{key}.com", "country": "US"},
        "product_lines": ["platform"],
        "amount": {"amount": "25000", "currency": "USD"},
        "close_date": "2027-06-30",
    }


def _faults(made: Installation, keys: int, contenders: int) -> list[str]:
    table = made.tables("registration").claim
    rows = made.rows("registration", select(table))
    lines: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        lines[row.account_id].append(row)
    faults = [] if len(lines) == keys else [f"{len(lines)} accounts for {keys} keys"]
    for account, claims in lines.items():
        winners = sum(claim.state == "protected" for claim in claims)
        if winners != 1 or {c.place for c in claims} != set(range(1, contenders + 1)):
            faults.append(f"{account}: {winners} protected, {len(claims)} places")
    return faults
