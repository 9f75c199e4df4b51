"""A case over HTTP: who may take it, pass it up and settle it, and at which instant."""

import asyncio
from datetime import timedelta

import pytest

from dealreg_registration.domain.case_steps import ROLES
from tests.factories.cases import UPHOLD, act, conflict, problem, states
from tests.factories.registration_service import START, RegistrationApi


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


async def test_a_claim_joins_the_first_case_that_its_holder_is_part_of(
    any_api: RegistrationApi,
) -> None:
    """Whichever of its rows a database finds first."""
    holder = await any_api.filed("acme")
    await any_api.filed("techstart", product_lines=["backup"])
    await any_api.filed("fourth")
    first = await conflict(any_api)
    await any_api.travel(minutes=1)
    added = await any_api.client.patch(
        f"/v1/registrations/{holder['id']}",
        headers=any_api.headers("acme", if_match=f'"v{holder["version"]}"', idempotency_key="add"),
        json={"product_lines": ["backup"]},
    )
    assert added.status_code == 201, added.text
    assert (await conflict(any_api))["id"] != first["id"]
    reviewed = await act(
        any_api,
        "manager",
        first,
        "review",
        recommendation="uphold_first",
        text="They came first.",
    )
    assert reviewed.status_code == 200, reviewed.text
    joined = await any_api.filed("techstart")
    case = (await any_api.get("auditor", f"/v1/conflicts/{first['id']}")).json()
    assert joined["claims"][0]["id"] in {claim["id"] for claim in case["claims"]}
