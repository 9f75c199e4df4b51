"""Offers, questions, extensions, reminders and signs of life over HTTP, on both databases."""

from typing import Any

import httpx
import pytest

from tests.factories.registration_service import PLAN, RegistrationApi, registration_api

Api = RegistrationApi


def only(view: dict[str, Any]) -> dict[str, Any]:
    [claim] = view["claims"]
    found: dict[str, Any] = claim
    return found


async def read(api: Api, who: str, registration: dict[str, Any]) -> dict[str, Any]:
    answer = await api.get(who, f"/v1/registrations/{registration['id']}")
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def done(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}"), answer.text


async def event_types(api: Api) -> list[str]:
    return [
        event["type"].removeprefix("dealreg.").removesuffix(".v1") for event in await api.events()
    ]


async def test_a_lost_deal_is_offered_confirmed_and_protected(any_api: Api) -> None:
    api = any_api
    first, second = await api.filed("acme"), await api.filed("techstart")
    await api.act("acme", first["id"], "lose")
    waiting = only(await read(api, "techstart", second))
    assert waiting["state"] == "contested"
    [to_do] = waiting["to_do"]
    assert to_do["act"] == "confirm_offer"
    late = await api.filed("fourth")
    assert only(late)["state"] == "contested"
    refused(await api.act("fourth", late["id"], "offer/accept"), 409, "nothing-offered")
    refused(await api.act("acme", second["id"], "offer/accept"), 404, "not-found")
    after = only(await done(await api.act("techstart", second["id"], "offer/accept")))
    assert (after["state"], after["to_do"]) == ("protected", [])
    types = await event_types(api)
    assert types.index("claim.offered") < types.index("claim.promoted")
    detail = await read(api, "vp", second)
    assert detail["decisions"][-1]["kind"] == "promotion"
    assert detail["decisions"][-1]["inputs"]["confirmed"] == waiting["id"]


async def test_what_is_to_be_done_can_be_listed(any_api: Api) -> None:
    api = any_api
    first, second = await api.filed("acme"), await api.filed("techstart")
    other = await api.filed("acme", account={"name": "Other", "domain": "other.com"})
    await api.act("acme", first["id"], "lose")
    await api.act("acme", other["id"], "extension", evidence=["order form"])
    await api.act("vp", other["id"], "request-info", question="Who signs?")

    async def to_do(who: str, act: str) -> list[str]:
        answer = await api.get(who, f"/v1/registrations?to_do={act}")
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["items"]]

    assert await to_do("techstart", "confirm_offer") == [second["id"]]
    assert await to_do("acme", "confirm_offer") == []
    assert await to_do("acme", "give_information") == [other["id"]]
    assert await to_do("vp", "decide_extension") == [other["id"]]
    assert await to_do("vp", "show_activity") == []
    await api.act("acme", other["id"], "withdraw")
    assert await to_do("vp", "decide_extension") == []


async def test_an_offer_that_is_declined_or_lapses_goes_on(any_api: Api) -> None:
    api = any_api
    first, second, third = [await api.filed(who) for who in ("acme", "techstart", "fourth")]
    await api.act("acme", first["id"], "lose")
    declined = only(await done(await api.act("techstart", second["id"], "offer/decline")))
    assert (declined["state"], declined["to_do"]) == ("contested", [])
    assert only(await read(api, "fourth", third))["to_do"][0]["act"] == "confirm_offer"
    await api.travel(days=9)
    assert only(await read(api, "fourth", third))["to_do"] == []
    await api.service.tick()
    types = await event_types(api)
    assert types.count("claim.offered") == 2
    assert types.count("claim.offer-declined") == 1
    assert types.count("claim.offer-lapsed") == 1
    refused(await api.act("fourth", third["id"], "offer/accept"), 409, "nothing-offered")
    assert only(await api.filed("acme"))["state"] == "protected", "the line is free again"


async def test_information_is_wanted_given_and_read_by_both_sides(any_api: Api) -> None:
    api = any_api
    first = await api.filed("acme")
    refused(
        await api.act("acme", first["id"], "information", text="Nothing was asked"),
        409,
        "nothing-wanted",
    )
    question = {"question": "Who signs the contract?", "product_lines": ["PLT-1"]}
    asked = await done(await api.act("vp", first["id"], "request-info", **question))
    [to_do] = only(asked)["to_do"]
    assert to_do["act"] == "give_information"
    assert (await api.act("acme", first["id"], "request-info", **question)).status_code == 403
    again = await api.act("vp", first["id"], "request-info", **question)
    refused(again, 409, "nothing-to-ask")
    unknown = await api.act(
        "vp", first["id"], "request-info", **question | {"product_lines": ["x"]}
    )
    refused(unknown, 422, "unknown-line")
    given = await api.act("acme", first["id"], "information", text="Their CFO", evidence=["mail"])
    assert only(await done(given))["to_do"] == []
    view = await read(api, "acme", first)
    assert [(e["kind"], e["by"], e["text"], e["evidence"]) for e in view["correspondence"]] == [
        ("information_wanted", "vendor", "Who signs the contract?", []),
        ("information_given", "partner", "Their CFO", ["mail"]),
    ]
    assert "actor" not in view["correspondence"][0]
    assert view["correspondence"][0]["until"] == to_do["until"]
    assert (await read(api, "vp", first))["correspondence"][0]["actor"] == "person:vp"
    events = [e for e in await api.events() if "information" in e["type"]]
    assert [e["data"]["text"] for e in events] == ["Who signs the contract?", None]
    assert events[0]["data"]["manager_id"] == "manager"


async def test_an_answer_that_does_not_come_ends_the_claim_and_promotes_the_next(
    any_api: Api,
) -> None:
    api = any_api
    first, second = await api.filed("acme"), await api.filed("techstart")
    await done(await api.act("vp", first["id"], "request-info", question="Still on it?"))
    await api.travel(days=9)
    assert only(await read(api, "acme", first))["state"] == "withdrawn"
    assert only(await read(api, "techstart", second))["state"] == "protected"
    await api.service.tick()
    assert (await event_types(api))[-3:] == ["claim.withdrawn", "claim.promoted", "conflict.closed"]
    timeline = (await api.get("acme", f"/v1/registrations/{first['id']}/timeline")).json()["items"]
    assert [(e["action"], e["by"]) for e in timeline][-2:] == [
        ("claim.information_wanted", "vendor"),
        ("claim.withdrawn", "system"),
    ]


async def test_an_extension_is_asked_for_and_granted_once(any_api: Api) -> None:
    api = any_api
    first = await api.filed("acme")
    path = "extension"
    assert (await api.act("acme", first["id"], path, evidence=[])).status_code == 422
    asked = await done(await api.act("acme", first["id"], path, evidence=["order form"]))
    assert only(asked)["extension"] == "asked"
    refused(await api.act("acme", first["id"], path, evidence=["x"]), 409, "extension-pending")
    assert (await api.act("acme", first["id"], "extension/grant")).status_code == 403
    for who in ("partner_manager", "admin"):
        refused(await api.act(who, first["id"], "extension/grant"), 403, "not-your-market")
    before = only(asked)["protected_until"]
    granted = only(await done(await api.act("manager", first["id"], "extension/grant")))
    assert (granted["state"], granted["extension"]) == ("extended", "granted")
    assert granted["protected_until"] > before
    refused(await api.act("acme", first["id"], path, evidence=["x"]), 409, "nothing-to-extend")
    refused(await api.act("vp", first["id"], "extension/grant"), 409, "no-extension-pending")
    listed = (await api.get("acme", "/v1/registrations?state=extended")).json()["items"]
    assert [item["id"] for item in listed] == [first["id"]]
    assert only(await api.filed("techstart"))["state"] == "contested", "extended is live"


async def test_a_refusal_has_a_reason_and_leaves_the_term(any_api: Api) -> None:
    api = any_api
    first = await api.filed("acme")
    await api.act("acme", first["id"], "extension", evidence=["hope"])
    assert (await api.act("ceo", first["id"], "extension/refuse")).status_code == 422
    view = await done(await api.act("ceo", first["id"], "extension/refuse", reason="Only hope"))
    assert (only(view)["state"], only(view)["extension"]) == ("protected", None)
    event = (await api.events())[-1]
    assert (event["type"], event["data"]["text"]) == (
        "dealreg.claim.extension-refused.v1",
        "Only hope",
    )


async def test_the_end_is_announced_once_whoever_looks_and_sweeps(any_api: Api) -> None:
    api = any_api
    first = await api.filed("acme")
    for days in (61, 10, 6, 7, 2):
        await api.travel(days=days)
        await read(api, "acme", first)
        await api.service.tick()
        await api.service.tick()
    assert (await event_types(api)).count("claim.expiring") == 3
    dates = [e["data"]["at"] for e in await api.events() if "expiring" in e["type"]]
    assert len(set(dates)) == 3


@pytest.fixture
async def busy(tmp_path: Any) -> Any:
    """Under a plan that releases what nobody works on."""
    plan = PLAN | {"policy": {"activity_days": 20, "activity_notice_days": 5, "expiring_days": []}}
    async with registration_api(tmp_path, plan=plan) as made:
        yield made


async def test_an_idle_protection_is_warned_and_released_unless_somebody_speaks(busy: Api) -> None:
    first, second = await busy.filed("acme"), await busy.filed("techstart")
    await busy.travel(days=21)
    [to_do] = only(await read(busy, "acme", first))["to_do"]
    assert to_do["act"] == "show_activity"
    view = await done(await busy.act("acme", first["id"], "activity", note="They test it"))
    assert only(view)["to_do"] == []
    assert only(await read(busy, "techstart", second))["state"] == "contested"
    await busy.travel(days=25)
    assert only(await read(busy, "acme", first))["state"] == "expired"
    assert only(await read(busy, "techstart", second))["state"] == "protected"
    await busy.service.tick()
    types = await event_types(busy)
    assert types.count("claim.idle") == 2
    refused(await busy.act("acme", first["id"], "activity", note="too late"), 409, "nothing-active")


async def test_a_renewal_comes_from_the_incumbent(any_api: Api) -> None:
    api = any_api
    first = await api.filed("acme")
    await api.act("acme", first["id"], "win")
    stranger = await api.filed("techstart", deal_type="renewal")
    assert (only(stranger)["state"], only(stranger)["codes"]) == ("rejected", ["not_incumbent"])
    assert "acme" not in str(stranger)
    own = await api.filed("acme", deal_type="renewal")
    assert only(own)["state"] == "protected"
    decisions = (await read(api, "vp", own))["decisions"]
    assert decisions[0]["inputs"]["incumbents"] == {"platform": "acme"}


async def test_acts_are_answered_once_and_at_the_version_that_was_seen(api: Api) -> None:
    first = await api.filed("acme")
    path = f"/v1/registrations/{first['id']}/activity"
    stale = await api.client.post(
        path, headers=api.headers("acme", if_match='"9"'), json={"note": "x"}
    )
    assert stale.status_code == 412
    answers = [
        await api.client.post(
            path, headers=api.headers("acme", idempotency_key="once"), json={"note": "x"}
        )
        for _ in range(2)
    ]
    assert answers[0].content == answers[1].content
    assert await api.count("correspondence") == 1
    unknown = await api.act("acme", first["id"], "activity", note="x", by="me")
    assert unknown.status_code == 422
