"""What is easily half right: retries, late facts, staff's edits, and cases of several lines."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from dealreg_registration import tables
from tests.factories.registration_service import PLAN, RegistrationApi, deal, publish


async def patch(
    api: RegistrationApi, who: str, path: str, body: dict[str, Any], tag: str, **headers: str
) -> httpx.Response:
    return await api.client.patch(
        path, headers=api.headers(who, if_match=tag, **headers), json=body
    )


@pytest.mark.parametrize(
    "body",
    [{"amount": {"amount": "5.00", "currency": "USD"}}, {"product_lines": ["backup"]}],
    ids=["edit", "lines"],
)
async def test_a_retried_edit_gets_the_first_answer_though_its_version_is_past(
    any_api: RegistrationApi, body: dict[str, Any]
) -> None:
    api = any_api
    path = f"/v1/registrations/{(await api.filed('acme'))['id']}"

    first = await patch(api, "acme", path, body, '"v1"', idempotency_key="once")
    again = await patch(api, "acme", path, body, '"v1"', idempotency_key="once")
    other = await patch(
        api, "acme", path, {"close_date": "2031-01-01"}, '"v2"', idempotency_key="once"
    )

    assert first.status_code in (200, 201)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["etag"] == first.headers["etag"] == '"v2"'
    assert other.status_code == 422


async def test_an_amount_without_an_exchange_rate_is_refused_and_changes_nothing(
    api: RegistrationApi,
) -> None:
    path = f"/v1/registrations/{(await api.filed('acme'))['id']}"
    body = {"amount": {"amount": "5.00", "currency": "JPY"}}

    answer = await patch(api, "acme", path, body, '"v1"')

    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/no-exchange-rate"
    assert (await api.get("acme", path)).json()["amount"]["currency"] == "USD"
    assert len(await api.events()) == 1


async def test_a_fact_that_a_later_filing_brings_decides_earlier_claims_first(
    api: RegistrationApi,
) -> None:
    france = {"country": "FR", "domain": "kunde.fr"}
    early = await api.filed("globalsys", account=france)
    assert early["claims"][0]["state"] == "open"

    late = await api.filed("acme", account=france | {"employees": 20})

    path = f"/v1/registrations/{early['id']}"
    now = (await api.get("admin", path)).json()
    assert late["claims"][0]["state"] == "referred"
    assert (now["claims"][0]["state"], now["claims"][0]["place"]) == ("protected", 1)
    types = [event["type"] for event in await api.events()]
    assert types[-3:] == [
        "dealreg.registration.amended.v1",
        "dealreg.registration.filed.v1",
        "dealreg.referral.offered.v1",
    ]


async def test_refiling_with_a_new_fact_supersedes_and_goes_to_the_back(
    api: RegistrationApi,
) -> None:
    france = {"country": "FR", "domain": "kunde.fr"}
    early = await api.filed("globalsys", account=france)

    late = await api.filed("globalsys", account=france | {"employees": 20})

    former = (await api.get("globalsys", f"/v1/registrations/{early['id']}")).json()
    assert former["claims"][0]["state"] == "superseded"
    assert late["claims"][0]["state"] == "protected"


async def test_the_first_of_an_open_account_is_told_that_it_owns_it(api: RegistrationApi) -> None:
    view = await api.filed("acme", account={"country": "FR", "domain": "kunde.fr"})

    assert view["claims"][0]["state"] == "open"
    assert view["owner"] == "you"
    [event] = await api.events()
    assert event["data"]["owner"]["partner_id"] == "acme"


async def test_an_event_of_an_added_fact_names_the_owner_that_it_makes(
    api: RegistrationApi,
) -> None:
    view = await api.filed("acme", account={"country": "FR", "domain": "kunde.fr"})
    body = {"account": {"employees": 20}}

    await patch(api, "acme", f"/v1/registrations/{view['id']}", body, '"v1"')

    assert (await api.events())[-2]["data"]["owner"]["partner_id"] == "globalsys"


async def test_a_case_ends_when_one_party_alone_is_left_on_its_lines(api: RegistrationApi) -> None:
    both = ["platform", "backup"]
    first = await api.filed("acme", product_lines=both)
    await api.filed("techstart", product_lines=both)

    await api.act("acme", first["id"], "withdraw")

    [case] = (await api.get("admin", "/v1/conflicts")).json()["items"]
    assert {claim["state"] for claim in case["claims"]} == {"withdrawn", "protected"}
    assert case["state"] == "withdrawn"
    assert (await api.events())[-1]["type"] == "dealreg.conflict.closed.v1"


async def test_the_timeline_tells_an_expiry_at_its_instant(api: RegistrationApi) -> None:
    view = await api.filed("acme")
    api.clock.advance(days=90)

    answer = await api.get("acme", f"/v1/registrations/{view['id']}/timeline")

    assert answer.json()["items"][-1]["action"] == "claim.expired"


@pytest.mark.parametrize(
    "query",
    ["filed_from=0001-01-01T00:00:00%2B14:00", "filed_before=9999-12-31T23:59:59-12:00"],
)
async def test_a_time_that_does_not_exist_in_utc_is_refused(
    api: RegistrationApi, query: str
) -> None:
    assert (await api.get("admin", f"/v1/registrations?{query}")).status_code == 422


async def test_staff_file_for_partners_of_the_plan_in_force(api: RegistrationApi) -> None:
    known = await api.file("admin", "one", partner_id="acme")
    refused = await api.file("admin", "two", partner_id="acmee", account={"domain": "other.com"})
    preview = await api.client.post(
        "/v1/registrations/preview", headers=api.headers("admin"), json=deal(partner_id="acmee")
    )

    assert known.status_code == 201
    for answer in (refused, preview):
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["/partner_id"]
    assert await api.count("account") == 1
    assert await api.count("registration") == 1


async def test_a_retry_is_answered_after_its_partner_left_the_plan(api: RegistrationApi) -> None:
    first = await api.file("admin", "one", partner_id="fourth")
    without = {
        **PLAN,
        "partners": [item for item in PLAN["partners"] if item["id"] != "fourth"],
        "assignments": [item for item in PLAN["assignments"] if item["partner"] != "fourth"],
    }
    await api.database.write(lambda conn: publish(conn, without, 2, api.clock.now))

    again = await api.file("admin", "one", partner_id="fourth")
    fresh = await api.file("admin", "two", partner_id="fourth")

    assert "idempotency-replayed" not in first.headers
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert fresh.status_code == 422


async def test_an_external_id_without_letter_or_digit_identifies_nobody(
    api: RegistrationApi,
) -> None:
    answer = await api.file("acme", account={"external_ids": [{"issuer": "lei", "value": " "}]})

    assert answer.status_code == 422
    assert await api.count("account") == 0


async def test_staff_edits_of_an_account_are_audited_and_its_parent_is_another_account(
    any_api: RegistrationApi,
) -> None:
    api = any_api
    await api.filed("acme")
    [account] = (await api.get("admin", "/v1/accounts")).json()["items"]
    path = f"/v1/accounts/{account['id']}"

    for parent in ("acc_none", account["id"]):
        answer = await patch(api, "admin", path, {"parent_id": parent}, "*")
        assert answer.status_code == 422, answer.text
    answer = await patch(api, "admin", path, {"facts": {"employees": 50}}, "*")
    assert answer.status_code == 200

    audit = tables.metadata.tables["audit"]
    rows = await api.database.read(
        lambda conn: conn.execute(select(audit).where(audit.c.subject == account["id"])).all()
    )
    assert [(row.action, row.detail["changed"]) for row in rows] == [
        ("account.edited", ["employees"])
    ]


async def test_what_the_rules_do_is_nobodys_act_in_a_partners_timeline(
    api: RegistrationApi,
) -> None:
    first, second = await api.filed("acme"), await api.filed("techstart")
    await api.act("acme", first["id"], "withdraw")

    answer = await api.get("techstart", f"/v1/registrations/{second['id']}/timeline")

    assert [item["by"] for item in answer.json()["items"]] == ["you", "you", "system"]
