"""Two partners report one line won, over HTTP and on both databases."""

from typing import Any

from tests.factories.registration_service import RegistrationApi


async def test_two_reports_of_a_win_are_settled_by_a_person(any_api: RegistrationApi) -> None:
    api = any_api
    first, second = await api.filed("acme"), await api.filed("techstart")
    assert (await api.act("acme", first["id"], "win")).status_code == 200
    for _ in range(2):
        reported = await api.act("techstart", second["id"], "win")
        assert (reported.status_code, reported.json()["result"]) == (202, None)
        assert "acme" not in reported.text
    [case] = (await api.get("manager", "/v1/conflicts?kind=contradiction")).json()["items"]
    assert {claim["partner_id"] for claim in case["claims"]} == {"acme", "techstart"}
    assert case["claimed_result"] == "won"
    seen = await api.get("acme", f"/v1/conflicts/{case['id']}")
    assert seen.status_code == 200
    assert "techstart" not in seen.text and second["id"] not in seen.text

    async def results() -> list[Any]:
        views = [
            (await api.get("vp", f"/v1/registrations/{it['id']}")).json() for it in (first, second)
        ]
        return [(view["result"], view["claims"][0]["state"]) for view in views]

    assert await results() == [("won", "won"), (None, "closed")]
    ruled = await api.client.post(
        f"/v1/conflicts/{case['id']}/decide",
        headers=api.headers("manager", if_match=f'"v{case["version"]}"'),
        json={"ruling": "correct_record", "reason": "The order names the later claim."},
    )
    assert ruled.status_code == 200, ruled.text
    assert await results() == [("lost", "lost"), ("won", "won")]
    types = [event["type"].removeprefix("dealreg.") for event in await api.events()]
    assert types.count("registration.won.v1") == 2
    assert types.count("registration.corrected.v1") == 1
    renewal = await api.filed("techstart", deal_type="renewal")
    assert renewal["claims"][0]["outcome"] == "protected", "it is the incumbent now"
