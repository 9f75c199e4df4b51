"""Who was protected, asked over HTTP: then, now, and after a correction."""

from datetime import datetime, timedelta
from typing import Any

from tests.factories.registration_service import START, RegistrationApi

ROUTE = "/v1/history/who-was-protected"


async def asked(api: RegistrationApi, who: str = "auditor", **question: Any) -> Any:
    for name in ("at", "known_at"):
        if name in question:
            question[name] = question[name].isoformat()
    return await api.client.get(
        ROUTE, headers=api.headers(who), params={"product": "platform"} | question
    )


async def account_of(api: RegistrationApi, registration: dict[str, Any]) -> str:
    view = (await api.get("auditor", f"/v1/registrations/{registration['id']}")).json()
    account: str = view["account_id"]
    return account


async def test_who_was_protected_is_told_with_the_decision_that_said_so(
    api: RegistrationApi,
) -> None:
    first = await api.filed("acme")
    api.clock.advance(days=1)
    second = await api.filed("techstart")
    account = await account_of(api, first)
    api.clock.now = START + timedelta(days=100)
    answer = await asked(api, account=account, at=START + timedelta(days=2))
    assert answer.status_code == 200, answer.text
    view = answer.json()
    assert (view["product_line"], view["plan_number"]) == ("platform", 1)
    assert view["known_at"].startswith("2026-06-10T09:00:00")
    assert "acme (place 1) was protected on platform" in view["sentence"]
    [holder], [waiting] = view["holders"], view["standby"]
    assert (holder["claim_id"], holder["place"]) == (first["claims"][0]["id"], 1)
    assert waiting["partner_id"] == "techstart"
    assert holder["decision"]["kind"] == "filing"
    assert "protected for 90 days" in " ".join(holder["decision"]["sentences"])
    assert [step["rule"] for step in holder["decision"]["trace"]][-1] == 6

    later = (await asked(api, account=account, at=START + timedelta(days=90))).json()
    [holder] = later["holders"]
    assert (holder["partner_id"], holder["decision"]["kind"]) == ("techstart", "promotion")
    assert holder["since"] == holder["decision"]["at"]
    assert holder["registration_id"] == second["id"]
    sku = await asked(api, account=account, product="PLT-1", at=START)
    assert sku.json()["holders"][0]["partner_id"] == "acme"
    free = (await asked(api, account=account, product="backup", at=START)).json()
    assert (free["holders"], free["sentence"][:6]) == ([], "Nobody")


async def test_a_correction_counts_back_and_the_former_answer_stays_known(
    any_api: RegistrationApi,
) -> None:
    api = any_api
    first, second = await api.filed("acme"), await api.filed("techstart")
    account = await account_of(api, first)
    await api.travel(days=1)
    assert (await api.act("acme", first["id"], "lose")).status_code == 200
    await api.travel(days=1)
    offer = await api.act("techstart", second["id"], "offer/accept")
    assert offer.status_code == 200, offer.text
    await api.travel(days=1)
    filed_at = datetime.fromisoformat(first["filed_at"])
    now = (await asked(api, account=account, at=filed_at)).json()["known_at"]
    await api.travel(hours=1)
    contested = await api.act("manager", first["id"], "win")
    assert contested.status_code == 202, contested.text
    [case] = [
        entry
        for entry in (await api.get("auditor", "/v1/conflicts")).json()["items"]
        if entry["kind"] == "contradiction"
    ]
    ruled = await api.client.post(
        f"/v1/conflicts/{case['id']}/decide",
        headers=api.headers("manager", if_match=f'"v{case["version"]}"'),
        json={"ruling": "correct_record", "reason": "The order is there."},
    )
    assert ruled.status_code == 200, ruled.text
    await api.travel(hours=1)

    async def held(**question: str) -> list[str]:
        answer = await api.client.get(
            ROUTE,
            headers=api.headers("vp"),
            params={"product": "platform", "account": account} | question,
        )
        assert answer.status_code == 200, answer.text
        return [holder["partner_id"] for holder in answer.json()["holders"]]

    assert await held(at=now, known_at=now) == ["techstart"]
    assert await held(at=now) == []
    answer = await api.client.get(
        ROUTE,
        headers=api.headers("vp"),
        params={"product": "platform", "account": account, "at": now},
    )
    corrections = answer.json()["corrections"]
    assert {(c["partner_id"], c["state"]) for c in corrections} == {
        ("acme", "won"),
        ("techstart", "revoked"),
    }
    assert all(c["counts_from"] < now < c["known_from"] for c in corrections)


async def test_what_cannot_be_asked(api: RegistrationApi) -> None:
    account = await account_of(api, await api.filed("acme"))
    day = timedelta(days=1)
    api.clock.advance(days=3)
    questions: tuple[tuple[dict[str, Any], str], ...] = (
        ({"at": START.replace(tzinfo=None)}, "?at"),
        ({"at": START + 4 * day}, "?at"),
        ({"at": START + day, "known_at": START}, "?known_at"),
        ({"at": START, "known_at": START + 4 * day}, "?known_at"),
    )
    for question, field in questions:
        answer = await asked(api, account=account, **question)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert (await asked(api, account="acc_none", at=START)).status_code == 404
    for named in (account, "acc_none"):
        refused = await asked(api, "acme", account=named, at=START)
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/role-not-allowed")


async def test_accounts_that_were_merged_are_one_from_when_it_was_known(
    api: RegistrationApi,
) -> None:
    first = await api.filed("acme", account={"domain": "one.com", "name": "One"})
    api.clock.advance(days=1)
    second = await api.filed("techstart", account={"domain": "two.com", "name": "Two"})
    one, two = await account_of(api, first), await account_of(api, second)
    api.clock.advance(days=1)
    before = api.clock.now
    api.clock.advance(days=1)
    merged = await api.client.post(
        f"/v1/accounts/{one}/merge",
        headers=api.headers("vp", if_match="*"),
        json={"other_account_id": two, "reason": "They are one."},
    )
    assert merged.status_code == 200, merged.text
    api.clock.advance(days=1)

    async def held(account: str, **question: Any) -> tuple[list[str], list[str]]:
        view = (await asked(api, account=account, **question)).json()
        holders = [held["partner_id"] for held in view["holders"]]
        return holders, [held["partner_id"] for held in view["standby"]]

    assert await held(one, at=before, known_at=before) == (["acme"], [])
    assert await held(two, at=before, known_at=before) == (["techstart"], [])
    assert await held(two, at=before) == (["acme", "techstart"], []), "both were, as known now"
    for account in (one, two):
        assert await held(account, at=api.clock.now) == (["acme"], ["techstart"])
    view = (await asked(api, account=two, at=before)).json()
    assert view["accounts"] == sorted([one, two])
    assert "acme (place 1) and techstart (place 1) were protected" in view["sentence"]
