"""Partners, territories, people and keys over HTTP: what is shown to whom, and what changes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select

from dealreg_registration import tables
from dealreg_registration.domain.plan import PlanBook
from dealreg_registration.handlers.manage_keys import admin_keys, ensure_admin_key
from dealreg_registration.programme import Programme
from dealreg_shared.auth import keys
from dealreg_shared.db.engine import utc_now
from dealreg_shared.outbox import Outbox
from tests.factories.migrated import postgres_url
from tests.factories.plans import person, small_plan
from tests.factories.programme_api import ProgrammeApi, programme_api


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ProgrammeApi]:
    """With a plan in force and a key for each partner."""
    async with programme_api(tmp_path) as api:
        await prepare(api)
        yield api


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.devstack)])
async def any_api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ProgrammeApi]:
    """The same on each database; PostgreSQL has its own clock."""
    if request.param == "sqlite":
        async with programme_api(tmp_path) as api:
            await prepare(api)
            yield api
        return
    server = request.getfixturevalue("postgres_server")
    async with (
        postgres_url(server, "registration") as url,
        programme_api(tmp_path, url) as api,
    ):
        await prepare(api)
        yield api


async def prepare(api: ProgrammeApi) -> None:
    plan = small_plan()
    plan["territories"] += [
        {"id": "t-shared", "name": "Both", "match": {"countries": ["DE"], "segments": ["ent"]}},
        {"id": "t-nobody", "name": "None", "match": {"cities": ["FR:Lyon"]}, "overlay": True},
    ]
    plan["assignments"] += [
        {"id": "a-1", "territory": "t-shared", "partner": "ada"},
        {"id": "a-2", "territory": "t-shared", "partner": "bob", "role": "secondary"},
    ]
    await api.publish(plan)
    for partner in ("ada", "bob"):
        await api.key(partner, "partner", partner_id=partner)


def ids(answer: Any) -> list[str]:
    return [item["id"] for item in answer["items"]]


async def suspend(api: ProgrammeApi, partner: str, tag: str = '"v0"', who: str = "admin") -> Any:
    return await api.call(
        "POST",
        f"/v1/partners/{partner}/suspend",
        who,
        json={"reason": "Contract ended"},
        headers={"if-match": tag},
    )


async def test_staff_see_all_partners_and_a_partner_itself(api: ProgrammeApi) -> None:
    assert ids(await api.get("/v1/partners")) == ["ada", "bob"]
    assert ids(await api.get("/v1/partners?tier=base")) == ["bob"]
    first = await api.get("/v1/partners?limit=1")
    assert ids(first) == ["ada"]
    assert ids(await api.get(f"/v1/partners?limit=1&after={first['next']}")) == ["bob"]
    own = await api.get("/v1/partners", "ada")
    assert (ids(own), own["next"]) == (["ada"], None)
    assert own["items"][0]["status"] == "active"


async def test_foreign_and_absent_things_answer_alike(api: ProgrammeApi) -> None:
    for path, foreign, absent in (
        ("/v1/partners", "bob", "nobody"),
        ("/v1/territories", "t-emea", "nowhere"),
    ):
        answers = [await api.call("GET", f"{path}/{id_}", "ada") for id_ in (foreign, absent)]
        bodies = [answer.json() | {"correlation_id": ""} for answer in answers]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert bodies[0] == bodies[1]
        assert (await api.call("GET", f"{path}/{foreign}")).status_code == 200


async def test_a_partner_sees_its_territories_and_no_one_elses_assignment(
    api: ProgrammeApi,
) -> None:
    mine = await api.get("/v1/territories", "ada")
    assert ids(mine) == ["t-shared", "t-west"]
    assert [ids({"items": item["assignments"]}) for item in mine["items"]] == [["a-1"], ["a-west"]]
    assert ids(await api.get("/v1/territories?partner=bob", "ada")) == ["t-shared"]
    assert "bob" not in str(mine)
    one = await api.get("/v1/territories/t-shared", "ada")
    assert ids({"items": one["assignments"]}) == ["a-1"]
    seen_by_staff = await api.get("/v1/territories/t-shared")
    assert ids({"items": seen_by_staff["assignments"]}) == ["a-1", "a-2"]


FILTERS = {
    "region=west": ["t-west"],
    "country=DE": ["t-shared"],
    "country=FR": ["t-nobody"],
    "segment=ent": ["t-shared"],
    "product_line=core": [],
    "kind=geographic": ["t-emea", "t-nobody", "t-west"],
    "kind=hybrid": ["t-shared"],
    "overlay=true": ["t-nobody"],
    "assigned=false": ["t-nobody"],
    "partner=bob": ["t-emea", "t-shared"],
    "partner=bob&segment=ent": ["t-shared"],
    "partner=nobody": [],
}


@pytest.mark.parametrize(("query", "expected"), FILTERS.items())
async def test_territories_are_filtered(api: ProgrammeApi, query: str, expected: list[str]) -> None:
    assert ids(await api.get(f"/v1/territories?{query}")) == expected


async def test_pages_of_territories_hold_each_once(api: ProgrammeApi) -> None:
    seen: list[str] = []
    after = ""
    while True:
        answer = await api.get(f"/v1/territories?limit=1{after}")
        seen += ids(answer)
        if answer["next"] is None:
            break
        after = f"&after={answer['next']}"
    assert seen == ["t-emea", "t-nobody", "t-shared", "t-west"]
    assert (await api.call("GET", "/v1/territories?after=x")).status_code == 422


async def test_without_a_plan_there_are_no_partners_to_show(tmp_path: Path) -> None:
    async with programme_api(tmp_path) as api:
        answer = await api.call("GET", "/v1/partners")
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/no-plan-in-force")
        refused = await api.call("POST", "/v1/keys", json={"role": "partner", "partner_id": "ada"})
        assert refused.status_code == 422
        await api.publish(small_plan(), in_force_from="2050-01-01T00:00:00Z")
        assert ids(await api.get("/v1/partners")) == ["ada", "bob"]


async def test_a_partner_is_suspended_with_notice_and_made_active_again(
    any_api: ProgrammeApi,
) -> None:
    answer = await suspend(any_api, "ada")
    assert answer.status_code == 200, answer.text
    view = answer.json()
    since, release = (datetime.fromisoformat(view[name]) for name in ("since", "release_at"))
    assert (view["status"], release - since) == ("suspended", timedelta(days=5))
    assert answer.headers["etag"] == '"v1"'
    assert ids(await any_api.get("/v1/partners?status=suspended")) == ["ada"]

    programme = Programme()
    book, standing = await programme.read(any_api.database, programme.current)
    assert isinstance(book, PlanBook)
    assert not standing.active("ada", since)
    assert standing.active("ada", since - timedelta(microseconds=1))
    assert standing.releases("ada", since, release) == release

    again = await suspend(any_api, "ada", '"v1"')
    assert (again.status_code, again.json()["type"]) == (409, "/problems/already-suspended")
    back = await any_api.call("POST", "/v1/partners/ada/reactivate", headers={"if-match": '"v1"'})
    assert (back.json()["status"], back.headers["etag"]) == ("active", '"v2"')
    _, standing = await programme.read(any_api.database, programme.current)
    assert standing.active("ada", release)
    idle = await any_api.call("POST", "/v1/partners/bob/reactivate", headers={"if-match": '"v0"'})
    assert (idle.status_code, idle.json()["type"]) == (409, "/problems/already-active")

    told = [event for event in await any_api.events() if event and "partner" in event.type]
    assert [(event.type, event.partitionkey, event.subject) for event in told] == [
        ("dealreg.partner.suspended.v1", "test", "ada"),
        ("dealreg.partner.reactivated.v1", "test", "ada"),
    ]
    assert told[0].data.release_at == release
    actions = [(row.action, row.subject) for row in await any_api.audit()]
    assert actions[-2:] == [("partner.suspended", "ada"), ("partner.reactivated", "ada")]


async def test_standing_changes_only_for_who_saw_the_present_one(any_api: ProgrammeApi) -> None:
    missing = await any_api.call("POST", "/v1/partners/ada/suspend", json={"reason": "x"})
    assert missing.status_code == 428
    assert (await suspend(any_api, "ada", '"v7"')).status_code == 412
    both = await asyncio.gather(suspend(any_api, "ada"), suspend(any_api, "ada"))
    assert sorted(answer.status_code for answer in both) == [200, 412]
    assert (await suspend(any_api, "nobody")).status_code == 404
    assert (await suspend(any_api, "ada", who="ada")).status_code == 403
    empty = await any_api.call(
        "POST", "/v1/partners/bob/suspend", json={"reason": " "}, headers={"if-match": '"v0"'}
    )
    assert empty.status_code == 422


async def test_a_key_is_shown_once_and_works_until_revoked(any_api: ProgrammeApi) -> None:
    made = await any_api.key("new", "partner", partner_id="ada", requests_per_minute=50)
    assert keys.key_id_of(any_api.keys["new"]) == made["id"]
    assert (await any_api.call("GET", "/v1/partners/ada", "new")).status_code == 200
    listed = await any_api.call("GET", f"/v1/keys/{made['id']}")
    assert listed.json() == made
    assert any_api.keys["new"] not in listed.text
    assert keys.hash_key(any_api.keys["new"]) not in listed.text
    for _ in range(2):  # revoking again changes nothing
        revoked = await any_api.call("DELETE", f"/v1/keys/{made['id']}")
        assert revoked.json()["revoked_at"] is not None
        assert (await any_api.call("GET", "/v1/partners/ada", "new")).status_code == 401
    told = [event for event in await any_api.events() if event and event.subject == made["id"]]
    assert [event.data.revoked_at is None for event in told] == [True, False]
    assert told[0].data.key_hash == keys.hash_key(any_api.keys["new"])
    assert ids(await any_api.get("/v1/keys?revoked=true")) == [made["id"]]
    assert made["id"] in ids(await any_api.get("/v1/keys?role=partner&partner_id=ada"))
    assert any_api.keys["new"] not in str([row.detail for row in await any_api.audit()])
    assert (await any_api.call("DELETE", "/v1/keys/key_x")).status_code == 404


NOT_ALLOWED: list[dict[str, Any]] = [
    {"role": "partner"},
    {"role": "partner", "partner_id": "nobody"},
    {"role": "admin", "partner_id": "ada"},
    {"role": "vp"},
    {"role": "vp", "person_id": "mia"},
    {"role": "vp", "person_id": "nobody"},
    {"role": "partner", "partner_id": "bob", "person_id": "ann"},
    {"role": "admin", "expires_at": "2020-01-01T00:00:00Z"},
    {"role": "boss"},
    {"role": "admin", "requests_per_minute": 0},
    {"role": "admin", "secret": "mine"},
]


@pytest.mark.parametrize("body", NOT_ALLOWED, ids=str)
async def test_keys_that_make_no_sense_are_not_made(
    api: ProgrammeApi, body: dict[str, Any]
) -> None:
    before = ids(await api.get("/v1/keys"))
    answer = await api.call("POST", "/v1/keys", json=body)
    assert answer.status_code == 422
    assert ids(await api.get("/v1/keys")) == before


async def test_the_last_admin_key_stays(any_api: ProgrammeApi) -> None:
    [first] = (await any_api.get("/v1/keys?role=admin"))["items"]
    refused = await any_api.call("DELETE", f"/v1/keys/{first['id']}")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/last-admin-key")
    second = await any_api.key("second", "admin")
    both = await asyncio.gather(
        any_api.call("DELETE", f"/v1/keys/{first['id']}", "second"),
        any_api.call("DELETE", f"/v1/keys/{second['id']}", "admin"),
    )
    # Who comes second is refused: as the last one, or because its own key works no more.
    revoked, refused_too = sorted(answer.status_code for answer in both)
    assert revoked == 200
    assert refused_too in (401, 409)
    assert await any_api.database.read(lambda conn: admin_keys(conn, utc_now())) == 1


async def test_a_first_admin_key_is_made_only_where_none_works(api: ProgrammeApi) -> None:
    outbox = Outbox(tables.outbox, "/dealreg/registration", "test")

    async def ensure(now: datetime) -> str | None:
        return await api.database.write(lambda conn: ensure_admin_key(conn, now, outbox=outbox))

    assert await ensure(utc_now()) is None
    secret = await ensure(utc_now() + timedelta(days=366))
    assert secret is not None
    assert len(ids(await api.get("/v1/keys?role=admin"))) == 2


async def everything(api: ProgrammeApi, table: Table) -> str:
    return await api.database.read(lambda conn: str(conn.execute(select(table)).all()))


async def test_an_erased_person_is_gone_everywhere(any_api: ProgrammeApi) -> None:
    await any_api.key("mia", "partner_manager", person_id="mia")
    assert (await any_api.call("GET", "/v1/people", "mia")).status_code == 200
    answer = await any_api.call("DELETE", "/v1/people/mia")
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["keys_revoked"]) == 1
    assert (await any_api.call("GET", "/v1/people", "mia")).status_code == 401
    assert "mia" not in ids(await any_api.get("/v1/people"))
    gone = [p for p in (await any_api.get("/v1/people?erased=true"))["items"] if p["id"] == "mia"]
    assert [(p["name"], p["email"], p["roles"]) for p in gone] == [(None, None, [])]

    outbox = tables.outbox.outbox
    rows = await any_api.database.read(
        lambda conn: conn.execute(
            select(outbox.c.version, outbox.c.body)
            .where(outbox.c.topic == "dealreg.people", outbox.c.key == "mia")
            .order_by(outbox.c.id)
        ).all()
    )
    assert [tuple(row) for row in rows] == [(2, None)]  # a tombstone; what was sent before is gone
    for table in tables.metadata.sorted_tables:
        assert "mia@people.example" not in await everything(any_api, table), table.name
    assert (await any_api.audit())[-1].action == "person.erased"

    again = await any_api.call("DELETE", "/v1/people/mia")
    assert (again.status_code, again.json()["keys_revoked"]) == (200, [])
    assert (await any_api.call("DELETE", "/v1/people/nobody")).status_code == 404
    republished = await any_api.call("POST", "/v1/plans", json=small_plan())
    assert republished.status_code == 422
    assert "person_erased" in republished.text
    successor = small_plan()
    successor["people"][0] = person("max", "partner_manager")
    await any_api.publish(successor)


async def test_people_are_listed_by_partner(api: ProgrammeApi) -> None:
    assert ids(await api.get("/v1/people?partner_id=ada")) == ["ann"]
    page = await api.get("/v1/people?limit=2")
    assert ids(page) == ["ann", "cleo"]
    assert ids(await api.get(f"/v1/people?limit=2&after={page['next']}")) == ["dora", "mia"]
