"""A case over HTTP: taken, passed up, asked about, settled; by whom, and at which instant."""

import asyncio
from collections.abc import AsyncIterator
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from dealreg_registration.domain.case_steps import ROLES
from tests.factories.registration_service import PLAN, START, RegistrationApi, registration_api


async def conflict(api: RegistrationApi, who: str = "auditor") -> dict[str, Any]:
    """The newest case, in full."""
    [newest, *_] = (await api.get(who, "/v1/conflicts")).json()["items"]
    view: dict[str, Any] = (await api.get(who, f"/v1/conflicts/{newest['id']}")).json()
    return view


async def act(
    api: RegistrationApi, who: str, case: dict[str, Any], what: str, **body: Any
) -> httpx.Response:
    return await api.client.post(
        f"/v1/conflicts/{case['id']}/{what}",
        headers=api.headers(who, if_match=f'"v{case["version"]}"'),
        json=body or None,
    )


async def states(api: RegistrationApi, *registrations: dict[str, Any]) -> list[str]:
    found = []
    for registration in registrations:
        view = (await api.get("auditor", f"/v1/registrations/{registration['id']}")).json()
        found += [claim["state"] for claim in view["claims"]]
    return found


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def said(answer: httpx.Response) -> dict[str, Any]:
    """An answer's body but for the request's own id."""
    return {name: value for name, value in answer.json().items() if name != "correlation_id"}


UPHOLD = {"ruling": "uphold_first", "reason": "First to register wins."}


async def test_a_manager_settles_a_case_with_one_call(any_api: RegistrationApi) -> None:
    first, second = await any_api.filed("acme"), await any_api.filed("techstart")
    case = await conflict(any_api)
    award = {
        "ruling": "award",
        "claim": second["claims"][0]["id"],
        "reason": "Met the buyer first.",
    }
    decided = await act(any_api, "manager", case, "decide", **award)
    assert decided.status_code == 200, decided.text
    assert (decided.json()["state"], decided.headers["etag"]) == ("decided", '"v2"')
    assert await states(any_api, first, second) == ["revoked", "protected"]
    events = (await any_api.events())[3:]
    assert [event["type"].removeprefix("dealreg.") for event in events] == [
        "claim.revoked.v1",
        "claim.promoted.v1",
        "conflict.decided.v1",
        "conflict.closed.v1",
    ]
    data = events[2]["data"]
    assert (data["level"], data["by"], data["breached"]) == (1, "manager", False)
    assert "Met the buyer" not in str(events)
    for party in data["parties"]:
        assert not {"acme", "techstart"} & set(party["sentence"].lower().split())
    read = await conflict(any_api)
    [ruled] = [e for e in read["history"] if e["action"] == "conflict.decided"]
    assert (ruled["text"], ruled["actor"]) == ("Met the buyer first.", "person:manager")
    assert await any_api.count("ruling") == 1


@pytest.mark.parametrize(
    ("elapsed", "taken", "expected"),
    [
        (timedelta(hours=3, minutes=59, seconds=59), False, 200),
        (timedelta(hours=4), False, 200),
        (timedelta(hours=4, seconds=1), False, 200),
        (timedelta(hours=4), True, 409),
        (timedelta(hours=4, seconds=1), True, 409),
    ],
)
async def test_a_managers_time(
    api: RegistrationApi, elapsed: timedelta, taken: bool, expected: int
) -> None:
    await api.filed("acme")
    await api.filed("techstart")
    api.clock.now = START + elapsed
    case = await conflict(api)
    assert case["level"] == (1 if elapsed < timedelta(hours=4) else 2)
    if taken:
        assert (await act(api, "vp", case, "take")).status_code == 200
        case = await conflict(api)
    answer = await act(api, "manager", case, "decide", **UPHOLD)
    assert answer.status_code == expected, answer.text
    if taken:
        assert problem(answer) == (409, "level-taken")
        comment = await act(api, "manager", case, "comment", text="I was about to.")
        assert comment.status_code == 200
        assert (await act(api, "ceo", case, "decide", **UPHOLD)).status_code == 200
    else:
        [data] = [e["data"] for e in await api.events() if "conflict.decided" in e["type"]]
        assert data["breached"] == (elapsed >= timedelta(hours=4))


async def test_keys_without_the_stamped_person_decide_nothing(api: RegistrationApi) -> None:
    await api.filed("acme")
    await api.filed("techstart")
    case = await conflict(api)
    for who in ("partner_manager", "admin", "deputy"):
        assert problem(await act(api, who, case, "decide", **UPHOLD)) == (403, "not-responsible")
    for who in ("auditor", "acme"):
        assert problem(await act(api, who, case, "decide", **UPHOLD)) == (403, "role-not-allowed")
    assert (await act(api, "deputy", case, "comment", text="Not mine.")).status_code == 200


async def test_a_delegate_acts_until_its_period_ends(api: RegistrationApi) -> None:
    await api.filed("acme")
    await api.filed("techstart")
    path = "/v1/people/manager/delegations"
    body = {"delegate_id": "deputy", "until": (START + timedelta(hours=2)).isoformat()}
    assert (await api.client.post(path, headers=api.headers("vp"), json=body)).status_code == 403
    made = await api.client.post(path, headers=api.headers("manager"), json=body)
    assert made.status_code == 201, made.text
    case = await conflict(api)
    assert case["levels"][0]["delegates"] == ["deputy"]
    assert (await act(api, "deputy", case, "take")).status_code == 200
    api.clock.advance(hours=2)
    case = await conflict(api)
    assert problem(await act(api, "deputy", case, "decide", **UPHOLD)) == (403, "not-responsible")
    assert (await act(api, "manager", case, "decide", **UPHOLD)).status_code == 200
    [told] = [e["data"] for e in await api.events() if "person.updated" in e["type"]]
    assert [entry["delegate_id"] for entry in told["delegations"]] == ["deputy"]


async def test_a_delegation_is_ended_early_and_refuses_nonsense(any_api: RegistrationApi) -> None:
    path = "/v1/people/vp/delegations"
    until = "2100-01-01T00:00:00Z"
    for bad in ({"delegate_id": "vp"}, {"delegate_id": "nobody"}):
        refused = await any_api.client.post(
            path, headers=any_api.headers("admin"), json=bad | {"until": until}
        )
        assert problem(refused) == (422, "bad-delegation")
    made = await any_api.client.post(
        path,
        headers=any_api.headers("admin"),
        json={"delegate_id": "deputy", "until": until},
    )
    one = f"{path}/{made.json()['id']}"
    for _ in range(2):
        assert (
            await any_api.client.delete(one, headers=any_api.headers("admin"))
        ).status_code == 204
    [listed] = (await any_api.get("auditor", path)).json()["items"]
    assert listed["ended_at"] is not None
    await any_api.filed("acme")
    await any_api.filed("techstart")
    case = await conflict(any_api)
    assert case["levels"][1]["delegates"] == []
    assert problem(await act(any_api, "deputy", case, "take")) == (403, "not-responsible")


async def test_of_two_who_decide_at_once_one_is_told_what_the_other_did(
    any_api: RegistrationApi,
) -> None:
    await any_api.filed("acme")
    await any_api.filed("techstart")
    case = await conflict(any_api)
    bare = await any_api.client.post(
        f"/v1/conflicts/{case['id']}/decide", headers=any_api.headers("vp"), json=UPHOLD
    )
    assert problem(bare) == (428, "if-match-required")
    answers = await asyncio.gather(
        *(act(any_api, who, case, "decide", **UPHOLD) for who in ("manager", "vp", "ceo"))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412]
    winner = next(
        who
        for who, answer in zip(("manager", "vp", "ceo"), answers, strict=True)
        if answer.status_code == 200
    )
    for answer in answers:
        if answer.status_code == 412:
            role = ROLES["partner_manager" if winner == "manager" else winner]
            done = f"it was decided by the {role} (person {winner}) at"
            assert done in answer.json()["detail"]
    assert await any_api.count("ruling") == 1


async def test_what_no_person_did_is_said_without_one(api: RegistrationApi) -> None:
    await api.filed("acme")
    await api.filed("techstart")
    case = await conflict(api)
    await api.filed("fourth")
    late = await act(api, "vp", case, "take")
    assert late.status_code == 412
    assert "read it: a further claim joined it at 2026-03-02 09:00:00 UTC." in late.json()["detail"]


async def test_a_review_moves_the_case_up_at_once(api: RegistrationApi) -> None:
    first = await api.filed("acme")
    await api.filed("techstart")
    api.clock.advance(hours=2)
    case = await conflict(api)
    due = case["deadlines"][1]["due_at"]
    passed = await act(
        api,
        "manager",
        case,
        "review",
        recommendation="uphold_first",
        claims=[first["claims"][0]["id"]],
        text="Both met the buyer.",
    )
    assert passed.status_code == 200, passed.text
    case = await conflict(api)
    assert (case["state"], case["level"], case["due_at"]) == ("reviewed", 2, due)
    assert [level["may_decide"] for level in case["levels"]] == [False, True, True]
    assert problem(await act(api, "manager", case, "decide", **UPHOLD)) == (
        409,
        "level-passed-up",
    )
    [event] = [e["data"] for e in await api.events() if "reviewed" in e["type"]]
    assert (event["generation"], event["level"], event["by"]) == (2, 2, "manager")
    assert (await act(api, "vp", case, "decide", **UPHOLD)).status_code == 200
    assert problem(await act(api, "vp", await conflict(api), "take")) == (409, "case-closed")


async def test_a_retry_gets_the_first_answer(any_api: RegistrationApi) -> None:
    await any_api.filed("acme")
    await any_api.filed("techstart")
    case = await conflict(any_api)
    headers = any_api.headers("manager", if_match='"v1"', idempotency_key="one")
    path = f"/v1/conflicts/{case['id']}/decide"
    first = await any_api.client.post(path, headers=headers, json=UPHOLD)
    again = await any_api.client.post(path, headers=headers, json=UPHOLD)
    assert (first.status_code, again.content) == (200, first.content)


async def test_a_reason_names_no_person_and_a_question_no_rival(api: RegistrationApi) -> None:
    await api.filed("acme", contacts=[{"name": "Jo Buyer"}])
    second = await api.filed("techstart")
    case = await conflict(api)
    for reason in ("Jo Buyer said so.", "ask vp doe", "write to a@b.com", "Acme's was first."):
        answer = await act(api, "manager", case, "decide", ruling="uphold_first", reason=reason)
        assert problem(answer) == (422, "names-a-person")
    asked = await act(
        api,
        "manager",
        case,
        "request-info",
        registration_id=second["id"],
        question="Did Acme meet the buyer before you?",
    )
    assert problem(asked) == (422, "names-a-person")
    own = await act(
        api,
        "manager",
        case,
        "request-info",
        registration_id=second["id"],
        question="When did the CEO of Techstart meet the buyer?",
    )
    assert own.status_code == 200, own.text
    fine = {
        "ruling": "uphold_first",
        "reason": "The CEO and the buyer met before the VP knew of it.",
    }
    assert (await act(api, "manager", await conflict(api), "decide", **fine)).status_code == 200


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
