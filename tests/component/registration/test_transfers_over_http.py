"""Transfers and objections over HTTP: both consents, what each side sees, and the events."""

import copy
import json
from pathlib import Path

from tests.factories.registration_service import PLAN, RegistrationApi, registration_api


async def test_a_transfer_passes_by_both_consents(any_api: RegistrationApi) -> None:
    api = any_api
    held, waiting = await api.filed("acme"), await api.filed("fourth")
    refused = await api.act("acme", held["id"], "transfer", to_partner="techstart", reason="x")
    assert refused.status_code == 403
    bad = await api.act("vp", held["id"], "transfer", to_partner="nobody", reason="x")
    assert (bad.status_code, bad.json()["type"]) == (422, "/problems/unfit-receiver")
    asked = await api.act("vp", held["id"], "transfer", to_partner="techstart", reason="agreed")
    assert asked.status_code == 201, asked.text
    transfer = asked.json()["id"]
    for who, side in (("acme", "holder"), ("techstart", "receiver")):
        [seen] = (await api.get(who, "/v1/transfers")).json()["items"]
        assert (seen["you_are"], seen["state"]) == (side, "pending")
        other = "techstart" if who == "acme" else "acme"
        assert other not in json.dumps(seen)
    assert (await api.get("fourth", "/v1/transfers")).json()["items"] == []
    path = f"/v1/transfers/{transfer}"
    stranger = await api.client.post(f"{path}/accept", headers=api.headers("fourth"))
    assert stranger.status_code == 404
    for who in ("acme", "techstart"):
        answer = await api.client.post(f"{path}/accept", headers=api.headers(who))
        assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "done"
    taken = await api.get("techstart", f"/v1/registrations/{answer.json()['registration_id']}")
    [claim] = taken.json()["claims"]
    assert claim["state"] == "protected"
    assert claim["protected_until"] == held["claims"][0]["protected_until"]
    before = (await api.get("acme", f"/v1/registrations/{held['id']}")).json()
    assert before["claims"][0]["state"] == "transferred"
    third = (await api.get("fourth", f"/v1/registrations/{waiting['id']}")).json()
    assert third["claims"][0]["state"] == "contested"
    types = [event["type"].removeprefix("dealreg.") for event in await api.events()]
    assert types[-5:] == [
        "transfer.opened.v1",
        "transfer.closed.v1",
        "registration.received.v1",
        "claim.transferred.v1",
        "conflict.joined.v1",
    ]
    again = await api.client.post(f"{path}/decline", headers=api.headers("acme"))
    assert (again.status_code, again.json()["type"]) == (409, "/problems/transfer-closed")


async def test_a_case_opens_by_objection_where_the_plan_says_so(tmp_path: Path) -> None:
    plan = copy.deepcopy(PLAN) | {"policy": {"overlap_cases": "disputed"}}
    async with registration_api(tmp_path, plan=plan) as api:
        await api.filed("acme")
        second = await api.filed("techstart")
        assert "If you object before" in second["claims"][0]["reasons"][-1]
        assert (await api.get("vp", "/v1/conflicts")).json()["items"] == []
        objected = await api.act("techstart", second["id"], "object", reason="we were first")
        assert objected.status_code == 200, objected.text
        [case] = (await api.get("vp", "/v1/conflicts")).json()["items"]
        assert case["kind"] == "overlap"
        assert (await api.events())[-1]["type"] == "dealreg.conflict.opened.v1"
        again = await api.act("techstart", second["id"], "object", reason="again")
        assert (again.status_code, again.json()["type"]) == (409, "/problems/nothing-to-object")
