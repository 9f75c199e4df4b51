"""Precedents of a case, a departure that is flagged and recorded, and the quarter's numbers."""

from typing import Any

from tests.factories.registration_service import RegistrationApi


async def meet(api: RegistrationApi, domain: str, **changes: Any) -> dict[str, Any]:
    """Two partners meet on an account; the case in full."""
    for who in ("acme", "techstart"):
        await api.filed(who, account={"name": domain, "domain": domain, "employees": 50}, **changes)
    [newest, *_] = (await api.get("auditor", "/v1/conflicts")).json()["items"]
    return await case(api, newest["id"])


async def case(api: RegistrationApi, case_id: str) -> dict[str, Any]:
    view: dict[str, Any] = (await api.get("auditor", f"/v1/conflicts/{case_id}")).json()
    return view


async def decide(api: RegistrationApi, it: dict[str, Any], second: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"ruling": "uphold_first", "reason": "First to register wins."}
    if second:
        body |= {"ruling": "award", "claim": it["claims"][1]["id"]}
    answer = await api.client.post(
        f"/v1/conflicts/{it['id']}/decide",
        headers=api.headers("manager", if_match=f'"v{it["version"]}"'),
        json=body,
    )
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def test_precedents_are_shown_and_a_departure_is_flagged(any_api: RegistrationApi) -> None:
    api = any_api
    first = await meet(api, "one.com")
    assert (first["precedents"], first["suggested"]) == ([], None)
    assert (await decide(api, first, second=True))["departs"] == []
    second = await meet(api, "two.com")
    [shown] = second["precedents"]
    assert (shown["conflict_id"], shown["ruling"], shown["likeness"]) == (first["id"], "award", 1.0)
    assert shown["explained"].startswith("same: roles primary before secondary, product overlap")
    assert second["suggested"] is None, "one alone is no practice"
    assert (await decide(api, second, second=True))["departs"] == []

    third = await meet(api, "three.com")
    assert third["suggested"] == {"ruling": "award", "precedents": [second["id"], first["id"]]}
    decided = await decide(api, third, second=False)
    assert decided["departs"] == [second["id"], first["id"]]
    [*_, event] = [e for e in await api.events() if e["type"].endswith("conflict.decided.v1")]
    assert event["data"]["departs"] == decided["departs"]

    [quarter] = (await api.get("vp", "/v1/conflicts/statistics?quarters=1")).json()["items"]
    assert (quarter["opened"], quarter["decided"], quarter["departures"]) == (3, 3, 1)
    assert quarter["decided_by_level"] == {"1": 3, "2": 0, "3": 0, "4": 0}
    assert (quarter["breached"], quarter["withdrawn"]) == (0, 0)


async def test_other_facts_are_told_and_suggest_nothing(api: RegistrationApi) -> None:
    for domain in ("one.com", "two.com"):
        await decide(api, await meet(api, domain), second=True)
    other = await meet(
        api,
        "big.com",
        amount={"amount": "2500000", "currency": "USD"},
        deal_type="expansion",
        product_lines=["platform", "backup"],
    )
    assert "differs: deal type expansion, not new" in other["precedents"][0]["explained"]
    lone = await meet(api, "three.com")
    await api.act("techstart", lone["claims"][1]["registration_id"], "withdraw")
    assert (await case(api, lone["id"]))["state"] == "withdrawn"
    [quarter] = (await api.get("vp", "/v1/conflicts/statistics?quarters=1")).json()["items"]
    assert (quarter["opened"], quarter["decided"], quarter["withdrawn"]) == (4, 2, 1)


async def test_a_ruling_that_an_appeal_changed_is_no_precedent(api: RegistrationApi) -> None:
    ruled = await meet(api, "one.com")
    await decide(api, ruled, second=True)
    appeal = await api.client.post(
        f"/v1/registrations/{ruled['claims'][0]['registration_id']}/appeal",
        headers=api.headers("acme"),
        json={"text": "We were first.", "evidence": ["order"]},
    )
    assert appeal.status_code == 201, appeal.text
    [opened] = [
        entry
        for entry in (await api.get("vp", "/v1/conflicts")).json()["items"]
        if entry["kind"] == "appeal"
    ]
    assert len((await meet(api, "two.com"))["precedents"]) == 1
    answer = await api.client.post(
        f"/v1/conflicts/{opened['id']}/decide",
        headers=api.headers("vp", if_match=f'"v{opened["version"]}"'),
        json={"ruling": "award", "claim": ruled["claims"][0]["id"], "reason": "New facts."},
    )
    assert answer.status_code == 200, answer.text
    assert (await meet(api, "three.com"))["precedents"] == []


async def test_time_to_decide_by_quarter(api: RegistrationApi) -> None:
    for domain, hours in (("one.com", 1), ("two.com", 3), ("three.com", 5)):
        it = await meet(api, domain)
        api.clock.advance(hours=hours)
        await decide(api, await case(api, it["id"]), second=False)
    api.clock.advance(days=60)
    former, present = (await api.get("auditor", "/v1/conflicts/statistics?quarters=2")).json()[
        "items"
    ]
    assert (former["quarter"], present["quarter"]) == ("2026-Q1", "2026-Q2")
    assert (former["median_seconds"], former["worst_seconds"]) == (3 * 3600, 5 * 3600)
    assert (former["breached"], present["decided"]) == (1, 0)
    assert present["median_seconds"] is None
    for who, status in (("acme", 403), ("auditor", 422)):
        answer = await api.get(who, "/v1/conflicts/statistics?quarters=0")
        assert answer.status_code == status
