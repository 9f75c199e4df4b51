"""What tests do with cases over HTTP, and what they read of the answers."""

from typing import Any

import httpx

from tests.factories.registration_service import RegistrationApi


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
