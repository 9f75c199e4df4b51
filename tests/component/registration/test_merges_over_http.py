"""Two accounts become one over HTTP: nothing is renumbered or revoked, and everything is found."""

import asyncio
from typing import Any

import httpx
from sqlalchemy import select

from dealreg_registration import tables
from tests.factories.registration_service import RegistrationApi

ONE = {"name": "Customer Inc", "domain": "customer.com"}
TWO = {"name": "Customer Holding", "domain": "customer-holding.com"}


async def account_of(api: RegistrationApi, registration_id: str) -> str:
    view = (await api.get("vp", f"/v1/registrations/{registration_id}")).json()
    return str(view["account_id"])


async def states(api: RegistrationApi, registration_id: str) -> list[tuple[str, int]]:
    view = (await api.get("vp", f"/v1/registrations/{registration_id}")).json()
    return [(claim["state"], claim["place"]) for claim in view["claims"]]


async def merge(
    api: RegistrationApi, into: str, other: str, who: str = "vp", **headers: str
) -> httpx.Response:
    """At the version as it is, unless ``headers`` name one."""
    tag = (await api.get("auditor", f"/v1/accounts/{into}")).headers["etag"]
    return await api.client.post(
        f"/v1/accounts/{into}/merge",
        headers=api.headers(who, **({"if_match": tag} | headers)),
        json={"other_account_id": other, "reason": "one company"},
    )


async def two_accounts(api: RegistrationApi) -> tuple[str, str]:
    first = await api.filed("acme", account=ONE)
    second = await api.filed("techstart", account=TWO)
    return await account_of(api, first["id"]), await account_of(api, second["id"])


async def places(api: RegistrationApi, account_id: str) -> list[dict[str, Any]]:
    view = (await api.get("vp", f"/v1/accounts/{account_id}")).json()
    claims: list[dict[str, Any]] = view["active_claims"]
    return claims


async def test_the_earlier_protection_stays_and_the_later_stands_back(
    any_api: RegistrationApi,
) -> None:
    api = any_api
    first = await api.filed("acme", account=ONE)
    second = await api.filed("techstart", account=TWO)
    third = await api.filed("fourth", account=TWO)
    backup = await api.filed("techstart", account=TWO, product_lines=["backup"])
    one, two = await account_of(api, first["id"]), await account_of(api, second["id"])
    assert one != two
    answer = await merge(api, one, two)
    assert answer.status_code == 200, answer.text
    assert {"domain:customer.com", "domain:customer-holding.com"} <= set(answer.json()["keys"])

    assert await states(api, first["id"]) == [("protected", 1)]
    assert await states(api, second["id"]) == [("contested", 1)], "its place is never another"
    assert await states(api, third["id"]) == [("contested", 2)]
    assert await states(api, backup["id"]) == [("protected", 3)], "nothing clashes here"
    assert await account_of(api, second["id"]) == one
    order = [claim["registration_id"] for claim in await places(api, one)]
    assert order == [first["id"], second["id"], third["id"], backup["id"]]

    pointer = (await api.get("vp", f"/v1/accounts/{two}")).json()
    assert (pointer["merged_into"], pointer["active_claims"], pointer["keys"]) == (one, [], [])

    cases = (await api.get("vp", "/v1/conflicts?state=open")).json()["items"]
    assert [{claim["registration_id"] for claim in case["claims"]} for case in cases] == [
        {first["id"], second["id"], third["id"]}
    ], "the case that there was goes on: no other is opened about the same"
    numbers = (await api.get("vp", "/v1/conflicts/statistics?quarters=1")).json()["items"]
    assert [quarter["opened"] for quarter in numbers] == [1]

    later = await api.filed("globalsys", account=TWO)
    assert await account_of(api, later["id"]) == one
    assert later["claims"][0]["outcome"] == "referred"
    assert (await states(api, later["id"]))[0][1] == 2, "the survivor counts on"

    await api.act("acme", first["id"], "withdraw")
    assert (await states(api, second["id"]))[0][0] == "protected", "the oldest of both is next"

    again = await merge(api, one, two)
    assert (again.status_code, again.json()["type"]) == (422, "/problems/not-two-accounts")
    away = await merge(api, two, one)
    assert (away.status_code, away.json()["type"]) == (409, "/problems/account-merged")
    assert one in away.json()["detail"]


async def test_a_merge_says_which_version_it_saw(any_api: RegistrationApi) -> None:
    api = any_api
    one, two = await two_accounts(api)
    body = {"other_account_id": two, "reason": "one company"}
    path = f"/v1/accounts/{one}/merge"
    blind = await api.client.post(path, headers=api.headers("vp"), json=body)
    assert (blind.status_code, blind.json()["type"]) == (428, "/problems/if-match-required")
    stale = await merge(api, one, two, if_match='"v7"')
    assert (stale.status_code, stale.json()["type"]) == (412, "/problems/version-conflict")
    assert (await merge(api, one, two, if_match="*")).status_code == 200
    assert (await merge(api, one, "acc_nowhere")).status_code == 422
    nowhere = await api.client.post(
        "/v1/accounts/acc_nowhere/merge", headers=api.headers("vp", if_match="*"), json=body
    )
    assert nowhere.status_code == 404


async def test_a_retried_merge_gets_the_first_answer(any_api: RegistrationApi) -> None:
    api = any_api
    one, two = await two_accounts(api)
    tag = (await api.get("vp", f"/v1/accounts/{one}")).headers["etag"]
    headers = {"if_match": tag, "idempotency_key": "merge-1"}
    first, *again = await asyncio.gather(
        *(merge(api, one, two, "manager", **headers) for _ in range(3))
    )
    again.append(await merge(api, one, two, "manager", **headers))
    assert first.status_code == 200, first.text
    for retry in again:
        assert (retry.status_code, retry.content) == (200, first.content)
        assert retry.headers["etag"] == first.headers["etag"]
    read = await api.get("vp", f"/v1/accounts/{one}")
    assert read.json() == first.json()
    assert read.headers["etag"] == first.headers["etag"]
    types = [event["type"] for event in await api.events()]
    assert types.count("dealreg.account.merged.v1") == 2
    other = await api.client.post(
        f"/v1/accounts/{one}/merge",
        headers=api.headers("manager", **headers),
        json={"other_account_id": two, "reason": "another reason"},
    )
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


async def test_a_merge_is_for_the_manager_of_the_market_or_above(any_api: RegistrationApi) -> None:
    api = any_api
    one, two = await two_accounts(api)
    for who in ("partner_manager", "deputy", "admin"):
        refused = await merge(api, one, two, who)
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-your-market")
    for who in ("acme", "auditor", "reviewer"):
        assert (await merge(api, one, two, who)).status_code == 403
    delegated = await api.client.post(
        "/v1/people/manager/delegations",
        headers=api.headers("manager"),
        json={"delegate_id": "deputy", "until": "2026-12-31T00:00:00Z"},
    )
    assert delegated.status_code in (200, 201), delegated.text
    assert (await merge(api, one, two, "deputy")).status_code == 200


async def test_subsidiaries_follow_their_parent(any_api: RegistrationApi) -> None:
    api = any_api
    one, two = await two_accounts(api)
    child = await api.filed("fourth", account={"name": "Child", "domain": "child.com"})
    three = await account_of(api, child["id"])
    tag = (await api.get("vp", f"/v1/accounts/{three}")).headers["etag"]
    named = await api.client.patch(
        f"/v1/accounts/{three}", headers=api.headers("vp", if_match=tag), json={"parent_id": two}
    )
    assert named.status_code == 200, named.text
    assert (await merge(api, one, two)).status_code == 200
    view = (await api.get("vp", f"/v1/accounts/{three}")).json()
    assert (view["parent_id"], view["version"]) == (one, named.json()["version"] + 1)
    audited = await api.count("audit")
    assert audited
    assert (await merge(api, three, one)).status_code == 200
    view = (await api.get("vp", f"/v1/accounts/{three}")).json()
    assert view["parent_id"] is None, "nobody is its own parent"


async def test_a_merge_and_work_on_subsidiaries_do_not_wait_for_each_other(
    any_api: RegistrationApi,
) -> None:
    """A filing on a subsidiary that also asks about the survivor locks both, in the order of ids."""
    api = any_api
    duns = {"external_ids": [{"issuer": "duns", "value": "1"}]}
    children = [
        await account_of(
            api, (await api.filed("acme", account={"name": n, "domain": f"{n}.com"}))["id"]
        )
        for n in ("early", "first")
    ]
    one, two = await two_accounts(api)
    await api.filed("acme", account=ONE | duns, product_lines=["backup"])
    for child in children:
        tag = (await api.get("vp", f"/v1/accounts/{child}")).headers["etag"]
        named = await api.client.patch(
            f"/v1/accounts/{child}",
            headers=api.headers("vp", if_match=tag),
            json={"parent_id": two},
        )
        assert named.status_code == 200, named.text
    answers = await asyncio.gather(
        *(
            api.file(who, account={"name": name, "domain": f"{name}.com"} | further)
            for who in ("techstart", "fourth", "acme")
            for name in ("early", "first")
            for further in ({}, duns)
        ),
        merge(api, one, two),
    )
    assert {answer.status_code for answer in answers} <= {200, 201}
    for child in children:
        assert (await api.get("vp", f"/v1/accounts/{child}")).json()["parent_id"] == one


async def test_who_held_the_line_on_both_does_not_wait_behind_itself(
    any_api: RegistrationApi,
) -> None:
    api = any_api
    first = await api.filed("acme", account=ONE)
    await api.travel(days=3)
    second = await api.filed("acme", account=TWO)
    rival = await api.filed("techstart", account=TWO)
    one, two = await account_of(api, first["id"]), await account_of(api, second["id"])
    assert (await merge(api, one, two)).status_code == 200
    assert await states(api, first["id"]) == [("protected", 1)]
    assert await states(api, second["id"]) == [("superseded", 1)]
    mine = (await api.get("acme", f"/v1/registrations/{first['id']}")).json()["claims"][0]
    assert mine["protected_until"] == second["claims"][0]["protected_until"]
    assert "runs until" in " ".join(mine["reasons"])
    told = {event["type"]: event["data"] for event in await api.events()}
    assert told["dealreg.claim.superseded.v1"]["cause"] == "merged"
    assert told["dealreg.claim.extended.v1"]["protected_until"] == mine["protected_until"]
    await api.act("acme", first["id"], "withdraw")
    assert (await states(api, rival["id"]))[0][0] == "protected"


async def test_both_keys_hear_of_it_and_the_old_one_never_again(any_api: RegistrationApi) -> None:
    api = any_api
    first = await api.filed("acme", account=ONE)
    second = await api.filed("techstart", account=TWO)
    one, two = await account_of(api, first["id"]), await account_of(api, second["id"])
    assert (await merge(api, one, two)).status_code == 200
    await api.act("techstart", second["id"], "win")
    events = await api.events()
    merged = [event for event in events if event["type"] == "dealreg.account.merged.v1"]
    assert {event["partitionkey"] for event in merged} == {one, two}
    [last] = [event["keyversion"] for event in merged if event["partitionkey"] == two]
    assert {event["data"]["merged_version"] for event in merged} == {last}
    for key in (one, two):
        mine = [event for event in events if event["partitionkey"] == key]
        assert [event["keyversion"] for event in mine] == list(range(1, len(mine) + 1))
    assert [e for e in events if e["partitionkey"] == two][-1]["type"] == merged[0]["type"]
    won = events[-2] if events[-1]["type"] != "dealreg.registration.won.v1" else events[-1]
    assert won["partitionkey"] == one


async def test_a_pair_that_was_asked_about_is_asked_about_no_more(any_api: RegistrationApi) -> None:
    api = any_api
    first = await api.filed(
        "acme", account=ONE | {"external_ids": [{"issuer": "duns", "value": "1"}]}
    )
    second = await api.filed("techstart", account=TWO)
    both = await api.filed(
        "fourth",
        account=TWO | {"external_ids": [{"issuer": "duns", "value": "1"}]},
        product_lines=["backup"],
    )
    one, two = await account_of(api, first["id"]), await account_of(api, second["id"])
    assert await account_of(api, both["id"]) == one
    path = "/v1/conflicts?kind=possible_duplicate&state=open"
    assert len((await api.get("vp", path)).json()["items"]) == 1
    assert (await merge(api, two, one)).status_code == 200
    assert (await api.get("vp", path)).json()["items"] == []


async def test_a_ruling_that_it_is_one_account_merges_them(any_api: RegistrationApi) -> None:
    api = any_api
    duns = {"external_ids": [{"issuer": "duns", "value": "1"}]}
    first = await api.filed("acme", account=ONE | duns)
    second = await api.filed("techstart", account=TWO)
    await api.filed("fourth", account=TWO | duns, product_lines=["backup"])
    one, two = await account_of(api, first["id"]), await account_of(api, second["id"])
    path = "/v1/conflicts?kind=possible_duplicate&state=open"
    [case] = (await api.get("vp", path)).json()["items"]
    child = await api.filed("fourth", account={"name": "Child", "domain": "child.com"})
    three = await account_of(api, child["id"])
    tag = (await api.get("vp", f"/v1/accounts/{three}")).headers["etag"]
    await api.client.patch(
        f"/v1/accounts/{three}", headers=api.headers("vp", if_match=tag), json={"parent_id": two}
    )
    ruled = await api.client.post(
        f"/v1/conflicts/{case['id']}/decide",
        headers=api.headers("vp", if_match=f'"v{case["version"]}"'),
        json={"ruling": "same_account", "reason": "The register has one company."},
    )
    assert ruled.status_code == 200, ruled.text
    assert ruled.json()["state"] == "decided"
    assert (await api.get("vp", f"/v1/accounts/{two}")).json()["merged_into"] == one
    assert (await api.get("vp", f"/v1/accounts/{three}")).json()["parent_id"] == one
    assert await states(api, second["id"]) == [("contested", 1)]
    types = [event["type"] for event in await api.events()]
    assert types.count("dealreg.account.merged.v1") == 2
    assert types.count("dealreg.conflict.decided.v1") == 1


async def test_filings_and_a_merge_at_once_lose_nothing(any_api: RegistrationApi) -> None:
    api = any_api
    first = await api.filed("acme", account=ONE)
    second = await api.filed("techstart", account=TWO)
    one, two = await account_of(api, first["id"]), await account_of(api, second["id"])
    answers = await asyncio.gather(
        *(api.file("fourth", account=TWO, product_lines=["backup"]) for _ in range(5)),
        merge(api, one, two),
        api.act("techstart", second["id"], "withdraw"),
        *(api.file("acme", account=ONE, product_lines=["backup"]) for _ in range(5)),
    )
    assert {answer.status_code for answer in answers} <= {200, 201}
    claim = tables.claim
    rows = await api.database.read(
        lambda conn: conn.execute(
            select(claim.c.account_id, claim.c.numbered_by, claim.c.place, claim.c.state)
        ).all()
    )
    assert {row.account_id for row in rows} == {one}
    for numbering in (one, two):
        counted = sorted(row.place for row in rows if row.numbered_by == numbering)
        assert counted == list(range(1, len(counted) + 1))
    assert len(rows) == 12
