"""Accounts corrected by staff: versions, parents, and what follows for claims."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from dealreg_registration import tables
from dealreg_registration.domain.replay import replay
from dealreg_registration.programme import Programme
from dealreg_shared.db.types import canonical_json
from tests.factories.registration_service import PLAN, RegistrationApi, registration_api

GROUP = PLAN | {
    "territories": [
        *PLAN["territories"],
        {"id": "named", "name": "Named", "match": {"accounts": ["group"]}},
    ],
    "assignments": [
        *PLAN["assignments"],
        {"id": "named-acme", "territory": "named", "partner": "acme"},
    ],
    "named_accounts": [
        {"id": "group", "name": "Group", "domain": "group.fr", "partner": "acme"},
    ],
}


async def account_with(api: RegistrationApi, domain: str) -> dict[str, Any]:
    [found] = (await api.get("admin", f"/v1/accounts?key=domain:{domain}")).json()["items"]
    account: dict[str, Any] = found
    return account


async def edit(
    api: RegistrationApi, account: dict[str, Any], body: dict[str, Any], who: str = "admin"
) -> Any:
    return await api.client.patch(
        f"/v1/accounts/{account['id']}",
        headers=api.headers(who, if_match=f'"v{account["version"]}"'),
        json=body,
    )


async def test_an_edit_answers_with_the_new_version_and_filings_leave_it(
    any_api: RegistrationApi,
) -> None:
    await any_api.filed("acme")
    account = await account_with(any_api, "customer.com")
    await any_api.filed("techstart")
    edited = await edit(any_api, account, {"facts": {"employees": 50}})
    assert (edited.status_code, edited.headers["etag"]) == (200, '"v2"')
    stale = await edit(any_api, account, {"facts": {"employees": 60}})
    assert (stale.status_code, stale.headers["etag"]) == (412, '"v2"')


async def test_a_named_parent_decides_open_and_referred_claims_again(tmp_path: Any) -> None:
    async with registration_api(tmp_path, plan=GROUP) as api:
        french = {"country": "FR"}
        await api.filed("globalsys", account=french | {"domain": "group.fr"})
        mine = await api.filed("acme", account=french | {"domain": "daughter.fr"})
        assert mine["claims"][0]["outcome"] == "open"
        parent = await account_with(api, "group.fr")

        edited = await edit(
            api, await account_with(api, "daughter.fr"), {"parent_id": parent["id"]}
        )

        assert edited.status_code == 200, edited.text
        view = (await api.get("admin", f"/v1/registrations/{mine['id']}")).json()
        assert view["claims"][0]["state"] == "protected"
        assert view["claims"][0]["territory"] == "named"
        amended = (await api.events())[-1]
        assert amended["type"] == "dealreg.registration.amended.v1"
        assert amended["data"]["claims"][0]["outcome"] == "protected"


async def test_the_audit_row_of_a_contested_claim_names_its_case(api: RegistrationApi) -> None:
    await api.filed("acme")
    await api.filed("techstart")
    audit = tables.metadata.tables["audit"]
    query = select(audit.c.detail).where(audit.c.action == "claim.contested")
    detail = await api.database.read(lambda conn: conn.execute(query).scalar_one())
    [case] = (await api.get("admin", "/v1/conflicts")).json()["items"]
    assert detail["conflict"] == case["id"]


async def test_what_is_stored_of_a_decision_suffices_to_make_it_again(
    any_api: RegistrationApi,
) -> None:
    """From the rows alone: inputs, plan number and the plan's document."""
    api = any_api
    first = await api.filed("acme", evidence=["a letter"])
    await api.filed("techstart", product_lines=["platform", "backup"], tags=["cloud"])
    await api.filed("globalsys", account={"country": "FR", "domain": "client.fr"})
    account = await account_with(api, "client.fr")
    assert (await edit(api, account, {"facts": {"employees": 20}})).status_code == 200
    assert (await api.act("acme", first["id"], "withdraw")).status_code == 200

    decisions = tables.metadata.tables["decision"]
    rows = await api.database.read(
        lambda conn: conn.execute(select(decisions).order_by(decisions.c.id)).all()
    )
    programme = Programme()
    await programme.refresh(api.database)
    book, _ = await programme.read(api.database, programme.current)
    plan = book.at(datetime.fromisoformat(rows[0].inputs["now"]))
    assert plan is not None
    assert [row.kind for row in rows] == ["filing", "filing", "filing", "facts", "promotion"]
    for row in rows:
        assert canonical_json(replay(row.inputs, plan)) == canonical_json(row.result)


async def test_an_edit_that_breaks_rule_1_names_field_and_rule(api: RegistrationApi) -> None:
    mine = await api.filed("acme")
    for body, field in (
        ({"close_date": "2026-03-01"}, "/close_date"),
        ({"amount": {"amount": "5", "currency": "CHF"}}, "/amount/currency"),
    ):
        answer = await api.client.patch(
            f"/v1/registrations/{mine['id']}",
            headers=api.headers("acme", if_match='"v1"'),
            json=body,
        )
        assert answer.status_code == 422
        [fault] = answer.json()["errors"]
        assert fault["field"] == field
        assert fault["rule"]


MANAGED = PLAN | {
    "people": [
        {"id": "manager", "roles": ["partner_manager"]},
        {"id": "emea-manager", "roles": ["partner_manager"], "manages": ["emea"]},
        {"id": "mid-manager", "roles": ["partner_manager"], "manages": ["na/mid"]},
        *PLAN["people"][1:],
    ]
}


async def test_a_manager_corrects_accounts_of_its_own_market(tmp_path: Any) -> None:
    async with registration_api(tmp_path, plan=MANAGED) as api:
        await api.filed("acme", account={"employees": 150})
        for who in ("emea-manager", "manager", "partner_manager", "deputy"):
            account = await account_with(api, "customer.com")
            refused = await edit(api, account, {"facts": {"employees": 9}}, who)
            assert (refused.status_code, refused.json()["type"]) == (
                403,
                "/problems/not-your-market",
            )
        assert (await account_with(api, "customer.com"))["version"] == 1
        for who in ("mid-manager", "vp", "ceo", "admin"):
            account = await account_with(api, "customer.com")
            edited = await edit(api, account, {"facts": {"revenue": 1000}}, who)
            assert edited.status_code == 200, (who, edited.text)
        moved = await edit(
            api, await account_with(api, "customer.com"), {"facts": {"employees": 9}}, "mid-manager"
        )
        assert moved.status_code == 200
        account = await account_with(api, "customer.com")
        back = await edit(api, account, {"facts": {"employees": 150}}, "mid-manager")
        assert back.status_code == 403, "it is another's market now"
        assert (
            await edit(api, account, {"facts": {"employees": 150}}, "manager")
        ).status_code == 200


async def test_a_delegate_corrects_accounts_in_the_managers_stead(api: RegistrationApi) -> None:
    await api.filed("acme")
    account = await account_with(api, "customer.com")
    assert (await edit(api, account, {"facts": {"employees": 9}}, "deputy")).status_code == 403
    delegated = await api.client.post(
        "/v1/people/manager/delegations",
        headers=api.headers("manager"),
        json={"delegate_id": "deputy", "until": "2026-12-31T00:00:00Z"},
    )
    assert delegated.status_code == 201
    assert (await edit(api, account, {"facts": {"employees": 9}}, "deputy")).status_code == 200
