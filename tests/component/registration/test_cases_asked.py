"""What is asked on a case and what it shows, over HTTP: to staff, to a party, to a stranger."""

from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.factories.cases import act, conflict, problem, said
from tests.factories.registration_service import PLAN, RegistrationApi, registration_api


@pytest.fixture
async def pausing(tmp_path: Path) -> AsyncIterator[RegistrationApi]:
    """Under a plan whose clocks stand while a party is asked, for 3 hours at most."""
    plan = deepcopy(PLAN)
    plan["policy"] = {"ladder": {"pause_for_information": True, "pause_limit_hours": 3}}
    async with registration_api(tmp_path, plan=plan) as api:
        yield api


async def ask(api: RegistrationApi, registration: dict[str, Any], hours: int) -> dict[str, Any]:
    case = await conflict(api)
    answer = await act(
        api,
        "manager",
        case,
        "request-info",
        registration_id=registration["id"],
        question="When did you meet the buyer?",
        hours=hours,
    )
    assert answer.status_code == 200, answer.text
    return await conflict(api)


async def test_asking_stops_the_clock_until_the_answer(pausing: RegistrationApi) -> None:
    await pausing.filed("acme")
    second = await pausing.filed("techstart")
    pausing.clock.advance(hours=1)
    case = await ask(pausing, second, hours=24)
    assert case["paused_until"] == "2026-03-02T13:00:00.000000Z"
    assert case["deadlines"][0]["due_at"] == "2026-03-02T16:00:00.000000Z"
    pausing.clock.advance(hours=2)
    path = f"/v1/conflicts/{case['id']}"
    asked = (await pausing.get("techstart", path)).json()["asked"]
    assert [entry["question"] for entry in asked] == ["When did you meet the buyer?"]
    answered = await act(pausing, "techstart", case, "answer", text="In May.")
    assert answered.status_code == 200
    case = await conflict(pausing)
    assert case["paused_until"] is None
    assert case["deadlines"][0]["due_at"] == "2026-03-02T15:00:00.000000Z"
    assert "In May." in [entry["text"] for entry in case["history"]]
    types = [e["type"].removeprefix("dealreg.conflict.") for e in (await pausing.events())[3:]]
    assert types == ["asked.v1", "paused.v1", "commented.v1", "resumed.v1"]
    assert "In May." not in str(await pausing.events())
    again = await act(pausing, "techstart", case, "answer", text="Once more.")
    assert problem(again) == (409, "not-asked")


async def test_silence_ends_a_pause_at_the_plans_limit(pausing: RegistrationApi) -> None:
    await pausing.filed("acme")
    second = await pausing.filed("techstart")
    pausing.clock.advance(hours=1)
    await ask(pausing, second, hours=2)
    pausing.clock.advance(hours=2, seconds=1)
    await pausing.service.tick()
    await pausing.service.tick()
    resumed = [e["data"] for e in await pausing.events() if "resumed" in e["type"]]
    assert [(e["how"], e["resumed_at"]) for e in resumed] == [
        ("lapsed", "2026-03-02T12:00:00.000000Z")
    ]
    case = await ask(pausing, second, hours=24)
    assert case["paused_until"] == "2026-03-02T13:00:01.000000Z"
    pausing.clock.advance(hours=30)
    assert (await conflict(pausing))["level"] == 3


async def test_a_case_is_absent_for_a_partner_that_is_no_party(any_api: RegistrationApi) -> None:
    first = await any_api.filed("acme")
    await any_api.filed("techstart")
    case = await conflict(any_api)
    absent = await any_api.get("globalsys", "/v1/conflicts/cnf_none")
    other = await any_api.get("globalsys", f"/v1/conflicts/{case['id']}")
    assert (other.status_code, said(other)) == (404, said(absent))
    for id_ in (case["id"], "cnf_none"):
        answer = await act(any_api, "globalsys", case | {"id": id_}, "answer", text="x")
        assert (answer.status_code, said(answer)) == (404, said(absent))
    mine = await any_api.get("acme", f"/v1/conflicts/{case['id']}")
    assert [claim["registration_id"] for claim in mine.json()["claims"]] == [first["id"]]
    assert "techstart" not in mine.text
    assert "manager" not in mine.text


async def test_a_case_shows_all_that_one_needs_to_settle_it(api: RegistrationApi) -> None:
    first = await api.filed("acme", evidence=["offer"])
    await api.filed("techstart")
    case = await conflict(api, "manager")
    assert [entry["partner_id"] for entry in case["filed"]] == ["acme", "techstart"]
    assert case["filed"][0]["evidence"] == ["offer"]
    assert [entry["kind"] for entry in case["trace"]] == ["filing", "filing"]
    [running] = case["protection"]
    assert running["claim_id"] == first["claims"][0]["id"]
    assert [level["may_decide"] for level in case["levels"]] == [True, True, True]
    assert [entry["seconds_left"] for entry in case["deadlines"]] == [4 * 3600, 24 * 3600, None]
    assert case["precedents"] == []


async def test_a_partner_finds_what_it_is_asked(any_api: RegistrationApi) -> None:
    await any_api.filed("acme")
    second = await any_api.filed("techstart")
    case = await ask(any_api, second, hours=24)
    [asked] = (await any_api.get("techstart", "/v1/questions")).json()["items"]
    assert (asked["conflict_id"], asked["open"]) == (case["id"], True)
    assert asked["question"] == "When did you meet the buyer?"
    assert (await any_api.get("acme", "/v1/questions")).json()["items"] == []
    assert (await any_api.get("vp", "/v1/questions")).status_code == 403
    await act(any_api, "techstart", case, "answer", text="In May.")
    [answered] = (await any_api.get("techstart", "/v1/questions")).json()["items"]
    assert answered["open"] is False
    assert answered["answered_at"] is not None
