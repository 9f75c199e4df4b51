"""What a command answers of a registration is what a reader then finds, the reasons of untouched claims
too."""

from typing import Any

from tests.factories.registration_service import RegistrationApi

LINES = ["platform", "backup"]


async def test_every_answer_carries_the_reasons_that_stand(any_api: RegistrationApi) -> None:
    api = any_api
    held = await api.filed("acme", product_lines=["platform"])
    filed = await api.filed("techstart", product_lines=LINES)
    path = f"/v1/registrations/{filed['id']}"
    given = [line["reasons"] for line in filed["claims"]]
    assert all(given)

    async def same(answer: Any, who: str = "techstart") -> list[dict[str, Any]]:
        assert answer.status_code in (200, 202), answer.text
        read = (await api.get(who, path)).json()
        assert answer.json()["claims"] == read["claims"]
        claims: list[dict[str, Any]] = answer.json()["claims"]
        assert all(claim["reasons"] for claim in claims)
        return claims

    claims = await same(await api.act("techstart", filed["id"], "activity", note="met the buyer"))
    assert [claim["reasons"] for claim in claims] == given
    asked = await api.act(
        "techstart", filed["id"], "extension", product_lines=["backup"], evidence=["letter"]
    )
    await same(asked)
    granted = await api.act("manager", filed["id"], "extension/grant", product_lines=["backup"])
    waiting, extended = await same(granted, "manager")
    assert waiting["reasons"] == given[0]
    assert "was extended" in extended["reasons"][0]
    headers = api.headers("techstart", if_match=f'"v{granted.json()["version"]}"')
    amended = await api.client.patch(path, headers=headers, json={"close_date": "2030-11-30"})
    await same(amended)
    wanted = await api.act("vp", filed["id"], "request-info", question="Which site?")
    await same(wanted, "vp")
    await api.act("acme", held["id"], "withdraw")
    won = await api.act("techstart", filed["id"], "win")
    await same(won)
    await same(await api.act("techstart", filed["id"], "lose"))


async def test_a_registration_that_is_read_gives_its_reasons(any_api: RegistrationApi) -> None:
    filed = await any_api.filed("acme", product_lines=LINES)
    read = (await any_api.get("acme", f"/v1/registrations/{filed['id']}")).json()
    listed = (await any_api.get("acme", "/v1/registrations")).json()["items"][0]
    reasons = [claim["reasons"] for claim in filed["claims"]]
    for view in (read, listed):
        assert [claim["reasons"] for claim in view["claims"]] == reasons
