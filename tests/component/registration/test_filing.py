"""Filing over HTTP: decided at once, once, in order, on both databases."""

import asyncio
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.factories.registration_service import RegistrationApi


async def test_first_to_register_wins_and_both_are_told_why(any_api: RegistrationApi) -> None:
    first = await any_api.filed("acme")
    second = await any_api.filed("techstart")
    third = await any_api.filed("globalsys")
    [one], [two], [other] = first["claims"], second["claims"], third["claims"]
    assert one["outcome"] == "protected"
    assert one["protected_until"] > one["protected_from"]
    assert two["outcome"] == "contested"
    assert other["outcome"] == "referred"
    assert "Acme" in other["reasons"][0]
    assert first["owner"] == "you"
    assert second["owner"] == "other"
    assert len(first["receipt"]["number"]) == 32


async def test_events_come_in_order_and_without_gaps(any_api: RegistrationApi) -> None:
    await any_api.filed("acme")
    await any_api.filed("techstart")
    events = await any_api.events()
    assert [event["type"] for event in events] == [
        "dealreg.registration.filed.v1",
        "dealreg.registration.filed.v1",
        "dealreg.conflict.opened.v1",
    ]
    assert [event["keyversion"] for event in events] == [1, 2, 3]
    assert len({event["partitionkey"] for event in events}) == 1
    opened = events[2]["data"]
    assert [claim["partner_id"] for claim in opened["claims"]] == ["acme", "techstart"]
    assert [d["person_id"] for d in opened["deadlines"]] == ["manager", "vp", "ceo"]


async def test_of_many_contenders_one_is_protected_and_places_are_gapless(
    any_api: RegistrationApi,
) -> None:
    partners = ["acme", "techstart", "fourth"]
    answers = await asyncio.gather(
        *(
            any_api.filed(partners[n % 3], account={"domain": f"contended-{n % 5}.com"})
            for n in range(60)
        )
    )
    admin = await any_api.get("admin", "/v1/registrations?limit=200")
    by_account: dict[str, list[dict[str, Any]]] = {}
    for item in admin.json()["items"]:
        by_account.setdefault(item["account_id"], []).extend(item["claims"])
    assert len(answers) == 60
    assert len(by_account) == 5
    for claims in by_account.values():
        assert Counter(c["state"] for c in claims)["protected"] == 1
        assert sorted(c["place"] for c in claims) == list(range(1, len(claims) + 1))


async def test_a_retry_gets_the_same_bytes_and_acts_once(any_api: RegistrationApi) -> None:
    first = await any_api.file("acme", key="retry-1")
    again = await any_api.file("acme", key="retry-1")
    assert (again.status_code, again.content) == (201, first.content)
    assert await any_api.count("registration") == 1
    together = await asyncio.gather(*(any_api.file("acme", key="retry-2") for _ in range(8)))
    assert len({answer.content for answer in together}) == 1
    assert await any_api.count("registration") == 2


async def test_a_key_with_another_body_is_refused_and_nothing_is_stored(
    any_api: RegistrationApi,
) -> None:
    await any_api.file("acme", key="same")
    answer = await any_api.file("acme", key="same", account={"domain": "another.com"})
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/idempotency-key-reused"
    assert await any_api.count("account_key") == 1


async def test_keys_of_two_callers_do_not_meet(any_api: RegistrationApi) -> None:
    mine = await any_api.file("acme", key="shared")
    theirs = await any_api.file("techstart", key="shared")
    assert mine.json()["id"] != theirs.json()["id"]


async def test_spellings_of_one_account_meet_and_other_accounts_do_not(
    any_api: RegistrationApi,
) -> None:
    await any_api.filed("acme")
    met = await any_api.filed("techstart", account={"domain": "HTTPS://www.Customer.com/about"})
    assert met["claims"][0]["outcome"] == "contested"
    apart = await any_api.filed("techstart", account={"domain": "customer.net"})
    assert apart["claims"][0]["outcome"] == "protected"


async def test_two_accounts_hit_opens_a_case_for_a_person(any_api: RegistrationApi) -> None:
    place = {"postal_code": "94105", "subdivision": "US-CA"}
    await any_api.filed("acme", account={"domain": "one.com", "name": "One Inc"})
    await any_api.filed("acme", account={"name": "Two Inc", "domain": None, **place})
    await any_api.filed("acme", account={"name": "Two Inc", "domain": "one.com", **place})
    await any_api.filed("fourth", account={"name": "Two Inc", "domain": "one.com", **place})
    [case] = (await any_api.get("admin", "/v1/conflicts?kind=possible_duplicate")).json()["items"]
    other = (await any_api.get("admin", f"/v1/conflicts/{case['id']}")).json()["other_account"]
    assert other["id"] == case["other_account_id"]
    assert other["name"] and other["keys"]  # without them nobody can tell whether it is the same
    accounts = (await any_api.get("admin", "/v1/accounts")).json()["items"]
    assert [case["account"]["id"], case["other_account_id"]] == [a["id"] for a in accounts]
    keys = ["domain:one.com", "name1:two inc|US|94105"]
    assert (case["other_account_name"], case["matched_by"]) == ("Two Inc", keys)
    [told] = [
        event["data"]
        for event in await any_api.events()
        if event["type"] == "dealreg.conflict.opened.v1"
        and event["data"]["kind"] == "possible_duplicate"
    ]
    assert told["other_account_id"] == case["other_account_id"]
    assert (told["other_account_name"], told["matched_by"]) == ("Two Inc", keys)
    seen = (await any_api.get("acme", f"/v1/conflicts/{case['id']}")).json()
    assert "matched_by" not in seen and "other_account_name" not in seen


async def test_lines_that_one_filing_contests_are_one_case_told_once(
    any_api: RegistrationApi,
) -> None:
    lines = ["platform", "backup"]
    first = await any_api.filed("acme", product_lines=lines)
    second = await any_api.filed("techstart", product_lines=lines)
    told = [e for e in await any_api.events() if e["type"].startswith("dealreg.conflict.")]
    assert [event["type"] for event in told] == ["dealreg.conflict.opened.v1"]
    claims = {claim["id"] for view in (first, second) for claim in view["claims"]}
    assert {claim["claim_id"] for claim in told[0]["data"]["claims"]} == claims
    assert {claim["product_line"] for claim in told[0]["data"]["claims"]} == set(lines)
    read = (await any_api.get("manager", f"/v1/conflicts/{told[0]['subject']}")).json()
    assert {claim["id"] for claim in read["claims"]} == claims
    assert read["version"] == 1


async def test_staff_file_for_a_partner(any_api: RegistrationApi) -> None:
    view = await any_api.filed("partner_manager", partner_id="acme")
    assert view["partner_id"] == "acme"
    assert view["claims"][0]["place"] == 1
    assert (await any_api.file("auditor", partner_id="acme")).status_code == 403
    assert (await any_api.file("partner_manager")).status_code == 422


async def test_one_bad_command_of_a_batch_fails_alone(any_api: RegistrationApi) -> None:
    good = [any_api.file("acme", account={"domain": f"ok{n}.com"}) for n in range(20)]
    bad = any_api.file("acme", account={"domain": "bad.com"}, product_lines=["x" * 64, "y" * 64])
    answers = await asyncio.gather(*good, bad)
    assert [a.status_code for a in answers] == [201] * 21
    assert await any_api.count("registration") == 21


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"unknown": 1}, "/unknown"),
        ({"product_lines": "platform"}, "/product_lines"),
        ({"product_lines": []}, "/product_lines"),
        ({"amount": {"amount": "-5", "currency": "USD"}}, "/amount/amount"),
        ({"amount": {"amount": 5.5, "currency": "USD"}}, "/amount/amount"),
        ({"amount": {"amount": "NaN", "currency": "USD"}}, "/amount/amount"),
        ({"amount": {"amount": "5", "currency": "usd"}}, "/amount/currency"),
        ({"close_date": "tomorrow"}, "/close_date"),
        ({"account": {"country": "ZZ"}}, "/account/country"),
        ({"account": {"subdivision": "US-ZZ"}}, "/account/subdivision"),
        ({"account": {"name": ""}}, "/account/name"),
        ({"account": {"name": "nul\x00"}}, "/account/name"),
        ({"account": {"employees": False}}, "/account/employees"),
        ({"account": {"employees": {"from": 9, "to": 1}}}, "/account/employees"),
        ({"deal_type": "gift"}, "/deal_type"),
    ],
)
async def test_bad_input_names_the_field_and_stores_nothing(
    api: RegistrationApi, changes: dict[str, Any], field: str
) -> None:
    answer = await api.file("acme", **changes)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    named = [error["field"] for error in answer.json()["errors"]]
    assert any(name.startswith(field) for name in named), answer.text
    assert await api.count("registration") == 0
    assert await api.count("account_key") == 0


async def test_a_past_close_date_and_an_unknown_product_are_rejections_with_codes(
    api: RegistrationApi,
) -> None:
    view = await api.filed("acme", close_date="2020-01-01", product_lines=["nothing"])
    [claim] = view["claims"]
    assert claim["outcome"] == "rejected"
    assert set(claim["codes"]) == {"close_date_past", "unknown_product_line"}


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content-type": "application/json"}, b"{", 400),
        ({"content-type": "application/json"}, b"\xff\xfe", 400),
        ({"content-type": "text/plain"}, b"{}", 415),
        ({"content-type": "application/json"}, b'{"a": "' + b"x" * 300_000 + b'"}', 413),
        ({"content-type": "application/json"}, b'{"account": "\\ud800"}', 422),
    ],
)
async def test_what_cannot_be_read_is_a_problem(
    api: RegistrationApi, headers: dict[str, str], body: bytes, status: int
) -> None:
    sent = api.headers("acme", idempotency_key="k") | headers
    answer = await api.client.post("/v1/registrations", headers=sent, content=body)
    assert answer.status_code == status
    assert answer.json()["status"] == status


async def test_keys_and_partner_ids_of_others_are_refused(api: RegistrationApi) -> None:
    assert (await api.client.post("/v1/registrations", json={})).status_code == 401
    wrong = {"authorization": "Bearer drk_wrong", "idempotency-key": "k"}
    assert (await api.client.post("/v1/registrations", headers=wrong)).status_code == 401
    other = await api.file("acme", partner_id="techstart")
    assert other.status_code == 403
    assert other.json()["type"] == "/problems/not-your-partner"
    missing = await api.client.post("/v1/registrations", headers=api.headers("acme"), json={})
    assert missing.json()["type"] == "/problems/bad-idempotency-key"


async def test_without_a_plan_nothing_is_decided_or_stored(tmp_path: Path) -> None:
    from tests.factories.registration_service import PLAN, registration_api

    async with registration_api(tmp_path, plan=PLAN) as api:
        api.clock.now = api.clock.now.replace(year=2020)
        answer = await api.file("acme")
        assert answer.json()["type"] == "/problems/no-plan-in-force"
        assert await api.count("account_key") == 0


async def test_preview_writes_nothing_and_tells_nothing_about_others(api: RegistrationApi) -> None:
    from tests.factories.registration_service import deal

    async def preview(who: str) -> bytes:
        answer = await api.client.post(
            "/v1/registrations/preview", headers=api.headers(who), json=deal()
        )
        assert answer.status_code == 200, answer.text
        return answer.content

    before = await preview("techstart")
    await api.filed("acme", account={"employees": 50})
    assert await preview("techstart") == before
    assert await api.count("registration") == 1
    assert b"in_territory" in before
    assert b"taken" not in before
    assert b"not_in_territory" in await preview("globalsys")


async def test_a_date_of_today_is_not_past(api: RegistrationApi) -> None:
    today: date = api.clock.now.date()
    view = await api.filed("acme", close_date=today.isoformat())
    assert view["claims"][0]["outcome"] == "protected"
