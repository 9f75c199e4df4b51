"""Who is let in: one answer for every bad key, roles, limits, and how fast a revocation works."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import httpx
import pytest
from fastapi import Depends
from sqlalchemy import MetaData
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from dealreg_shared.auth import (
    STAFF_ROLES,
    Authenticator,
    Principal,
    access_table,
    apply_access,
    forget_access,
    keys,
    put_access,
)
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.contracts.people import AccessKeyUpdated, Role
from dealreg_shared.db import Database
from dealreg_shared.web.app import new_app

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


@dataclass
class House:
    """A service with one route per way of asking who calls."""

    database: Database
    authenticator: Authenticator
    http: httpx.AsyncClient
    now: datetime = NOW
    paths: tuple[str, ...] = field(default=("/plain", "/anyone"))

    async def key(self, role: Role = "partner", **changes: Any) -> str:
        """Store a key and return its secret."""
        key_id, secret, key_hash = keys.new_key()
        values: dict[str, Any] = {
            "key_id": key_id,
            "key_hash": key_hash,
            "role": role,
            "partner_id": "prt_1" if role == "partner" else None,
            "person_id": None,
            "expires_at": NOW + timedelta(days=1),
            "requests_per_minute": 600,
        }
        access = AccessKeyUpdated(**(values | changes))
        await self.database.write(lambda conn: put_access(conn, access))
        return secret

    async def get(self, path: str, secret: str | None) -> httpx.Response:
        headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
        return await self.http.get(path, headers=headers)

    async def remove(self, secret: str) -> None:
        key_id = keys.key_id_of(secret)
        assert key_id is not None
        await self.database.write(lambda conn: forget_access(conn, key_id))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    database = Database(f"sqlite:///{tmp_path}/access.db")
    metadata = MetaData()
    table = access_table(metadata)
    await database.write(metadata.create_all)
    authenticator = Authenticator(database, table, lambda: made.now, cache_seconds=60)

    async def plain(request: Request) -> Response:
        return PlainTextResponse((await authenticator.authenticate(request.headers)).key_id)

    app = new_app("Shop", "1", service="auth-shop", routes=[Route("/plain", plain)])

    @app.get("/anyone")
    async def anyone(caller: Annotated[Principal, Depends(authenticator.require())]) -> str:
        return f"{caller.role} {caller.partner_id} {caller.is_staff}"

    @app.get("/staff")
    async def staff(
        caller: Annotated[Principal, Depends(authenticator.require("vp", "ceo"))],
    ) -> str:
        return caller.role

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://shop"
    ) as http:
        made = House(database, authenticator, http)
        yield made
    await database.dispose()


async def test_a_current_key_tells_who_calls(house: House) -> None:
    partner, ceo = await house.key(), await house.key("ceo")

    assert (await house.get("/anyone", partner)).json() == "partner prt_1 False"
    assert (await house.get("/anyone", ceo)).json() == "ceo None True"
    assert (await house.get("/plain", partner)).text == keys.key_id_of(partner)


async def test_every_bad_key_gets_the_same_answer(house: House) -> None:
    good = await house.key()
    known_id = good.split("_")[1]
    stranger = keys.new_key().secret
    bad: dict[str, str | None] = {
        "absent": None,
        "unknown": stranger,
        "mistyped": good[:-1] + ("0" if good[-1] != "0" else "1"),
        "wrong secret for a known id": _with_id(stranger, known_id),
        "expired": await house.key(expires_at=NOW),
        "revoked": await house.key(revoked_at=NOW - timedelta(days=1)),
        "no key at all": "hello",
    }

    for path in house.paths:
        answers = {}
        for name, secret in bad.items():
            response = await house.get(path, secret)
            assert response.status_code == 401, name
            assert response.headers["www-authenticate"].startswith("Bearer")
            body = response.json()
            del body["correlation_id"]
            answers[name] = (body, {**response.headers, "x-correlation-id": ""})
        first = answers["absent"]
        assert all(answer == first for answer in answers.values())


def _with_id(secret: str, key_id: str) -> str:
    """A well-formed key with this id and another secret: the checksum is right."""
    body = f"drk_{key_id}_{secret.split('_')[2][: keys.SECRET_DIGITS]}"
    made = body + keys._checksum(body)
    assert keys.key_id_of(made) == f"key_{key_id}"
    return made


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer \xff", "drk_x", "Bearer a b"]
)
async def test_any_other_header_is_a_401(header: str, house: House) -> None:
    raw = [(b"authorization", header.encode("latin-1"))]
    response = await house.http.get("/plain", headers=raw)

    assert response.status_code == 401


async def test_the_scheme_is_not_case_sensitive(house: House) -> None:
    secret = await house.key()

    response = await house.http.get("/plain", headers={"authorization": f"bearer  {secret}"})

    assert response.status_code == 200


async def test_another_role_is_a_403_that_names_the_roles(house: House) -> None:
    response = await house.get("/staff", await house.key("partner_manager"))

    assert response.status_code == 403
    assert response.json()["type"] == "/problems/role-not-allowed"
    assert "vp or ceo" in response.json()["detail"]
    assert (await house.get("/staff", await house.key("ceo"))).status_code == 200


async def test_a_key_ends_at_its_instant_also_while_it_is_cached(house: House) -> None:
    secret = await house.key(expires_at=NOW + timedelta(seconds=10))
    assert (await house.get("/plain", secret)).status_code == 200

    house.now = NOW + timedelta(seconds=9, microseconds=999_999)
    assert (await house.get("/plain", secret)).status_code == 200
    house.now = NOW + timedelta(seconds=10)
    assert (await house.get("/plain", secret)).status_code == 401


async def test_a_removed_key_works_until_it_is_read_anew(house: House) -> None:
    secret, other = await house.key(), await house.key()
    for each in (secret, other):
        assert (await house.get("/plain", each)).status_code == 200

    await house.remove(secret)
    assert (await house.get("/plain", secret)).status_code == 200
    house.authenticator.forget(keys.key_id_of(other))
    assert (await house.get("/plain", secret)).status_code == 200
    house.authenticator.forget(keys.key_id_of(secret))
    assert (await house.get("/plain", secret)).status_code == 401
    assert (await house.get("/plain", other)).status_code == 200


async def test_too_many_requests_are_refused_with_the_time_to_wait(house: House) -> None:
    secret, other = await house.key(requests_per_minute=3), await house.key()
    answers = [await house.get("/anyone", secret) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    refused = answers[-1]
    assert refused.json()["type"] == "/problems/too-many-requests"
    # All three calls came now: one is free when a third of the next minute is over.
    assert 1 <= int(refused.headers["retry-after"]) <= 80
    assert refused.headers["ratelimit-policy"] == '"key";q=3;w=60'
    assert refused.headers["ratelimit"].startswith('"key";r=0;t=')
    assert (await house.get("/anyone", other)).status_code == 200


async def test_a_key_counts_on_every_route_also_where_its_role_is_wrong(house: House) -> None:
    secret = await house.key(requests_per_minute=2)

    answers = [
        (await house.get(path, secret)).status_code for path in ("/plain", "/staff", "/anyone")
    ]

    assert answers == [200, 403, 429]


async def test_a_published_key_works_here_and_its_tombstone_ends_it(house: House) -> None:
    key_id, secret, key_hash = keys.new_key()

    def published(**changes: Any) -> Callable[..., None]:
        data = AccessKeyUpdated(
            **{
                "key_id": key_id,
                "key_hash": key_hash,
                "role": "vp",
                "partner_id": None,
                "person_id": "per_1",
                "expires_at": NOW + timedelta(days=1),
                "requests_per_minute": 10,
                **changes,
            }
        )
        event = Event[AccessKeyUpdated](
            id=uuid4(),
            source="/dealreg/registration",
            type="dealreg.access.key-updated.v1",
            subject=key_id,
            time=NOW,
            programme="p",
            partitionkey=key_id,
            keyversion=1,
            correlationid="c",
            data=data,
        )
        return lambda conn: apply_access(conn, event)

    await house.database.write(published())
    assert (await house.get("/staff", secret)).json() == "vp"
    await house.database.write(published(revoked_at=NOW))
    house.authenticator.forget()
    assert (await house.get("/staff", secret)).status_code == 401
    await house.database.write(published())
    await house.database.write(lambda conn: forget_access(conn, key_id))
    await house.database.write(lambda conn: forget_access(conn, key_id))
    assert (await house.get("/staff", secret)).status_code == 401


async def test_the_description_names_the_key(house: House) -> None:
    document = (await house.http.get("/openapi.json")).json()

    assert document["paths"]["/staff"]["get"]["security"] == [{"HTTPBearer": []}]
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"


def test_everybody_but_partners_is_staff() -> None:
    assert (
        frozenset({"partner_manager", "vp", "ceo", "reviewer", "admin", "auditor"}) == STAFF_ROLES
    )
