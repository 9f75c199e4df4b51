"""Receipts: complete in the answer to the filing, the same for ever after, and without a place."""

import json
from typing import Any

from dealreg_registration.receipting import canonical_body
from dealreg_registration.signing_keys import SigningKeys
from dealreg_shared import receipts
from dealreg_shared.links import bytes_of
from tests.factories.registration_service import RegistrationApi, deal

FIELDS = {
    *("number", "registration_id", "filed_at", "plan_number", "body_hash", "salt"),
    *("key", "path", "signature"),
}


async def is_good(api: RegistrationApi, receipt: dict[str, Any]) -> bool:
    keys = (await api.client.get("/.well-known/jwks.json")).json()["keys"]
    public = {key["kid"]: bytes_of(key["x"]) for key in keys}
    stated = receipts.statement(
        receipt["number"],
        receipt["registration_id"],
        receipt["filed_at"],
        receipt["plan_number"],
        receipt["body_hash"],
    )
    return receipts.is_sealed(stated, receipts.seal_of(receipt), public[receipt["key"]])


def says(receipt: dict[str, Any], body: Any) -> bool:
    made = receipts.body_hash(receipt["salt"], receipts.canonical(body))
    return bool(made == receipt["body_hash"])


async def test_the_answer_to_a_filing_has_a_signed_receipt(any_api: RegistrationApi) -> None:
    answer = await any_api.file("acme", key="once")
    view = answer.json()
    receipt = view["receipt"]

    assert set(receipt) == FIELDS
    assert await is_good(any_api, receipt)
    assert (receipt["registration_id"], receipt["filed_at"]) == (view["id"], view["filed_at"])
    assert receipt["plan_number"] == view["plan_number"] == 1
    assert says(receipt, deal())
    assert not says(receipt, deal(amount={"amount": "25000.01", "currency": "USD"}))
    shown = await any_api.get("acme", f"/v1/registrations/{view['id']}")
    assert shown.json()["receipt"] == receipt
    assert (await any_api.get("manager", f"/v1/registrations/{view['id']}")).json()[
        "receipt"
    ] == receipt
    again = await any_api.file("acme", key="once")
    assert again.content == answer.content


async def test_the_spelling_of_the_body_does_not_matter(api: RegistrationApi) -> None:
    body = deal(account={"name": "Überweg & Söhne »KG«"})
    raw = json.dumps(dict(reversed(body.items())), indent=3).encode()
    assert canonical_body(raw) == receipts.canonical(body)
    answer = await api.client.post(
        "/v1/registrations",
        headers=api.headers("acme", idempotency_key="x") | {"content-type": "application/json"},
        content=raw,
    )

    assert says(answer.json()["receipt"], body)


async def test_receipts_of_one_batch_are_good_each_alone(any_api: RegistrationApi) -> None:
    import asyncio

    answers = await asyncio.gather(
        *(any_api.file("acme", account={"name": f"C{n}", "domain": f"c{n}.com"}) for n in range(40))
    )
    given = [answer.json()["receipt"] for answer in answers]
    assert all([await is_good(any_api, receipt) for receipt in given])
    assert len({len(json.dumps(receipt)) for receipt in given}) == 1
    assert len({receipt["number"] for receipt in given}) == 40


async def test_a_touched_receipt_is_not_good(api: RegistrationApi) -> None:
    receipt = (await api.filed("acme"))["receipt"]
    for name, other in (
        ("number", "0" * 32),
        ("registration_id", "reg_0"),
        ("filed_at", "2026-03-02T08:59:59.999999Z"),
        ("plan_number", 2),
        ("body_hash", "0" * 64),
        ("path", ("B" if receipt["path"][0] == "A" else "A") + receipt["path"][1:]),
        ("path", ""),
    ):
        assert not await is_good(api, receipt | {name: other}), name


async def test_rotation_does_not_break_a_receipt(api: RegistrationApi) -> None:
    old = (await api.filed("acme"))["receipt"]
    await api.database.write(SigningKeys().rotate)
    await api.service.tick()
    new = (await api.filed("techstart"))["receipt"]

    assert old["key"] != new["key"]
    assert await is_good(api, old)
    assert await is_good(api, new)


async def test_a_registration_taken_from_a_referral_has_a_receipt_without_body(
    any_api: RegistrationApi,
) -> None:
    filed = await any_api.filed("globalsys")
    assert filed["claims"][0]["state"] == "referred"
    [referral] = (await any_api.get("acme", "/v1/referrals")).json()["items"]
    taken = await any_api.client.post(
        f"/v1/referrals/{referral['id']}/accept",
        headers=any_api.headers("acme"),
        json={"amount": {"amount": "5.00", "currency": "USD"}, "close_date": "2035-05-05"},
    )
    assert taken.status_code == 201, taken.text
    receipt = taken.json()["registration"]["receipt"]

    assert receipt["body_hash"] is None
    assert await is_good(any_api, receipt)
    shown = await any_api.get("acme", f"/v1/registrations/{receipt['registration_id']}")
    assert shown.json()["receipt"] == receipt


async def test_with_the_contacts_the_salt_goes_and_the_signature_stays(
    any_api: RegistrationApi,
) -> None:
    view = await any_api.filed("acme", contacts=[{"name": "Ida Example"}])
    assert says(view["receipt"], deal(contacts=[{"name": "Ida Example"}]))
    changed = await any_api.client.patch(
        f"/v1/registrations/{view['id']}",
        headers=any_api.headers("acme", if_match=f'"v{view["version"]}"'),
        json={"contacts": []},
    )
    assert changed.status_code == 200, changed.text
    kept = (await any_api.get("acme", f"/v1/registrations/{view['id']}")).json()["receipt"]

    assert kept == view["receipt"] | {"salt": None}
    assert await is_good(any_api, kept)
