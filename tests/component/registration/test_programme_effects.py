"""What publishing and suspending do to deals, in the whole service."""

from datetime import datetime, timedelta
from typing import Any

from dealreg_shared.contracts.base import format_instant
from tests.factories.plans import person
from tests.factories.registration_service import PLAN, START, RegistrationApi

STAFF = [person("mia", "partner_manager"), person("vic", "vp"), person("cleo", "ceo")]


async def publish(api: RegistrationApi, in_force_from: datetime, **changes: Any) -> None:
    answer = await api.client.post(
        "/v1/plans",
        headers=api.headers("admin"),
        params={"in_force_from": format_instant(in_force_from)},
        json=PLAN | {"people": STAFF} | changes,
    )
    assert answer.status_code == 201, answer.text


async def standing(api: RegistrationApi, act: str, version: int) -> Any:
    answer = await api.client.post(
        f"/v1/partners/acme/{act}",
        headers=api.headers("admin", if_match=f'"v{version}"'),
        json={"reason": "Contract ended"} if act == "suspend" else None,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def claim(api: RegistrationApi, who: str, view: dict[str, Any]) -> dict[str, Any]:
    answer = await api.get(who, f"/v1/registrations/{view['id']}")
    found: dict[str, Any] = answer.json()["claims"][0]
    return found


async def test_a_published_plan_counts_from_its_instant_and_changes_nothing_granted(
    api: RegistrationApi,
) -> None:
    before = await api.filed("acme")
    await publish(api, START + timedelta(days=1), policy={"protection_days": 30})
    still = await api.filed("acme", account={"domain": "second.com"})
    assert still["claims"][0]["protected_until"] == format_instant(START + timedelta(days=90))
    api.clock.advance(days=1)
    after = await api.filed("acme", account={"domain": "third.com"})
    assert after["claims"][0]["protected_until"] == format_instant(START + timedelta(days=31))
    assert (await claim(api, "acme", before))["protected_until"] == format_instant(
        START + timedelta(days=90)
    )


async def test_a_plan_in_force_at_once_decides_the_next_filing(api: RegistrationApi) -> None:
    moved = [
        {"id": "us-tech", "territory": "us", "partner": "techstart"},
        {"id": "de-glob", "territory": "de", "partner": "globalsys"},
    ]
    first = await api.filed("acme")
    await publish(api, START, assignments=moved)
    second = await api.filed("acme", account={"domain": "second.com"})
    assert second["claims"][0]["state"] == "referred"
    assert (await claim(api, "acme", first))["state"] == "protected"


async def test_a_suspended_partner_keeps_its_protection_for_the_notice_only(
    api: RegistrationApi,
) -> None:
    await publish(api, START)
    first, second = await api.filed("acme"), await api.filed("techstart")
    suspended = await standing(api, "suspend", 0)
    refused = await api.filed("acme", account={"domain": "second.com"})
    assert refused["claims"][0]["state"] == "rejected"
    api.clock.advance(days=5, microseconds=-1)
    assert (await claim(api, "acme", first))["state"] == "protected"
    api.clock.advance(microseconds=1)
    assert (await claim(api, "acme", first))["state"] == "revoked"
    promoted = await claim(api, "techstart", second)
    assert (promoted["state"], promoted["protected_from"]) == (
        "protected",
        suspended["release_at"],
    )


async def test_a_partner_active_again_within_the_notice_keeps_everything(
    api: RegistrationApi,
) -> None:
    await publish(api, START)
    first = await api.filed("acme")
    await standing(api, "suspend", 0)
    api.clock.advance(days=2)
    await standing(api, "reactivate", 1)
    api.clock.advance(days=10)
    assert (await claim(api, "acme", first))["state"] == "protected"
    assert (await api.filed("acme", account={"domain": "x.com"}))["claims"][0][
        "state"
    ] == "protected"


async def test_suspended_and_active_again_at_one_instant_is_active(api: RegistrationApi) -> None:
    await publish(api, START)
    await standing(api, "suspend", 0)
    await standing(api, "reactivate", 1)
    assert (await api.filed("acme"))["claims"][0]["state"] == "protected"
