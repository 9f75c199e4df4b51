"""Referrals over HTTP: who sees what before and after consent, and what an answer brings about."""

import json
from typing import Any

from tests.factories.registration_service import RegistrationApi

SECRETS = ("acme", "Acme", "25000", "2030-12-31", "jo@", "evidence-of-need", "named-need")


async def refer(api: RegistrationApi) -> dict[str, Any]:
    """Acme, in the US alone, registers a German deal: globalsys covers Germany."""
    filed = await api.filed(
        "acme",
        account={"name": "Kunde GmbH", "domain": "kunde.de", "country": "DE"},
        contacts=[{"name": "Jo", "email": "jo@kunde.de"}],
        evidence=["evidence-of-need"],
        tags=["named-need"],
    )
    assert [claim["outcome"] for claim in filed["claims"]] == ["referred"]
    return filed


async def listed(api: RegistrationApi, who: str) -> list[dict[str, Any]]:
    answer = await api.get(who, "/v1/referrals")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def answer(api: RegistrationApi, who: str, referral_id: str, what: str, **body: Any) -> Any:
    return await api.client.post(
        f"/v1/referrals/{referral_id}/{what}", headers=api.headers(who), json=body or None
    )


async def test_until_consent_the_target_sees_account_and_line_only(
    any_api: RegistrationApi,
) -> None:
    api = any_api
    filed = await refer(api)
    [offered] = await listed(api, "globalsys")
    assert offered["account"] == {"name": "Kunde GmbH", "country": "DE"}
    assert (offered["product_line"], offered["you_are"]) == ("platform", "target")
    assert "details" not in offered
    one = await api.get("globalsys", f"/v1/referrals/{offered['id']}")
    for text in (json.dumps(offered), one.text):
        assert not [secret for secret in (*SECRETS, filed["id"]) if secret in text]

    assert await listed(api, "techstart") == []
    assert (await api.get("techstart", f"/v1/referrals/{offered['id']}")).status_code == 404
    stranger = await answer(api, "techstart", offered["id"], "accept")
    assert stranger.status_code == 404
    own = await answer(api, "acme", offered["id"], "decline")
    assert own.status_code == 404, "the referrer cannot answer for the target"

    needed = await answer(api, "globalsys", offered["id"], "accept")
    assert (needed.status_code, needed.json()["type"]) == (422, "/problems/details-needed")

    assert (await api.act("globalsys", filed["id"], "consent")).status_code == 404
    assert (await api.act("acme", filed["id"], "consent")).status_code == 200
    [passed] = await listed(api, "globalsys")
    assert passed["details"] == {
        "referrer_id": "acme",
        "amount": {"amount": "25000.00", "currency": "USD"},
        "close_date": "2030-12-31",
        "deal_type": "new",
        "tags": ["named-need"],
        "contacts": [{"name": "Jo", "email": "jo@kunde.de", "phone": None}],
        "evidence": ["evidence-of-need"],
    }
    taken = await answer(api, "globalsys", offered["id"], "accept")
    assert taken.status_code == 201, taken.text
    assert taken.json()["registration"]["amount"]["amount"] == "25000.00"


async def test_what_is_taken_tells_nothing_of_the_referrer_without_consent(
    any_api: RegistrationApi,
) -> None:
    api = any_api
    await refer(api)
    [offered] = await listed(api, "globalsys")
    taken = await answer(
        api,
        "globalsys",
        offered["id"],
        "accept",
        amount={"amount": "9", "currency": "USD"},
        close_date="2031-01-31",
    )
    assert taken.status_code == 201, taken.text
    registration = taken.json()["registration"]
    assert [claim["outcome"] for claim in registration["claims"]] == ["protected"]
    seen = await api.get("globalsys", f"/v1/registrations/{registration['id']}")
    for text in (taken.text, seen.text, json.dumps(await listed(api, "globalsys"))):
        assert not [secret for secret in SECRETS if secret in text]
    [mine] = await listed(api, "acme")
    assert (mine["state"], mine["you_are"]) == ("accepted", "referrer")
    assert mine["target"] == {"kind": "partner", "id": "globalsys"}
    assert registration["id"] not in json.dumps(mine)
    again = await answer(api, "globalsys", offered["id"], "decline")
    assert (again.status_code, again.json()["type"]) == (409, "/problems/referral-answered")

    await api.act("globalsys", registration["id"], "win")
    won = (await api.events())[-1]["data"]
    assert won["credit"]["referred_by"] == "acme"
    staff = (await api.get("vp", f"/v1/registrations/{registration['id']}")).json()
    assert staff["referred_by"] == "acme"


async def test_a_referral_that_all_let_pass_comes_back(api: RegistrationApi) -> None:
    filed = await refer(api)
    api.clock.advance(days=2, hours=15, seconds=1)
    [mine] = await listed(api, "acme")
    assert mine["state"] == "lapsed"
    claim = (await api.get("acme", f"/v1/registrations/{filed['id']}")).json()["claims"][0]
    assert claim["state"] == "protected"
    assert claim["protected_from"] == "2026-03-05T00:00:00.000000Z"
    types = [event["type"] for event in await api.events()]
    assert types == [
        "dealreg.registration.filed.v1",
        "dealreg.referral.offered.v1",
        "dealreg.referral.lapsed.v1",
    ]
    lapsed = (await api.events())[-1]["data"]
    assert [claim["outcome"] for claim in lapsed["claims"]] == ["protected"]
    late = await answer(api, "globalsys", mine["id"], "accept")
    assert late.status_code == 409


async def test_declining_tells_and_staff_see_all(any_api: RegistrationApi) -> None:
    api = any_api
    filed = await refer(api)
    [offered] = await listed(api, "vp")
    assert (offered["referrer_id"], offered["target"]["id"]) == ("acme", "globalsys")
    declined = await answer(api, "globalsys", offered["id"], "decline")
    assert declined.json()["state"] == "declined"
    view = (await api.get("acme", f"/v1/registrations/{filed['id']}")).json()
    assert view["claims"][0]["state"] == "protected"
    kinds = [
        made["kind"]
        for made in (await api.get("vp", f"/v1/registrations/{filed['id']}")).json()["decisions"]
    ]
    assert kinds == ["filing", "referral"]


async def test_refiling_ends_the_offer(any_api: RegistrationApi) -> None:
    await refer(any_api)
    await refer(any_api)
    states = sorted(item["state"] for item in await listed(any_api, "globalsys"))
    assert states == ["ended", "offered"]
    [open_] = (await any_api.get("globalsys", "/v1/referrals?state=offered")).json()["items"]
    assert open_["state"] == "offered"


async def test_a_preview_says_what_a_referral_passes_on(api: RegistrationApi) -> None:
    answer = await api.client.post(
        "/v1/registrations/preview",
        headers=api.headers("acme"),
        json={
            "account": {"name": "Kunde GmbH", "country": "DE"},
            "product_lines": ["platform"],
            "amount": {"amount": "1", "currency": "USD"},
            "close_date": "2030-12-31",
        },
    )
    assert answer.json()["claims"][0]["answer"] == "not_in_territory"
    assert "the account and the product lines are passed on" in answer.json()["note"]


async def test_a_lapse_is_swept_in_time(api: RegistrationApi) -> None:
    await refer(api)
    api.clock.advance(days=2, hours=15)
    await api.service.tick()
    await api.service.tick()
    types = [event["type"] for event in await api.events()]
    assert types.count("dealreg.referral.lapsed.v1") == 1
    lapsed = (await api.events())[2]
    assert lapsed["data"]["returned_at"] == "2026-03-05T00:00:00.000000Z"
