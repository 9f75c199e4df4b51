"""Every route that writes takes an ``Idempotency-Key`` or says why not; retries get the first answer."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import delete

from dealreg_coverage.app import build as coverage
from dealreg_coverage.settings import CoverageSettings
from dealreg_notifier.app import build as notifier
from dealreg_notifier.settings import NotifierSettings
from dealreg_registration import tables
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.db.engine import utc_now
from dealreg_shared.runtime import Service
from dealreg_shared.web.idempotency import REASON, WRITING
from tests.factories.least_bodies import body_of
from tests.factories.registration_service import RegistrationApi

CALLERS = ("admin", "vp", "acme")
"""Between them they may call every route."""

BODIES: dict[str, Any] = {
    "/v1/registrations/{registration_id}": {"product_lines": ["platform"]},
    "/v1/accounts/{account_id}": {"facts": {"employees": 1}},
    "/v1/conflicts/{conflict_id}/decide": {"ruling": "uphold_first", "reason": "first"},
}


def writing(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in WRITING
    ]


def document_of(service: Service) -> dict[str, Any]:
    assert isinstance(service.app, FastAPI)
    return service.app.openapi()


def takes_a_key(operation: dict[str, Any]) -> bool:
    return any(p["name"] == "Idempotency-Key" for p in operation.get("parameters", ()))


async def test_every_route_that_writes_reads_the_key_or_says_why_not(api: RegistrationApi) -> None:
    """One that takes keys refuses a bad one before it looks at anything."""
    document = document_of(api.service)
    heedless = []
    for method, path, operation in writing(document):
        if REASON in operation:
            assert not takes_a_key(operation)
            assert f"No `Idempotency-Key`: {operation[REASON]}" in operation["description"]
            continue
        assert takes_a_key(operation)
        said = []
        for who in CALLERS:
            body = {"json": BODIES[path]} if path in BODIES else body_of(operation, document)
            answer = await api.client.request(
                method,
                re.sub(r"{\w+}", "x", path),
                headers=api.headers(who, idempotency_key="two words", if_match="*"),
                **body,
            )
            said.append(answer.json()["type"])
        if "/problems/bad-idempotency-key" not in said:
            heedless.append((method, path, said))
    assert heedless == []


async def test_what_the_other_services_write_needs_no_key_and_says_why(tmp_path: Any) -> None:
    """They keep no answers: a key that they took would be a promise that they do not hold."""
    bus = EmbeddedBus(tmp_path / "bus.db")
    for service in (
        coverage(CoverageSettings(data_dir=tmp_path), bus=bus, now=utc_now),
        notifier(NotifierSettings(data_dir=tmp_path), bus=bus, now=utc_now),
    ):
        document = document_of(service)
        found = writing(document)
        assert found
        assert [(m, path) for m, path, operation in found if REASON not in operation] == []
        await service.database.dispose()
    await bus.close()


async def same(
    api: RegistrationApi, who: str, method: str, path: str, body: Any, **headers: str
) -> httpx.Response:
    """Done once by three at once and one later, all alike; another body under the key is refused."""

    async def call(json: Any) -> httpx.Response:
        given = api.headers(who, idempotency_key="once", **headers)
        return await api.client.request(method, path, headers=given, json=json)

    answers = list(await asyncio.gather(*(call(body) for _ in range(3))))
    answers.append(await call(body))
    [(status, content, _)] = {(a.status_code, a.content, a.headers.get("etag")) for a in answers}
    assert status < 300, content
    other = await call({"reason": "other"} if body is None else body | {"reason": "other"})
    assert other.status_code == 422
    return answers[0]


async def test_a_partner_is_suspended_and_active_again_once(any_api: RegistrationApi) -> None:
    api, path = any_api, "/v1/partners/acme"
    first = await same(api, "admin", "POST", f"{path}/suspend", {"reason": "Over"}, if_match='"v0"')
    assert (first.json()["status"], first.headers["etag"]) == ("suspended", '"v1"')
    await api.database.write(forget_answers)
    second = await same(api, "admin", "POST", f"{path}/reactivate", None, if_match='"v1"')
    assert (second.json()["status"], second.headers["etag"]) == ("active", '"v2"')
    assert await api.count("partner_status") == 2


async def test_a_delegation_is_made_once(any_api: RegistrationApi) -> None:
    api = any_api
    body = {"delegate_id": "deputy", "until": "2090-01-01T00:00:00Z"}
    made = await same(api, "manager", "POST", "/v1/people/manager/delegations", body)
    assert made.status_code == 201
    assert await api.count("delegation") == 1


async def test_an_account_is_corrected_once(any_api: RegistrationApi) -> None:
    api = any_api
    await api.filed("acme")
    [account] = (await api.get("vp", "/v1/accounts")).json()["items"]
    path = f"/v1/accounts/{account['id']}"
    edited = await same(api, "vp", "PATCH", path, {"facts": {"employees": 9}}, if_match='"v1"')
    assert edited.headers["etag"] == '"v2"'
    assert edited.json() == (await api.get("vp", path)).json()


async def test_a_command_that_was_refused_keeps_no_answer(api: RegistrationApi) -> None:
    path = "/v1/partners/acme/reactivate"
    for _ in range(2):
        headers = api.headers("admin", idempotency_key="once", if_match='"v0"')
        refused = await api.client.post(path, headers=headers)
        assert refused.json()["type"] == "/problems/already-active"
    assert await api.count("idempotency") == 0


@pytest.mark.parametrize("who", ["admin", "vp"])
async def test_a_key_is_the_callers_own(api: RegistrationApi, who: str) -> None:
    headers = {"idempotency_key": "once"}
    body = {"delegate_id": "deputy", "until": "2090-01-01T00:00:00Z"}
    for caller in (who, "manager"):
        answer = await api.client.post(
            "/v1/people/manager/delegations", headers=api.headers(caller, **headers), json=body
        )
        assert answer.status_code == (403 if caller == "vp" else 201)
    assert await api.count("delegation") == (2 if who == "admin" else 1)


def forget_answers(conn: Any) -> None:
    conn.execute(delete(tables.idempotency))


async def test_after_a_month_the_key_is_new_again(api: RegistrationApi) -> None:
    """The service's own tick forgets, on the service's own clock."""
    [tick] = [tick for tick in api.service.ticks if tick.name == "registration-answers"]
    first = await api.filed("acme", key="once")
    await api.travel(days=30)
    await tick.go()
    assert await api.filed("acme", key="once") == first
    await api.travel(seconds=1)
    await tick.go()
    assert await api.count("idempotency") == 0
    assert (await api.filed("acme", key="once"))["id"] != first["id"]
