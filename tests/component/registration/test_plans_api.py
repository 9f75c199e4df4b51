"""Plans over HTTP: checked, published once, read, compared; who may; what the events carry."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import func, select

from dealreg_registration import tables
from dealreg_registration.plan_yaml import MAX_BYTES
from dealreg_shared.contracts.plan import PlanPart, PlanPublished
from dealreg_shared.db.types import canonical_json
from tests.factories.migrated import postgres_url
from tests.factories.plans import person, small_plan
from tests.factories.programme_api import START, ProgrammeApi, programme_api


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ProgrammeApi]:
    async with programme_api(tmp_path) as api:
        yield api


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.devstack)])
async def any_api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ProgrammeApi]:
    """On each database; PostgreSQL has its own clock."""
    if request.param == "sqlite":
        async with programme_api(tmp_path) as api:
            yield api
        return
    server = request.getfixturevalue("postgres_server")
    async with (
        postgres_url(server, "registration") as url,
        programme_api(tmp_path, url) as api,
    ):
        yield api


async def rows(api: ProgrammeApi, name: str) -> int:
    query = select(func.count()).select_from(tables.metadata.tables[name])
    return int(await api.database.read(lambda conn: conn.execute(query).scalar_one()))


async def test_a_check_writes_nothing_and_names_everything(api: ProgrammeApi) -> None:
    answer = await api.call("POST", "/v1/plans/validate", content=yaml.safe_dump(small_plan()))
    assert answer.json() == {
        "publishable": True,
        "faults": [],
        "warnings": [],
        "items": {
            "regions": 2,
            "segments": 2,
            "product_lines": 2,
            "tiers": 2,
            "partners": 2,
            "territories": 2,
            "assignments": 2,
            "named_accounts": 1,
            "people": 5,
        },
    }
    bad = small_plan(tiers=[{"id": "gold", "name": "Gold", "rank": 0}])
    answer = await api.call("POST", "/v1/plans/validate", json=bad)
    assert answer.status_code == 200
    assert answer.json()["publishable"] is False
    assert answer.json()["faults"] == [
        {
            "path": "/tiers/0/rank",
            "code": "out_of_range",
            "sentence": "`rank` must be greater than or equal to 1, not 0.",
            "allowed": "1 or more",
        },
        {
            "path": "/partners/1/tier",
            "code": "unknown_tier",
            "sentence": "No tier has the id `base`.",
            "allowed": "gold",
        },
    ]
    assert await rows(api, "plan") == await rows(api, "person") == 0


async def test_a_published_plan_comes_back_as_it_is(any_api: ProgrammeApi) -> None:
    answer = await any_api.call("POST", "/v1/plans", content=yaml.safe_dump(small_plan()))
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == "/v1/plans/1"
    view = answer.json()
    assert (view["number"], view["in_force"], view["warnings"]) == (1, True, [])
    assert view["in_force_from"] == view["published_at"]
    read = await any_api.get("/v1/plans/1")
    assert read["content_hash"] == view["content_hash"]
    assert read["document"]["regions"] == small_plan()["regions"]
    text = canonical_json(read["document"])
    assert hashlib.sha256(text.encode()).hexdigest() == view["content_hash"]
    assert "people.example" not in text
    assert any_api.commits == 1
    as_yaml = await any_api.call("GET", "/v1/plans/1?format=yaml")
    assert yaml.safe_load(as_yaml.text) == read["document"]
    # What was read can be published again: people on record keep their names.
    again = await any_api.call("POST", "/v1/plans", content=as_yaml.content)
    assert again.json()["content_hash"] == view["content_hash"]
    people = await any_api.get("/v1/people")
    assert people["items"][0] == {
        "id": "ann",
        "name": "Ann",
        "email": "ann@people.example",
        "roles": ["partner_contact"],
        "manages": [],
        "partner_id": "ada",
        "erased_at": None,
    }


async def test_a_plan_with_faults_changes_nothing(api: ProgrammeApi) -> None:
    plan = small_plan(people=[person("vic", "vp")])
    plan["partners"][0]["tier"] = "goold"
    answer = await api.call("POST", "/v1/plans", json=plan)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "/problems/plan-has-faults"
    assert {
        "field": "/partners/0/tier",
        "rule": "No tier has the id `goold`. Did you mean `gold`?",
        "code": "unknown_tier",
        "allowed": "base, gold",
    } in problem["errors"]
    assert [error["code"] for error in problem["errors"]].count("ladder_incomplete") == 2
    for name in ("plan", "person", "outbox"):
        assert await rows(api, name) == (1 if name == "outbox" else 0)  # the admin key's event


async def test_events_carry_the_whole_plan_and_no_person(any_api: ProgrammeApi) -> None:
    plan = small_plan()
    plan["territories"] += [
        {"id": f"x{i}", "name": "X" * 190, "match": {"countries": ["DE"], "tags": [f"t{i}"]}}
        for i in range(2000)
    ]
    view = await any_api.publish(plan)
    events = [event for event in await any_api.events() if event is not None]
    planned = [event for event in events if event.partitionkey == "test"]
    assert [event.keyversion for event in planned] == list(range(1, len(planned) + 1))
    *parts, last = planned
    assert isinstance(last.data, PlanPublished)
    assert last.data.parts == len(parts) > len(small_plan())
    document: dict[str, Any] = {"schema": "dealreg.plan/1"}
    for number, event in enumerate(parts, start=1):
        assert isinstance(event.data, PlanPart)
        assert (event.data.part, event.data.plan_number) == (number, 1)
        assert len(event.model_dump_json().encode()) <= 256 * 1024
        document.setdefault(event.data.section, []).extend(event.data.items)
    for single in ("programme", "policy"):
        [document[single]] = document[single]
    text = canonical_json(document)
    assert hashlib.sha256(text.encode()).hexdigest() == last.data.content_hash
    assert last.data.content_hash == view["content_hash"]
    people = {e.subject: e.data for e in events if e.type == "dealreg.person.updated.v1"}
    assert sorted(people) == ["ann", "cleo", "dora", "mia", "vic"]
    assert (people["ann"].name, people["ann"].partner_id) == ("Ann", "ada")
    for event in planned:
        assert "people.example" not in event.model_dump_json()
    audited = await any_api.audit()
    assert [(row.action, row.subject) for row in audited] == [
        ("key.created", audited[0].subject),
        ("plan.published", "plan:1"),
    ]
    assert "people.example" not in json.dumps([row.detail for row in audited])


async def test_people_change_with_the_plan_and_only_changes_are_told(api: ProgrammeApi) -> None:
    await api.publish(small_plan())
    before = len(await api.events())
    plan = small_plan()
    plan["people"][1]["email"] = "new@people.example"
    del plan["people"][4]
    await api.publish(plan)
    told = [e for e in (await api.events())[before:] if e and e.type == "dealreg.person.updated.v1"]
    assert [(e.subject, e.data.email, e.data.roles) for e in told if e] == [
        ("ann", "ann@people.example", ()),
        ("vic", "new@people.example", ("vp",)),
    ]


async def test_a_changed_person_keeps_its_delegates(api: ProgrammeApi) -> None:
    await api.publish(small_plan())
    body = {"delegate_id": "mia", "until": "2100-01-01T00:00:00Z"}
    made = await api.call("POST", "/v1/people/vic/delegations", json=body)
    assert made.status_code == 201, made.text
    before = len(await api.events())
    plan = small_plan()
    plan["people"][1]["email"] = "new@people.example"
    await api.publish(plan)
    [told] = [
        e.data for e in (await api.events())[before:] if e and e.type == "dealreg.person.updated.v1"
    ]
    assert [entry.delegate_id for entry in told.delegations] == ["mia"]


async def test_a_plan_is_in_force_from_its_instant_and_none_before_it(api: ProgrammeApi) -> None:
    assert (await api.call("GET", "/v1/plans/in-force")).status_code == 404
    first = await api.publish(small_plan())
    assert first["in_force_from"] == "2027-01-04T09:00:00.000000Z"
    second = await api.publish(
        small_plan(policy={"protection_days": 30}), in_force_from="2027-02-01T01:00:00+01:00"
    )
    assert second["in_force_from"] == "2027-02-01T00:00:00.000000Z"
    assert second["in_force"] is False

    async def at(instant: str) -> int:
        view = await api.get(f"/v1/plans/in-force?at={instant}")
        return int(view["number"])

    assert (await api.get("/v1/plans/in-force"))["number"] == 1
    assert await at("2027-01-31T23:59:59.999999Z") == 1
    assert await at("2027-02-01T00:00:00Z") == 2
    assert (await api.call("GET", "/v1/plans/in-force?at=2027-01-04T08:59:59Z")).status_code == 404
    assert (await api.call("GET", "/v1/plans/in-force?at=2027-02-01T00:00:00")).status_code == 422
    api.now = START + timedelta(days=40)
    assert (await api.get("/v1/plans/in-force"))["number"] == 2
    listed = await api.get("/v1/plans?limit=1")
    assert [(item["number"], item["in_force"]) for item in listed["items"]] == [(2, True)]
    rest = await api.get(f"/v1/plans?limit=1&after={listed['next']}")
    assert [(item["number"], item["in_force"]) for item in rest["items"]] == [(1, False)]
    assert rest["next"] is None


async def test_no_plan_is_in_force_before_its_publication(api: ProgrammeApi) -> None:
    answer = await api.call(
        "POST",
        "/v1/plans",
        json=small_plan(),
        params={"in_force_from": "2027-01-04T08:59:59.999999Z"},
    )
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/in-force-too-early"
    assert await rows(api, "plan") == 0
    await api.publish(small_plan(), in_force_from="2027-01-04T09:00:00Z")


async def test_publishing_again_with_one_idempotency_key_publishes_once(
    any_api: ProgrammeApi,
) -> None:
    async def publish(plan: dict[str, Any]) -> Any:
        return await any_api.call(
            "POST", "/v1/plans", json=plan, headers={"idempotency-key": "first"}
        )

    answers = await asyncio.gather(*(publish(small_plan()) for _ in range(3)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await rows(any_api, "plan") == 1
    other = await publish(small_plan(exchange_rates=[]))
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-key-reused"


async def test_plans_published_at_once_are_numbered_without_gaps(any_api: ProgrammeApi) -> None:
    views = await asyncio.gather(*(any_api.publish(small_plan()) for _ in range(5)))
    assert sorted(view["number"] for view in views) == [1, 2, 3, 4, 5]
    numbers = [
        event.data.plan_number
        for event in await any_api.events()
        if event is not None and isinstance(event.data, PlanPart | PlanPublished)
    ]
    assert numbers == sorted(numbers)


async def test_two_plans_are_compared(api: ProgrammeApi) -> None:
    await api.publish(small_plan())
    await api.publish(small_plan(policy={"protection_days": 90}, exchange_rates=[]))
    diff = await api.get("/v1/plans/1/diff/2")
    assert diff == {
        "from": 1,
        "to": 2,
        "total": 2,
        "complete": True,
        "counts": {
            "policy": {"added": 0, "removed": 0, "changed": 1},
            "exchange_rates": {"added": 0, "removed": 1, "changed": 0},
        },
        "changes": [
            {
                "section": "policy",
                "id": "policy",
                "change": "changed",
                "sentence": "The policy: protection_days went from 60 to 90.",
                "fields": [{"field": "protection_days", "before": 60, "after": 90}],
            },
            {
                "section": "exchange_rates",
                "id": "EUR",
                "change": "removed",
                "sentence": "Exchange rate of EUR was removed.",
                "fields": [],
            },
        ],
    }
    assert (await api.get("/v1/plans/2/diff/2"))["total"] == 0
    assert (await api.call("GET", "/v1/plans/1/diff/3")).status_code == 404


async def test_a_large_plan_is_taken_and_a_too_large_one_refused(api: ProgrammeApi) -> None:
    plan = small_plan()
    plan["territories"] += [
        {"id": f"x{i}", "name": f"Territory number {i}", "match": {"cities": [f"DE:Ort {i}"]}}
        for i in range(3000)
    ]
    assert len(json.dumps(plan)) > 256 * 1024
    assert (await api.publish(plan))["number"] == 1
    answer = await api.call("POST", "/v1/plans/validate", content=b" " * (MAX_BYTES + 1))
    assert answer.status_code == 413
    elsewhere = await api.call("POST", "/v1/keys", content=b" " * (256 * 1024 + 1))
    assert elsewhere.status_code == 413


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b"{", b"a: *b", b'{"schema": 1}', b"- " * 99]
)
async def test_bad_bodies_are_answered(api: ProgrammeApi, body: bytes) -> None:
    answer = await api.call("POST", "/v1/plans", content=body)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/plan-has-faults")
    assert await rows(api, "plan") == 0


@pytest.mark.parametrize("path", ["/v1/plans/0", "/v1/plans/x", "/v1/plans/99999999999999999999"])
async def test_odd_numbers_are_answered(api: ProgrammeApi, path: str) -> None:
    assert (await api.call("GET", path)).status_code == 422
    assert (await api.call("GET", "/v1/plans/7")).status_code == 404


async def test_who_may_do_what(api: ProgrammeApi) -> None:
    await api.publish(small_plan())
    await api.key("partner", "partner", partner_id="ada")
    await api.key("auditor", "auditor")
    await api.key("manager", "partner_manager", person_id="mia")
    for who, method, path, status in (
        ("auditor", "POST", "/v1/plans", 403),
        ("manager", "POST", "/v1/plans", 403),
        ("manager", "POST", "/v1/plans/validate", 200),
        ("auditor", "GET", "/v1/plans/1", 200),
        ("partner", "GET", "/v1/plans", 403),
        ("partner", "GET", "/v1/plans/1", 403),
        ("partner", "POST", "/v1/plans/validate", 403),
        ("partner", "GET", "/v1/people", 403),
        ("partner", "GET", "/v1/plan-schema", 200),
        ("manager", "GET", "/v1/people", 200),
        ("manager", "GET", "/v1/keys", 403),
        ("auditor", "GET", "/v1/keys", 200),
        ("auditor", "POST", "/v1/keys", 403),
        ("manager", "DELETE", "/v1/people/mia", 403),
    ):
        answer = await api.call(method, path, who)
        assert (who, path, answer.status_code) == (who, path, status)
    anonymous = await api.http.post("/v1/plans", json=small_plan())
    assert anonymous.status_code == 401
