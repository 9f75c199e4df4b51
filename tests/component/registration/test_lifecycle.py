"""A registration's life over HTTP: read, edited, ended, expired; and who sees what."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.factories.registration_service import PLAN, START, RegistrationApi, publish


def states(view: dict[str, Any]) -> list[str]:
    return [claim["state"] for claim in view["claims"]]


async def read(api: RegistrationApi, who: str, registration_id: str) -> dict[str, Any]:
    answer = await api.get(who, f"/v1/registrations/{registration_id}")
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def test_expiry_is_seen_at_its_instant_without_any_sweep(api: RegistrationApi) -> None:
    first, second = await api.filed("acme"), await api.filed("techstart")
    api.clock.advance(days=90)
    assert states(await read(api, "acme", first["id"])) == ["expired"]
    promoted = await read(api, "techstart", second["id"])
    assert states(promoted) == ["protected"]
    assert promoted["claims"][0]["protected_from"] == "2026-05-31T09:00:00.000000Z"
    assert len(await api.events()) == 3


async def test_the_sweep_says_so_once_in_events(api: RegistrationApi) -> None:
    await api.filed("acme")
    await api.filed("techstart")
    api.clock.advance(days=90, seconds=5)
    await api.service.tick()
    await api.service.tick()
    types = [event["type"] for event in await api.events()][3:]
    assert types == [
        *["dealreg.claim.expiring.v1"] * 3,
        "dealreg.claim.expired.v1",
        "dealreg.claim.promoted.v1",
        "dealreg.conflict.closed.v1",
    ]
    expired = (await api.events())[6]
    assert expired["data"]["at"] == "2026-05-31T09:00:00.000000Z"


async def test_withdraw_promotes_and_a_win_closes(any_api: RegistrationApi) -> None:
    first, second = await any_api.filed("acme"), await any_api.filed("techstart")
    third = await any_api.filed("fourth")
    answer = await any_api.act("acme", first["id"], "withdraw")
    assert states(answer.json()) == ["withdrawn"]
    assert states(await read(any_api, "techstart", second["id"])) == ["protected"]
    won = await any_api.act("techstart", second["id"], "win")
    assert won.json()["result"] == "won"
    assert states(await read(any_api, "fourth", third["id"])) == ["closed"]
    types = [event["type"] for event in await any_api.events()]
    assert types[-3:] == [
        "dealreg.registration.won.v1",
        "dealreg.claim.closed.v1",
        "dealreg.conflict.closed.v1",
    ]
    credit = (await any_api.events())[-3]["data"]["credit"]
    assert (credit["sold_by"], credit["territory_id"]) == ("techstart", "us")


async def test_ending_twice_and_contradicting_a_result_are_conflicts(api: RegistrationApi) -> None:
    first = await api.filed("acme")
    assert (await api.act("acme", first["id"], "lose", reason="price")).status_code == 200
    again = await api.act("acme", first["id"], "lose")
    assert (again.status_code, again.json()["result"]) == (200, "lost")
    won = await api.act("acme", first["id"], "win")
    assert (won.status_code, won.json()["result"]) == (202, "lost")
    withdrawn = await api.act("acme", first["id"], "withdraw")
    assert withdrawn.json()["type"] == "/problems/nothing-to-end"


async def test_staff_revoke_with_a_reason_and_partners_do_not(api: RegistrationApi) -> None:
    first = await api.filed("acme")
    assert (await api.act("acme", first["id"], "revoke", reason="x")).status_code == 403
    assert (await api.act("vp", first["id"], "revoke")).status_code == 422
    revoked = await api.act("vp", first["id"], "revoke", reason="no activity")
    assert states(revoked.json()) == ["revoked"]


async def test_editing_needs_the_version_that_was_read(any_api: RegistrationApi) -> None:
    first = await any_api.filed("acme")
    path = f"/v1/registrations/{first['id']}"
    body = {"amount": {"amount": "99.50", "currency": "USD"}, "contacts": [{"name": "Jo"}]}
    bare = await any_api.client.patch(path, headers=any_api.headers("acme"), json=body)
    assert bare.status_code == 428
    seen = (await any_api.get("acme", path)).headers["etag"]
    edited = await any_api.client.patch(
        path, headers=any_api.headers("acme", if_match=seen), json=body
    )
    assert edited.status_code == 200
    assert edited.json()["amount"]["amount"] == "99.50"
    assert edited.headers["etag"] != seen
    stale = await any_api.client.patch(
        path, headers=any_api.headers("acme", if_match=seen), json=body
    )
    assert stale.status_code == 412
    assert (await read(any_api, "acme", first["id"]))["contacts"] == [
        {"name": "Jo", "email": None, "phone": None}
    ]


async def test_an_added_fact_decides_again_and_tells_every_filer_of_its_own(
    api: RegistrationApi,
) -> None:
    france = {"country": "FR", "domain": "client.fr"}
    early = await api.filed("globalsys", account=france)
    late = await api.filed("acme", account=france)
    assert early["claims"][0]["outcome"] == late["claims"][0]["outcome"] == "open"
    edited = await api.client.patch(
        f"/v1/registrations/{late['id']}",
        headers=api.headers("acme", if_match='"v1"'),
        json={"account": {"employees": 20}},
    )
    assert states(edited.json()) == ["referred"]
    assert states(await read(api, "globalsys", early["id"])) == ["protected"]
    amended = [e for e in await api.events() if e["type"] == "dealreg.registration.amended.v1"]
    assert [(e["data"]["partner_id"], len(e["data"]["claims"])) for e in amended] == [
        ("acme", 1),
        ("globalsys", 1),
    ]
    refused = await api.client.patch(
        f"/v1/registrations/{late['id']}",
        headers=api.headers("acme", if_match='"v2"'),
        json={"account": {"employees": 900}},
    )
    assert refused.json()["type"] == "/problems/fact-already-known"


async def test_lines_are_added_as_new_claims(api: RegistrationApi) -> None:
    first = await api.filed("acme")
    added = await api.client.patch(
        f"/v1/registrations/{first['id']}",
        headers=api.headers("acme", if_match='"v1"'),
        json={"product_lines": ["backup"]},
    )
    assert added.status_code == 201
    assert states(added.json()) == ["protected", "protected"]
    assert (await api.events())[-1]["type"] == "dealreg.registration.lines-added.v1"


@pytest.mark.parametrize("path", ["", "/timeline"])
async def test_anothers_registration_answers_like_none(api: RegistrationApi, path: str) -> None:
    first = await api.filed("acme")
    foreign = await api.get("techstart", f"/v1/registrations/{first['id']}{path}")
    absent = await api.get("techstart", f"/v1/registrations/reg_{'0' * 32}{path}")

    def told(answer: httpx.Response) -> dict[str, Any]:
        return {k: v for k, v in answer.json().items() if k != "correlation_id"}

    assert (
        (foreign.status_code, told(foreign))
        == (absent.status_code, told(absent))
        == (
            404,
            told(absent),
        )
    )


async def test_a_partner_sees_nothing_of_its_rival(api: RegistrationApi) -> None:
    first = await api.filed("acme", external_reference="SECRET-REF", evidence=["SECRET-EVIDENCE"])
    second = await api.filed("techstart")
    seen = [
        (await api.get("techstart", path)).text
        for path in (
            f"/v1/registrations/{second['id']}",
            f"/v1/registrations/{second['id']}/timeline",
            "/v1/registrations",
            f"/v1/registrations?partner_id=acme&account_id={'x' * 20}",
        )
    ]
    staff = await read(api, "admin", first["id"])
    secrets = ["acme", "Acme", first["id"], first["claims"][0]["id"], staff["account_id"], "SECRET"]
    for text in [*seen, str(second)]:
        for secret in secrets:
            assert secret not in text
        assert '"place"' not in text


async def test_conflicts_and_accounts_are_for_staff(api: RegistrationApi) -> None:
    await api.filed("acme")
    await api.filed("techstart")
    assert (await api.get("acme", "/v1/conflicts")).status_code == 403
    assert (await api.get("acme", "/v1/accounts")).status_code == 403
    [case] = (await api.get("auditor", "/v1/conflicts?state=open")).json()["items"]
    assert (case["level"], case["seconds_left"]) == (1, 4 * 3600)
    api.clock.advance(hours=4)
    detail = (await api.get("auditor", f"/v1/conflicts/{case['id']}")).json()
    assert (detail["level"], detail["responsible"]["role"]) == (2, "vp")
    assert detail["seconds_left"] == 20 * 3600
    api.clock.advance(hours=20)
    detail = (await api.get("auditor", f"/v1/conflicts/{case['id']}")).json()
    assert (detail["level"], detail["seconds_left"]) == (3, None)
    [account] = (await api.get("auditor", "/v1/accounts?key=domain:customer.com")).json()["items"]
    assert len(account["active_claims"]) == 2


async def test_staff_correct_an_account_and_claims_are_decided_again(api: RegistrationApi) -> None:
    early = await api.filed("globalsys", account={"country": "FR", "domain": "client.fr"})
    [account] = (await api.get("admin", "/v1/accounts")).json()["items"]
    path = f"/v1/accounts/{account['id']}"
    seen = (await api.get("admin", path)).headers["etag"]
    corrected = await api.client.patch(
        path,
        headers=api.headers("admin", if_match=seen),
        json={"facts": {"employees": {"from": 1, "to": 50}}},
    )
    assert corrected.status_code == 200, corrected.text
    assert corrected.json()["said_by"]["employees"] == "staff"
    assert states(await read(api, "globalsys", early["id"])) == ["protected"]


async def test_lists_filter_page_and_are_never_stale(api: RegistrationApi) -> None:
    for number in range(5):
        api.clock.advance(seconds=1)
        await api.filed("acme", account={"domain": f"customer-{number}.com"})
    page = (await api.get("acme", "/v1/registrations?limit=2")).json()
    ids = [item["id"] for item in page["items"]]
    while page["next"]:
        page = (await api.get("acme", f"/v1/registrations?limit=2&after={page['next']}")).json()
        ids += [item["id"] for item in page["items"]]
    assert len(set(ids)) == 5
    api.clock.advance(days=90)
    expired = (await api.get("acme", "/v1/registrations?state=expired")).json()["items"]
    assert len(expired) == 5
    assert (await api.get("acme", "/v1/registrations?state=protected")).json()["items"] == []


async def test_a_plan_published_later_counts_from_its_instant_in_every_process(
    api: RegistrationApi,
) -> None:
    later = PLAN | {"assignments": [a for a in PLAN["assignments"] if a["partner"] != "acme"]}
    start = START + timedelta(days=1)
    await api.database.write(lambda conn: publish(conn, later, 2, start))
    assert (await api.filed("acme"))["claims"][0]["outcome"] == "protected"
    api.clock.now = start
    view = await api.filed("acme", account={"domain": "next.com"})
    assert (view["plan_number"], view["claims"][0]["outcome"]) == (2, "referred")


async def test_every_decision_is_kept_with_its_inputs(api: RegistrationApi) -> None:
    first = await api.filed("acme")
    staff = await read(api, "admin", first["id"])
    [decision] = staff["decisions"]
    assert decision["plan_number"] == 1
    assert decision["inputs"]["filing"]["partner"] == "acme"
    assert decision["result"]["lines"][0]["outcome"] == "protected"
    assert [step["rule"] for step in decision["result"]["lines"][0]["trace"]] == [1, 2, 3, 4, 5, 6]
