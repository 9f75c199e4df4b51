"""Roots and proofs over HTTP: they prove what they should, to whom they should, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Text, select, type_coerce, update

from dealreg_registration import tables
from dealreg_registration.domain import log_entry, merkle
from dealreg_registration.signing_keys import SigningKeys
from dealreg_shared.links import bytes_of
from dealreg_shared.receipts import Root
from tests.factories.registration_service import PLAN, RegistrationApi, registration_api


async def sealed(api: RegistrationApi) -> None:
    await api.service.extras["sealer"].seal()


async def key_set(api: RegistrationApi) -> dict[str, bytes]:
    answer = await api.client.get("/.well-known/jwks.json")
    assert answer.status_code == 200, answer.text
    return {key["kid"]: bytes_of(key["x"]) for key in answer.json()["keys"]}


async def ok(api: RegistrationApi, who: str, path: str) -> dict[str, Any]:
    answer = await api.get(who, path)
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def signed(api: RegistrationApi, view: dict[str, Any]) -> Root:
    root = Root.read(view)
    assert root.is_signed((await key_set(api))[root.key_id])
    assert root.log == "default"
    return root


def path_of(view: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(hash_) for hash_ in view["path"]]


async def position_of(api: RegistrationApi, view: dict[str, Any]) -> int:
    """Where the first step of the registration's first claim stands in the log."""
    its = type_coerce(tables.audit.c.detail, Text).contains(view["claims"][0]["id"])
    query = (
        select(tables.log_entry.c.position)
        .join(tables.audit, tables.audit.c.id == tables.log_entry.c.audit_id)
        .where(its, tables.audit.c.subject == view["id"])
        .order_by(tables.audit.c.id)
        .limit(1)
    )
    found: int = await api.database.read(lambda conn: conn.execute(query).scalar_one())
    return found


async def contested(api: RegistrationApi) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two registrations of one deal, with a root between them."""
    first = await api.filed("acme")
    await sealed(api)
    await api.travel(seconds=5)
    second = await api.filed("techstart", amount={"amount": "31337.00", "currency": "USD"})
    assert second["claims"][0]["state"] == "contested"
    await sealed(api)
    return first, second


async def test_a_registration_is_proved_to_be_in_the_log(any_api: RegistrationApi) -> None:
    for number in range(20):
        await any_api.filed("acme", account={"name": f"C{number}", "domain": f"c{number}.com"})
    view = await any_api.filed("techstart")
    early = await any_api.get("techstart", f"/v1/registrations/{view['id']}/proof")
    assert (early.status_code, early.headers["retry-after"]) == (409, "2")
    assert early.json()["type"].endswith("/not-sealed-yet")
    await sealed(any_api)

    proof = await ok(any_api, "techstart", f"/v1/registrations/{view['id']}/proof")

    root, entry = await signed(any_api, proof["root"]), proof["entry"]
    assert (entry["subject"], entry["at"]) == (view["id"], view["filed_at"])
    assert entry["action"] == "registration.filed"
    shown = log_entry.shown(
        entry["at"], entry["action"], entry["subject"], bytes.fromhex(entry["salt"])
    )
    leaf = log_entry.leaf(proof["position"], shown, bytes.fromhex(entry["hidden"]))
    assert merkle.includes(leaf, proof["position"], root.size, path_of(proof), root.root)
    assert "place" not in json.dumps(proof)
    assert proof == await ok(any_api, "manager", f"/v1/registrations/{view['id']}/proof")


async def test_the_log_is_proved_to_have_grown(any_api: RegistrationApi) -> None:
    roots = []
    for number in range(4):
        await any_api.filed("acme", account={"name": f"C{number}", "domain": f"c{number}.com"})
        await sealed(any_api)
        roots.append(await signed(any_api, await ok(any_api, "fourth", "/v1/transparency/root")))
    assert [root.size for root in roots] == [16, 32, 48, 64]
    for old in roots:
        for query in (f"from={old.size}", f"from={old.size}&to=48"):
            answer = await any_api.get("fourth", f"/v1/transparency/consistency?{query}")
            if old.size > 48 and "to" in query:
                assert answer.status_code == 404
                continue
            view = answer.json()
            first = await signed(any_api, view["from"])
            last = await signed(any_api, view["to"])
            assert first == old
            assert merkle.is_consistent(first.size, last.size, first.root, last.root, path_of(view))
    answer = await any_api.get("fourth", "/v1/transparency/consistency?from=17")
    assert answer.status_code == 404


async def test_an_empty_log_has_no_root(api: RegistrationApi) -> None:
    assert (await api.get("acme", "/v1/transparency/root")).status_code == 404
    assert (await api.client.get("/v1/transparency/root")).status_code == 401


async def test_a_contested_partner_proves_that_somebody_was_earlier(
    any_api: RegistrationApi,
) -> None:
    first, second = await contested(any_api)
    path = f"/v1/registrations/{second['id']}/precedence"

    view = await ok(any_api, "techstart", path)

    [proof] = view["proofs"]
    root = await signed(any_api, proof["root"])
    assert root.sealed_at == second["filed_at"] == proof["filed_at"]
    assert proof["product_line"] == "platform"
    leaf = bytes.fromhex(proof["entry"])
    assert merkle.includes(leaf, proof["position"], root.size, path_of(proof), root.root)
    assert proof["position"] == await position_of(any_api, first)


async def test_a_precedence_proof_tells_nothing_of_the_rival(any_api: RegistrationApi) -> None:
    first, second = await contested(any_api)
    answer = await any_api.get("techstart", f"/v1/registrations/{second['id']}/precedence")
    its = await ok(any_api, "acme", f"/v1/registrations/{first['id']}/proof")

    text = answer.text
    facts = [first["id"], first["claims"][0]["id"], first["filed_at"], "acme", "25000"]
    facts += [first["receipt"]["number"], its["entry"]["salt"], its["entry"]["hidden"], "place"]
    assert [fact for fact in facts if fact in text] == []
    assert set(answer.json()) == {"kind", "registration_id", "proofs"}
    assert set(answer.json()["proofs"][0]) == {
        *("product_line", "filed_at", "entry", "position", "path", "root")
    }


async def test_who_has_no_earlier_rival_is_answered_as_if_nothing_were_there(
    any_api: RegistrationApi,
) -> None:
    first, second = await contested(any_api)
    answers = []
    for who, id_ in (
        ("acme", first["id"]),  # was first
        ("acme", second["id"]),  # another's
        ("acme", "reg_00000000000000000000000000000000"),  # absent
        ("fourth", first["id"]),
    ):
        for kind in ("precedence", "proof"):
            if (who, id_, kind) == ("acme", first["id"], "proof"):
                continue
            answer = await any_api.get(who, f"/v1/registrations/{id_}/{kind}")
            body = answer.json()
            del body["correlation_id"]
            answers.append((answer.status_code, body))
    assert answers[0][0] == 404
    assert all(answer == answers[0] for answer in answers)


async def test_without_a_root_between_the_two_there_is_no_proof(any_api: RegistrationApi) -> None:
    await any_api.filed("acme")
    second = await any_api.filed("techstart")
    await sealed(any_api)

    answer = await any_api.get("techstart", f"/v1/registrations/{second['id']}/precedence")
    assert answer.status_code == 404


async def test_the_holder_of_the_time_is_the_earlier_one(api: RegistrationApi) -> None:
    """Also after it has ended and another was promoted; a third points at who held the line then."""
    first, second = await contested(api)
    assert (await api.act("acme", first["id"], "withdraw")).status_code == 200
    await sealed(api)
    await api.travel(seconds=5)
    third = await api.filed("fourth")
    assert third["claims"][0]["state"] == "contested"
    await sealed(api)

    for who, its, earlier in (("techstart", second, first), ("fourth", third, second)):
        view = await ok(api, who, f"/v1/registrations/{its['id']}/precedence")
        assert view["proofs"][0]["position"] == await position_of(api, earlier)


async def test_a_duplicate_points_at_what_it_repeats(api: RegistrationApi) -> None:
    first = await api.filed("acme")
    await sealed(api)
    await api.travel(seconds=5)
    again = await api.filed("acme")
    assert again["claims"][0]["state"] == "duplicate"
    await sealed(api)

    [proof] = (await ok(api, "acme", f"/v1/registrations/{again['id']}/precedence"))["proofs"]
    assert proof["position"] == await position_of(api, first)


async def test_a_plan_may_not_wish_precedence_proofs(tmp_path: Path) -> None:
    plan = {**PLAN, "policy": {"precedence_proof": "off"}}
    async with registration_api(tmp_path, plan=plan) as api:
        _, second = await contested(api)
        answer = await api.get("techstart", f"/v1/registrations/{second['id']}/precedence")
        assert answer.status_code == 404
        assert (await api.get("techstart", f"/v1/registrations/{second['id']}/proof")).is_success


async def test_rotation_breaks_nothing(api: RegistrationApi) -> None:
    await api.filed("acme")
    await sealed(api)
    old = await ok(api, "acme", "/v1/transparency/root")
    await api.travel(seconds=5)
    await api.database.write(SigningKeys().rotate)
    await api.service.tick()
    await api.filed("techstart")
    await sealed(api)

    new = await ok(api, "acme", "/v1/transparency/root")
    assert new["key"] != old["key"]
    await signed(api, old)
    await signed(api, new)
    keys = (await api.client.get("/.well-known/jwks.json")).json()["keys"]
    assert {key["kid"]: key["retired_at"] is None for key in keys} == {
        old["key"]: False,
        new["key"]: True,
    }
    assert "private" not in json.dumps(keys)


async def test_erasing_a_person_breaks_no_proof(any_api: RegistrationApi) -> None:
    contact = {"name": "Ida Example", "email": "ida@example.com"}
    view = await any_api.filed("acme", contacts=[contact])
    await sealed(any_api)
    before = await ok(any_api, "acme", f"/v1/registrations/{view['id']}/proof")
    answer = await any_api.client.delete("/v1/people/manager", headers=any_api.headers("admin"))
    assert answer.status_code in (200, 204), answer.text

    def erase(conn: Connection) -> None:
        conn.execute(update(tables.registration_contact).values(name=None, email=None))

    await any_api.database.write(erase)
    await sealed(any_api)

    after = await ok(any_api, "acme", f"/v1/registrations/{view['id']}/proof")
    assert after["entry"] == before["entry"]
    root = await signed(any_api, after["root"])
    shown = log_entry.shown(
        after["entry"]["at"],
        after["entry"]["action"],
        after["entry"]["subject"],
        bytes.fromhex(after["entry"]["salt"]),
    )
    leaf = log_entry.leaf(after["position"], shown, bytes.fromhex(after["entry"]["hidden"]))
    assert merkle.includes(leaf, after["position"], root.size, path_of(after), root.root)


@pytest.mark.parametrize("path", ["/v1/transparency/consistency", "/v1/transparency/root"])
async def test_the_log_is_for_who_has_a_key(api: RegistrationApi, path: str) -> None:
    assert (await api.client.get(path)).status_code == 401
