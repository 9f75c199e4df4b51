"""Notifier over HTTP: who sees which notice, escalations for staff, deliveries for admins."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dealreg_notifier.api.errors import STATUS
from dealreg_notifier.domain import errors
from tests.factories import notifier as make
from tests.factories import notifier_world as stage
from tests.factories.notifier import DAY, FOUR_HOURS, MANAGER, VP
from tests.factories.notifier_world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with stage.world(tmp_path) as made:
        await made.others.people()
        await made.others.plan()
        await made.others.say("registration.filed", make.filed("reg_a", "acme"))
        await made.others.say("registration.filed", make.filed("reg_b", "rival"))
        await made.others.say("conflict.opened", make.opened())
        await made.settle()
        yield made


async def key(world: World, role: Any, **of: str) -> dict[str, str]:
    headers = await world.others.key(role, **of)
    await world.settle()
    return headers


async def test_a_partner_sees_its_own_notices_only(world: World) -> None:
    acme = await key(world, "partner", partner_id="acme")
    rival = await key(world, "partner", partner_id="rival")
    mine = await world.inbox(acme)
    assert {notice["recipient"] for notice in mine} == {"partner:acme"}
    assert [notice["kind"] for notice in mine] == ["plan_changes", "decision", "case_open"]
    own = await world.http.get(f"/v1/notifications/{mine[0]['id']}", headers=acme)
    assert own.json() == mine[0]
    others = await world.http.get(f"/v1/notifications/{mine[0]['id']}", headers=rival)
    absent = await world.http.get("/v1/notifications/ntf_0", headers=rival)
    assert others.status_code == absent.status_code == 404
    unlike = {"correlation_id"}
    assert {k: v for k, v in others.json().items() if k not in unlike} == {
        k: v for k, v in absent.json().items() if k not in unlike
    }


async def test_only_an_admin_may_ask_for_anothers_inbox(world: World) -> None:
    acme = await key(world, "partner", partner_id="acme")
    manager = await key(world, "partner_manager", person_id=MANAGER)
    admin = await key(world, "admin")
    for headers in (acme, manager):
        answer = await world.http.get(
            "/v1/notifications", headers=headers, params={"recipient": VP}
        )
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-your-inbox")
    assert [n["recipient"] for n in await world.inbox(admin, recipient=MANAGER)] == [MANAGER]
    assert len(await world.inbox(admin, recipient="partner:acme")) == 3
    assert await world.inbox(admin) == []
    own = await world.inbox(manager, recipient=MANAGER)
    assert [notice["kind"] for notice in own] == ["ladder"]


async def test_a_notice_is_marked_as_read_once_and_by_its_reader_alone(world: World) -> None:
    manager = await key(world, "partner_manager", person_id=MANAGER)
    admin = await key(world, "admin")
    (notice,) = await world.inbox(manager, unread=True)
    place = f"/v1/notifications/{notice['id']}"
    assert (await world.http.post(f"{place}/read", headers=admin)).status_code == 404
    assert (await world.http.get(place, headers=admin)).json()["read_at"] is None
    first = await world.http.post(f"{place}/read", headers=manager)
    assert first.json()["read_at"] == "2026-03-02T09:00:00.000000Z"
    await world.at(timedelta(hours=1))
    again = await world.http.post(f"{place}/read", headers=manager)
    assert again.json()["read_at"] == first.json()["read_at"]
    assert await world.inbox(manager, unread=True) == []


async def test_the_inbox_is_paged_by_cursor(world: World) -> None:
    acme = await key(world, "partner", partner_id="acme")
    seen: list[str] = []
    after: str | None = None
    while True:
        params: dict[str, str | int] = {"limit": 1, **({"after": after} if after else {})}
        answer = (await world.http.get("/v1/notifications", headers=acme, params=params)).json()
        seen += [notice["id"] for notice in answer["items"]]
        after = answer["next"]
        if after is None:
            break
    assert seen == [notice["id"] for notice in (await world.inbox(acme))[::-1]]
    assert len(seen) == 3
    bad = await world.http.get("/v1/notifications", headers=acme, params={"after": "x"})
    assert bad.status_code == 422


async def test_an_escalation_shows_level_person_due_time_and_time_left(world: World) -> None:
    manager = await key(world, "partner_manager", person_id=MANAGER)
    world.clock.to(timedelta(hours=1))
    (case,) = (
        await world.http.get("/v1/escalations", headers=manager, params={"open": True})
    ).json()["items"]
    assert case["conflict_id"] == "cnf_1"
    assert (case["level"], case["role"], case["person_id"]) == (1, "partner_manager", MANAGER)
    assert case["due_at"] == "2026-03-02T13:00:00.000000Z"
    assert case["seconds_left"] == 3 * 3600
    assert case["breached_levels"] == []
    world.clock.to(FOUR_HOURS)  # no tick yet: the level is what the stamps say
    one = (await world.http.get("/v1/escalations/cnf_1", headers=manager)).json()
    assert (one["level"], one["person_id"], one["breached_levels"]) == (2, VP, [1])
    world.clock.to(2 * DAY)
    one = (await world.http.get("/v1/escalations/cnf_1", headers=manager)).json()
    assert (one["level"], one["due_at"], one["seconds_left"]) == (3, None, None)


async def test_closed_cases_are_listed_apart(world: World) -> None:
    vp = await key(world, "vp", person_id=VP)
    await world.others.say("conflict.closed", make.closed())
    await world.settle()
    listed = {
        flag: (await world.http.get("/v1/escalations", headers=vp, params={"open": flag})).json()[
            "items"
        ]
        for flag in ("true", "false")
    }
    assert listed["true"] == []
    assert [case["closed_state"] for case in listed["false"]] == ["withdrawn"]
    both = (await world.http.get("/v1/escalations", headers=vp)).json()["items"]
    assert both == listed["false"]
    absent = await world.http.get("/v1/escalations/cnf_9", headers=vp)
    assert (absent.status_code, absent.json()["type"]) == (404, "/problems/no-such-escalation")


@pytest.mark.parametrize(
    ("method", "path", "role", "status"),
    [
        ("GET", "/v1/escalations", "partner", 403),
        ("GET", "/v1/escalations/cnf_1", "partner", 403),
        ("GET", "/v1/deliveries", "partner", 403),
        ("GET", "/v1/deliveries", "partner_manager", 403),
        ("GET", "/v1/deliveries", "auditor", 403),
        ("POST", "/v1/deliveries/dlv_1/replay", "vp", 403),
        ("POST", "/v1/deliveries/dlv_1/replay", "admin", 404),
        ("GET", "/v1/deliveries/dlv_1", "admin", 404),
        ("GET", "/v1/escalations", "auditor", 200),
    ],
)
async def test_roles(world: World, method: str, path: str, role: Any, status: int) -> None:
    headers = await key(world, role, partner_id="acme")
    answer = await world.http.request(method, path, headers=headers)
    assert answer.status_code == status
    anonymous = await world.http.request(method, path)
    assert anonymous.status_code == 401
    assert anonymous.headers["content-type"] == "application/problem+json"


async def test_a_revoked_key_opens_nothing(world: World) -> None:
    headers = await key(world, "admin")
    assert (await world.http.get("/v1/deliveries", headers=headers)).status_code == 200
    await world.others.forget_keys()
    await world.settle()
    assert (await world.http.get("/v1/deliveries", headers=headers)).status_code == 401


async def test_it_says_whether_it_is_ready(world: World) -> None:
    ready = await world.http.get("/readyz")
    assert ready.json() == {
        "status": "ready",
        "checks": {"database": "ok", "bus": "ok"},
        "notes": {"auditor": "none"},
    }
    assert (await world.http.get("/v1/nothing")).status_code == 404
    metrics = (await world.http.get("/metrics")).text
    assert "dealreg_notifier_notices_total" in metrics


async def test_its_openapi_document_names_every_path(world: World) -> None:
    document = (await world.http.get("/openapi.json")).json()
    assert sorted(path for path in document["paths"] if path.startswith("/v1/")) == [
        "/v1/bounces",
        "/v1/bounces/{person_id}",
        "/v1/deliveries",
        "/v1/deliveries/{delivery_id}",
        "/v1/deliveries/{delivery_id}/replay",
        "/v1/escalations",
        "/v1/escalations/{conflict_id}",
        "/v1/notifications",
        "/v1/notifications/stream",
        "/v1/notifications/{notification_id}",
        "/v1/notifications/{notification_id}/read",
        "/v1/preferences",
        "/v1/preferences/choices",
        "/v1/webhooks",
        "/v1/webhooks/{endpoint_id}",
        "/v1/webhooks/{endpoint_id}/deliveries",
        "/v1/webhooks/{endpoint_id}/replay",
        "/v1/webhooks/{endpoint_id}/rotate",
        "/v1/webhooks/{endpoint_id}/test",
    ]


def test_every_domain_error_is_mapped() -> None:
    codes = {error.code for error in errors.NotifierError.__subclasses__()}
    assert codes == set(STATUS)
