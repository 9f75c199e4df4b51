"""``dealreg verify``: with files alone, in plain sentences; whatever was touched is said."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dealreg.cli import app
from dealreg_registration.signing_keys import SigningKeys
from tests.factories.registration_service import RegistrationApi, deal, registration_api

AMOUNT = {"amount": "777.00", "currency": "USD"}


class Files:
    """What a contested partner has kept."""

    def __init__(self, folder: Path, api: RegistrationApi) -> None:
        self.folder = folder
        self.api = api

    def put(self, name: str, document: Any) -> str:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return str(path)

    def get(self, name: str) -> Any:
        return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))

    async def fetch(self, name: str, path: str) -> str:
        answer = await self.api.get("techstart", path)
        assert answer.status_code == 200, answer.text
        return self.put(name, answer.json())

    def path(self, name: str) -> str:
        return str(self.folder / f"{name}.json")


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["verify", *arguments])
    return done.exit_code, done.output


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[Files]:
    async with registration_api(tmp_path) as api:
        files, seal = Files(tmp_path, api), api.service.extras["sealer"].seal
        await api.filed("acme")
        await seal()
        await files.fetch("kept", "/v1/transparency/root")
        await api.travel(seconds=5)
        view = await api.filed("techstart", amount=AMOUNT)
        await seal()
        files.put("answer", view)
        files.put("body", deal(amount=AMOUNT))
        for number in range(30):
            await api.filed("acme", account={"name": f"C{number}", "domain": f"c{number}.com"})
        await seal()
        await files.fetch("keys", "/.well-known/jwks.json")
        await files.fetch("inclusion", f"/v1/registrations/{view['id']}/proof")
        await files.fetch("precedence", f"/v1/registrations/{view['id']}/precedence")
        size = files.get("kept")["size"]
        await files.fetch("growth", f"/v1/transparency/consistency?from={size}")
        yield files


def everything(files: Files) -> list[str]:
    arguments = [files.path("answer"), "--keys", files.path("keys"), "--body", files.path("body")]
    for name in ("inclusion", "precedence", "kept", "growth"):
        arguments += ["--proof", files.path(name)]
    return arguments


async def test_everything_that_is_true_is_said_in_a_sentence(files: Files) -> None:
    code, said = run(*everything(files))

    assert code == 0, said
    view, proof = files.get("answer"), files.get("inclusion")
    root = proof["root"]
    assert said.splitlines() == [
        f"ok   The signature is good: registration {view['id']} was filed at {view['filed_at']} under "
        "plan 1.",
        "ok   The body is the one that was filed.",
        f"ok   Your registration is entry {proof['position']} of the log, under the root of "
        f"{root['size']} entries sealed at {root['sealed_at']}.",
        "ok   On platform, an earlier entry was in the log before yours was filed: entry "
        f"{files.get('precedence')['proofs'][0]['position']} of the 16 that it had then.",
        f"ok   The log grew from 16 to {root['size']} entries, and nothing before was changed.",
    ]


TOUCHED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "number": ("answer", lambda it: it["receipt"].update(number="0" * 32)),
    "instant": ("answer", lambda it: it["receipt"].update(filed_at="2026-03-02T08:00:00.000000Z")),
    "plan": ("answer", lambda it: it["receipt"].update(plan_number=9)),
    "salt": ("answer", lambda it: it["receipt"].update(salt="0" * 32)),
    "body": ("body", lambda it: it.update(amount={"amount": "778.00", "currency": "USD"})),
    "entry": ("inclusion", lambda it: it["entry"].update(action="claim.protected")),
    "subject": ("inclusion", lambda it: it["entry"].update(subject="reg_1")),
    "hidden": ("inclusion", lambda it: it["entry"].update(hidden="00" * 32)),
    "position": ("inclusion", lambda it: it.update(position=it["position"] + 1)),
    "path": ("inclusion", lambda it: it["path"].reverse()),
    "root": ("inclusion", lambda it: it["root"].update(root="00" * 32)),
    "sealed at": ("inclusion", lambda it: it["root"].update(sealed_at="2026-03-02T09:00:00.0Z")),
    "size": ("inclusion", lambda it: it["root"].update(size=it["root"]["size"] + 16)),
    "earlier": ("precedence", lambda it: it["proofs"][0].update(entry="00" * 32)),
    "filed": ("precedence", lambda it: it["proofs"][0].update(filed_at="2026-03-02T09:00:00.0Z")),
    "kept": ("kept", lambda it: it.update(size=17)),
    "growth": ("growth", lambda it: it["path"].pop()),
    "no key": ("keys", lambda it: it["keys"].clear()),
    "another key": ("keys", lambda it: it["keys"][0].update(x="A" * 43)),
    "retired": ("keys", lambda it: it["keys"][0].update(retired_at="2026-03-02T08:00:00.0Z")),
}


@pytest.mark.parametrize("what", TOUCHED)
async def test_what_was_touched_is_not_true(files: Files, what: str) -> None:
    name, touch = TOUCHED[what]
    document = files.get(name)
    touch(document)
    files.put(name, document)

    code, said = run(*everything(files))
    assert code == 1, said
    assert "NOT  " in said


async def test_a_log_that_was_made_anew_is_found_by_the_root_kept(files: Files) -> None:
    other = files.get("growth")["to"]
    kept = files.get("kept")
    files.put("growth", files.get("growth") | {"from": other | {"size": kept["size"]}})

    code, said = run(*everything(files))
    assert code == 1
    assert "another root of 16 entries than the one kept" in said


async def test_a_receipt_alone_is_enough(files: Files) -> None:
    files.put("receipt", files.get("answer")["receipt"])
    code, said = run(files.path("receipt"), "--keys", files.path("keys"))

    assert (code, len(said.splitlines())) == (0, 1)


async def test_a_retired_key_is_good_for_what_was_signed_before(files: Files) -> None:
    await files.api.travel(hours=1)
    await files.api.database.write(SigningKeys().rotate)
    await files.fetch("keys", "/.well-known/jwks.json")

    assert run(*everything(files))[0] == 0


@pytest.mark.parametrize(
    ("name", "document", "sentence"),
    [
        ("answer", {"a": 1}, "this is no receipt"),
        ("answer", {"number": "1", "registration_id": "r"}, "not signed"),
        ("keys", [], "no JSON Web Key Set"),
        ("inclusion", {"kind": "inclusion"}, "no proof of inclusion"),
        ("precedence", {"kind": "precedence"}, "no proof of precedence"),
        ("growth", {"kind": "consistency"}, "no proof of consistency"),
        ("kept", {"kind": "?"}, "no kind of proof"),
        ("kept", {}, "no signed root"),
    ],
)
async def test_what_is_none_is_said_to_be_none(
    files: Files, name: str, document: Any, sentence: str
) -> None:
    files.put(name, document)

    code, said = run(*everything(files))
    assert code == 2
    assert sentence in said


async def test_files_that_cannot_be_read_are_named(files: Files) -> None:
    (files.folder / "answer.json").write_text("{")
    assert "is no JSON" in run(*everything(files))[1]
    assert "cannot be read" in run(files.path("nowhere"), "--keys", files.path("keys"))[1]
    assert "Give the vendor's public keys" in run(files.put("answer", {"receipt": {
        "number": "1", "registration_id": "r", "signature": "s"}}))[1]  # fmt: skip
