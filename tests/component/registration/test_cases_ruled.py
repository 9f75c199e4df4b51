"""What follows from rulings, over HTTP: corrections, appeals, co-sell, erasure; what nobody learns."""

from typing import Any

import pytest

from tests.factories.cases import UPHOLD, act, conflict, problem, states
from tests.factories.registration_service import RegistrationApi


async def test_a_contradicted_result_opens_a_case_and_is_corrected(
    any_api: RegistrationApi,
) -> None:
    first, second = await any_api.filed("acme"), await any_api.filed("techstart")
    assert (await any_api.act("acme", first["id"], "win")).status_code == 200
    for _ in range(2):
        lost = await any_api.act("vp", first["id"], "lose")
        assert (lost.status_code, lost.json()["result"]) == (202, "won")
    case = await conflict(any_api)
    assert (case["kind"], case["claimed_result"]) == ("contradiction", "lost")
    decided = await act(
        any_api, "manager", case, "decide", ruling="correct_record", reason="The buyer says lost."
    )
    assert decided.status_code == 200, decided.text
    assert await states(any_api, first, second) == ["lost", "contested"]
    [told] = [e["data"] for e in await any_api.events() if "corrected" in e["type"]]
    assert (told["from_result"], told["to_result"]) == ("won", "lost")


async def test_an_appeal_goes_one_level_up_and_not_to_who_ruled(any_api: RegistrationApi) -> None:
    first, second = await any_api.filed("acme"), await any_api.filed("techstart")
    await act(any_api, "manager", await conflict(any_api), "decide", **UPHOLD)
    path = f"/v1/registrations/{second['id']}/appeal"
    body = {"text": "We met the buyer in May.", "evidence": ["minutes"]}
    appealed = await any_api.client.post(path, headers=any_api.headers("techstart"), json=body)
    assert appealed.status_code == 201, appealed.text
    assert "acme" not in appealed.text
    twice = await any_api.client.post(path, headers=any_api.headers("techstart"), json=body)
    assert problem(twice) == (409, "appealed-already")
    other = await any_api.client.post(path, headers=any_api.headers("acme"), json=body)
    assert other.status_code == 404
    case = await conflict(any_api)
    assert (case["kind"], case["level"]) == ("appeal", 2)
    assert problem(await act(any_api, "manager", case, "decide", **UPHOLD)) == (
        403,
        "not-responsible",
    )
    award = {"ruling": "award", "claim": second["claims"][0]["id"], "reason": "New facts."}
    assert (await act(any_api, "vp", case, "decide", **award)).status_code == 200
    assert await states(any_api, first, second) == ["revoked", "protected"]


async def test_the_ceos_ruling_is_appealed_to_the_reviewer_who_reads_it_and_rules(
    any_api: RegistrationApi,
) -> None:
    first, second = await any_api.filed("acme"), await any_api.filed("techstart")
    await act(any_api, "ceo", await conflict(any_api), "decide", **UPHOLD)
    path = f"/v1/registrations/{second['id']}/appeal"
    body = {"text": "We met the buyer in May.", "evidence": ["minutes"]}
    appealed = await any_api.client.post(path, headers=any_api.headers("techstart"), json=body)
    assert appealed.status_code == 201, appealed.text
    case = await conflict(any_api, "reviewer")
    assert (case["kind"], case["responsible"]["person_id"]) == ("appeal", "reviewer")
    award = {"ruling": "award", "claim": second["claims"][0]["id"], "reason": "New facts."}
    assert problem(await act(any_api, "ceo", case, "decide", **award)) == (403, "not-responsible")
    assert (await act(any_api, "reviewer", case, "decide", **award)).status_code == 200
    assert await states(any_api, first, second) == ["revoked", "protected"]
    told = (await any_api.get("reviewer", "/v1/conflicts/statistics?quarters=1")).json()["items"]
    assert told[0]["decided_by_level"] == {"1": 0, "2": 0, "3": 1, "4": 1}
    path = f"/v1/registrations/{first['id']}/revoke"
    revoked = await any_api.client.post(
        path, headers=any_api.headers("reviewer"), json={"reason": "x"}
    )
    assert problem(revoked) == (403, "role-not-allowed")  # a reviewer works on cases alone


async def test_direct_engagement_is_opened_once_and_released(any_api: RegistrationApi) -> None:
    first, second = await any_api.filed("acme"), await any_api.filed("techstart")
    body = {"kind": "direct_engagement", "registration_id": first["id"], "reason": "In the CRM."}
    opened = await any_api.client.post("/v1/conflicts", headers=any_api.headers("vp"), json=body)
    assert opened.status_code == 201, opened.text
    twice = await any_api.client.post("/v1/conflicts", headers=any_api.headers("vp"), json=body)
    assert problem(twice) == (409, "already-open")
    released = await act(
        any_api, "vp", opened.json(), "decide", ruling="release_all", reason="Sold directly."
    )
    assert released.status_code == 200, released.text
    assert await states(any_api, first, second) == ["revoked", "closed"]
    listed = (await any_api.get("auditor", "/v1/conflicts")).json()["items"]
    assert {entry["state"] for entry in listed} == {"decided", "withdrawn"}


async def test_co_sellers_see_each_other(any_api: RegistrationApi) -> None:
    first, second = await any_api.filed("acme"), await any_api.filed("techstart")
    third = await any_api.filed("fourth")
    lead, co = (r["claims"][0]["id"] for r in (first, second))
    ruled = await act(
        any_api,
        "ceo",
        await conflict(any_api),
        "decide",
        ruling="co_sell",
        claim=lead,
        co_holders=[co],
        reason="Both worked on it.",
    )
    assert ruled.status_code == 200, ruled.text
    assert await states(any_api, first, second, third) == ["protected", "contested", "closed"]
    for who, registration, partner in (
        ("acme", first, ["techstart"]),
        ("techstart", second, ["acme"]),
        ("fourth", third, None),
    ):
        view = (await any_api.get(who, f"/v1/registrations/{registration['id']}")).json()
        shared = view["claims"][0].get("co_sell")
        assert (shared and shared["with"]) == partner


async def test_what_was_written_can_be_erased_and_what_was_done_stays(
    any_api: RegistrationApi,
) -> None:
    await any_api.filed("acme")
    await any_api.filed("techstart")
    await act(any_api, "vp", await conflict(any_api), "comment", text="Jo told me.")
    case = await conflict(any_api)
    [entry] = [e for e in case["history"] if e["text"] == "Jo told me."]
    path = f"/v1/conflicts/{case['id']}/entries/{entry['detail']['entry']}"
    for _ in range(2):
        gone = await any_api.client.delete(path, headers=any_api.headers("admin"))
        assert gone.status_code == 204
    none = await any_api.client.delete(f"{path}x", headers=any_api.headers("admin"))
    assert none.status_code == 404
    assert (await any_api.client.delete(path, headers=any_api.headers("vp"))).status_code == 403
    case = await conflict(any_api)
    assert "Jo told me." not in str(case)
    assert [e["action"] for e in case["history"]][-2:] == ["conflict.commented", "conflict.erased"]


async def test_an_offer_ends_with_the_ruling_that_gives_the_line_to_another(
    api: RegistrationApi,
) -> None:
    first, second, third = [await api.filed(who) for who in ("acme", "techstart", "fourth")]
    await api.act("acme", first["id"], "lose")
    case = await conflict(api)
    assert case["state"] == "open"
    award = {"ruling": "award", "claim": third["claims"][0]["id"], "reason": "Nearer to the buyer."}
    decided = await act(api, "manager", case, "decide", **award)
    assert decided.status_code == 200, decided.text
    assert await states(api, first, second, third) == ["lost", "closed", "protected"]
    refused = await api.act("techstart", second["id"], "offer/accept")
    assert refused.status_code == 409


@pytest.mark.parametrize("kind", ["overlap", "appeal", "contradiction", "direct_engagement"])
async def test_conflicts_are_listed_by_kind(api: RegistrationApi, kind: str) -> None:
    await api.filed("acme")
    await api.filed("techstart")
    listed = (await api.get("auditor", f"/v1/conflicts?kind={kind}")).json()["items"]
    assert [entry["kind"] for entry in listed] == ([kind] if kind == "overlap" else [])


@pytest.mark.parametrize("ruling", ["uphold_first", "award", "split", "co_sell", "release_all"])
async def test_no_ruling_tells_a_partner_of_a_rival(api: RegistrationApi, ruling: str) -> None:
    """Only who sells together sees the other."""
    lines = ["platform", "backup"] if ruling == "split" else ["platform"]
    filed = {
        who: await api.filed(who, product_lines=lines) for who in ("acme", "techstart", "fourth")
    }
    ids = {who: view["claims"][0]["id"] for who, view in filed.items()}
    further: dict[str, Any] = {
        "award": {"claim": ids["techstart"]},
        "split": {
            "lines": {"platform": ids["fourth"], "backup": filed["acme"]["claims"][-1]["id"]}
        },
        "co_sell": {"claim": ids["acme"], "co_holders": [ids["techstart"]]},
    }.get(ruling, {})
    case = await conflict(api)
    answer = await act(api, "manager", case, "decide", ruling=ruling, reason="So be it.", **further)
    assert answer.status_code == 200, answer.text
    [decided] = [e["data"] for e in await api.events() if "conflict.decided" in e["type"]]
    sentences = {party["partner_id"]: party["sentence"] for party in decided["parties"]}
    assert set(sentences) == set(filed)
    together = {"acme", "techstart"} if ruling == "co_sell" else set()
    for who, view in filed.items():
        path = f"/v1/registrations/{view['id']}"
        shown = [
            (await api.get(who, each)).text
            for each in (path, f"{path}/timeline", f"/v1/conflicts/{case['id']}")
        ]
        rivals = set(filed) - {who} - (together if who in together else set())
        facts = rivals | {filed[rival]["id"] for rival in rivals} | {ids[rival] for rival in rivals}
        for text in (*shown, sentences[who]):
            assert not [fact for fact in (*facts, "manager", "so be it.") if fact in text.lower()]
