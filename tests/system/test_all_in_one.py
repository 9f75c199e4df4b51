"""``dealreg up`` as a user runs it: one process, the command line beside it, backup, restart."""

import csv
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from dealreg_registration.__main__ import cli as registration_cli
from tests.factories.all_in_one import (
    CLOSE,
    PLAN,
    Running,
    dealreg,
    rows,
    up,
    wait_for,
)

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("one") / "data"
    with up(data) as running:
        published = dealreg("plan", "publish", PLAN, running=running)
        assert published.exit_code == 0, published.stderr
        assert published.stdout.startswith("plan 1, in force from")
        yield running
        assert running.stop() == 0


@pytest.fixture
def http(running: Running) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {running.key}"}
    with httpx.Client(base_url=running.url, headers=headers) as client:
        yield client


def test_nobody_else_may_read_what_is_stored(running: Running) -> None:
    data = running.data

    open_to_others = {
        path.name: oct(path.stat().st_mode)
        for path in (data, *data.iterdir())
        if path.stat().st_mode & 0o077
    }

    assert len(list(data.glob("*.db"))) == 5
    assert open_to_others == {}


def test_the_same_plan_published_again_is_no_new_plan(running: Running) -> None:
    again = dealreg("plan", "publish", PLAN, running=running)
    assert again.stdout.startswith("plan 1, in force from")


def test_all_three_answer_on_one_port(http: httpx.Client) -> None:
    assert http.get("/readyz").json()["status"] == "ready"
    paths = http.get("/openapi.json").json()["paths"]
    assert {"/v1/registrations", "/v1/coverage/matrix", "/v1/notifications"} <= set(paths)
    assert http.get("/docs").status_code == 200
    assert http.get("/metrics").status_code == 200


def test_a_csv_is_filed_row_by_row_and_what_follows_reaches_all_services(
    running: Running, http: httpx.Client, tmp_path: Path
) -> None:
    file = rows(
        tmp_path / "deals.csv",
        {},
        {"event_id": "D2", "partner_id": "cascade"},
        {"event_id": "D3", "partner_id": "techstart"},
        {"event_id": "D4", "country": "XX"},
        {"event_id": "D5", "amount": "-3"},
        {"event_id": "D6", "employee_band": "many"},
        {},
    )
    report = tmp_path / "report.csv"
    first = dealreg("import", file, "--report", report, running=running)
    assert first.exit_code == 1
    assert "3 filed, 2 refused, 1 same, 1 unreadable" in first.stdout, first.stderr
    with report.open(encoding="utf-8", newline="") as opened:
        found = list(csv.DictReader(opened))
    assert [row["status"] for row in found] == [
        "filed",
        "filed",
        "filed",
        "refused",
        "refused",
        "unreadable",
        "same",
    ]
    assert [row["outcomes"] for row in found[:3]] == [
        "platform=protected",
        "platform=contested",
        "platform=referred",
    ]
    assert "/account/country" in found[3]["detail"]
    assert "/amount/amount" in found[4]["detail"]

    again = dealreg("import", file, "--report", report, running=running)
    with report.open(encoding="utf-8", newline="") as opened:
        ids = [row["registration_id"] for row in csv.DictReader(opened)]
    assert ids == [row["registration_id"] for row in found]
    assert "3 already filed, 2 refused, 1 same, 1 unreadable" in again.stdout
    assert again.stdout.splitlines()[1:] == first.stdout.splitlines()[1:]

    [conflict] = wait_for(http, "/v1/conflicts?state=open")
    assert conflict["level"] == 1
    [escalation] = wait_for(http, "/v1/escalations")
    assert escalation["conflict_id"] == conflict["id"]
    assert wait_for(http, "/v1/coverage/matrix", "rows")
    assert wait_for(http, "/v1/notifications?recipient=partner:acme")

    exported = dealreg("export", running=running)
    assert [item["id"] for item in json.loads(exported.stdout)] == ids[2::-1]
    as_csv = dealreg("export", "--format", "csv", "--partner", "acme", running=running)
    [line] = csv.DictReader(as_csv.stdout.splitlines())
    assert (line["registration_id"], line["state"]) == (ids[0], "protected")


def test_a_dry_run_files_nothing(running: Running, tmp_path: Path) -> None:
    file = rows(tmp_path / "dry.csv", {"event_id": "DRY"})
    before = dealreg("export", running=running).stdout
    assert dealreg("import", file, "--dry-run").stdout == "1 readable\n"
    assert dealreg("import", file, "--dry-run", running=running).stdout.startswith("1 fit\n")
    assert dealreg("export", running=running).stdout == before


def test_a_dry_run_says_what_would_be_refused_and_where_it_stands(
    running: Running, tmp_path: Path
) -> None:
    file = rows(
        tmp_path / "dry.csv",
        {"event_id": "L2", "account_name": "Two\nlines"},
        {"event_id": "L4", "account_name": "Redwood\r\nOutfitters", "country": "XX"},
        {"event_id": "L6", "partner_id": "acmee"},
        {"event_id": "L7", "product_id": "unheard-of"},
        {"event_id": "L8", "partner_id": "techstart"},
        {"event_id": "L9", "employee_band": "many"},
    )
    report = tmp_path / "report.csv"
    answer = dealreg("import", file, "--dry-run", "--report", report, running=running)
    with report.open(encoding="utf-8", newline="") as opened:
        found = {row["external_reference"]: row for row in csv.DictReader(opened)}

    assert answer.exit_code == 1
    assert {f"L{row['line']}" for row in found.values()} == set(found)
    assert [row["status"] for row in found.values()] == [
        "fit",
        "refused",
        "refused",
        "rejected",
        "fit",
        "unreadable",
    ]
    assert "/account/country" in found["L4"]["detail"]
    assert "/partner_id: must be the id of a partner" in found["L6"]["detail"]
    assert "unheard-of" in found["L7"]["detail"]
    assert found["L8"]["outcomes"] == "platform=not_in_territory"
    by_form_alone = dealreg("import", file, "--dry-run")
    assert by_form_alone.exit_code == 1
    assert "No key" in by_form_alone.stderr
    assert "4 readable, 1 refused, 1 unreadable" in by_form_alone.stdout


def test_a_wrong_key_is_a_sentence(running: Running, tmp_path: Path) -> None:
    wrong = Running(running.url, "drk_wrong", running.process, [])
    answer = dealreg("export", running=wrong)
    assert answer.exit_code == 1
    assert "Send a current key" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_nobody_there_is_a_sentence(tmp_path: Path) -> None:
    nobody = Running("http://127.0.0.1:9", "drk_x", subprocess.Popen(["true"], text=True), [])
    nobody.process.wait()
    answer = dealreg("export", running=nobody)
    assert answer.exit_code == 1
    assert "does not answer" in answer.stderr


def test_a_backup_taken_while_registrations_go_on_restores_and_goes_on(tmp_path: Path) -> None:
    data, stop = tmp_path / "data", Event()
    filed: list[str] = []
    with up(data) as running:
        assert dealreg("plan", "publish", PLAN, running=running).exit_code == 0
        headers = {"authorization": f"Bearer {running.key}"}
        enough = Event()

        def file_on() -> None:
            with httpx.Client(base_url=running.url, headers=headers) as client:
                while not stop.is_set():
                    number = len(filed)
                    answer = client.post(
                        "/v1/registrations",
                        headers={"idempotency-key": f"n{number}"},
                        json={
                            "partner_id": "acme",
                            "account": {"name": f"Account {number}", "domain": f"a{number}.com"},
                            "product_lines": ["platform"],
                            "amount": {"amount": "1000", "currency": "USD"},
                            "close_date": CLOSE,
                        },
                    )
                    filed.append(answer.raise_for_status().json()["id"])
                    if len(filed) >= 30:
                        enough.set()

        writer = Thread(target=file_on)
        writer.start()
        try:
            assert enough.wait(60)
            before = list(filed)
            backup = dealreg("backup", tmp_path / "backup", "--data", data)
            after = list(filed)
        finally:
            stop.set()
            writer.join()
        assert backup.exit_code == 0, backup.stderr
        key = running.key
        assert running.stop() == 0

    refused = dealreg("restore", tmp_path / "backup", "--data", data)
    assert refused.exit_code == 1
    assert "not empty" in refused.stderr
    new = tmp_path / "new"
    restored = dealreg("restore", tmp_path / "backup", "--data", new)
    assert restored.exit_code == 0, restored.stderr

    with up(new) as running:
        assert running.key is None  # the key of the first start still works, so none is made
        running.key = key
        with httpx.Client(
            base_url=running.url, headers={"authorization": f"Bearer {key}"}
        ) as client:
            known = {item["id"] for item in json.loads(dealreg("export", running=running).stdout)}
            assert set(before) <= known
            assert len(known) <= len(after) + 1
            pause = Event()
            while True:  # what was on its way arrives: coverage counts every registration
                regions = client.get("/v1/coverage/markets").raise_for_status().json()
                if regions["outside"]["filed"] == len(known):
                    break
                pause.wait(0.1)
        assert running.stop() == 0
    doctor = dealreg("doctor", "--data", new)
    assert doctor.exit_code == 0, doctor.stdout
    assert doctor.stdout.count(" ok ") >= 13


def filed(http: httpx.Client, partner: str, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What staff file for a partner, and the answer."""
    body = {
        "partner_id": partner,
        "account": {
            "name": f"Proven {number} Inc.",
            "domain": f"proven{number}.com",
            "country": "US",
            "subdivision": "US-CA",
            "employees": {"from": 51, "to": 90},
        },
        "product_lines": ["platform"],
        "amount": {"amount": "24500.00", "currency": "USD"},
        "close_date": CLOSE,
    }
    headers = {"idempotency-key": f"proven-{partner}-{number}"}
    answer = http.post("/v1/registrations", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return body, answer.json()


def sealed(http: httpx.Client, registration_id: str) -> None:
    """Wait until the log has the registration."""
    pause = Event()
    while http.get(f"/v1/registrations/{registration_id}/proof").status_code == 409:
        pause.wait(0.1)


def test_a_receipt_is_verified_with_what_the_service_gives_and_then_without_it(
    running: Running, http: httpx.Client, tmp_path: Path
) -> None:
    _, first = filed(http, "acme", 1)
    sealed(http, first["id"])
    kept = http.get("/v1/transparency/root").json()
    body, second = filed(http, "cascade", 1)
    assert second["claims"][0]["state"] == "contested"
    sealed(http, second["id"])
    for name, document in (("answer", second), ("body", body), ("kept", kept)):
        (tmp_path / f"{name}.json").write_text(json.dumps(document))

    def path(name: str) -> Path:
        return tmp_path / f"{name}.json"

    own = (path("answer"), "--body", path("body"), "--proof", path("kept"))
    saved = tmp_path / "saved"
    done = dealreg("verify", *own, "--url", running.url, "--save", saved, running=running)
    assert done.exit_code == 0, done.output
    said = done.stdout
    assert len(said.splitlines()) >= 5
    assert "an earlier entry was in the log before yours" in said
    assert f"The log grew from {kept['size']} to" in said
    keys = saved / "keys.json"
    proofs = [part for file in saved.glob("*.json") if file != keys for part in ("--proof", file)]
    offline = dealreg("verify", *own, "--keys", keys, *proofs)
    assert offline.exit_code == 0, offline.output
    assert sorted(offline.stdout.splitlines()) == sorted(said.splitlines())
    fetched = dealreg("verify", path("answer"), "--keys", f"{running.url}/.well-known/jwks.json")
    assert fetched.exit_code == 0, fetched.output
    absent = second | {"receipt": second["receipt"] | {"registration_id": f"reg_{0:032x}"}}
    path("answer").write_text(json.dumps(absent))
    assert dealreg("verify", path("answer"), "--url", running.url, running=running).exit_code == 1


def test_the_log_is_verified_by_its_keepers_and_its_key_rotated(
    running: Running, http: httpx.Client
) -> None:
    _, made = filed(http, "acme", 2)
    sealed(http, made["id"])
    data = str(running.data)

    def log(*arguments: str) -> Result:
        known = {name: None for name in os.environ if name.startswith("DEALREG_")}
        return CliRunner().invoke(
            registration_cli, ["log", *arguments], env=known | {"DEALREG_DATA_DIR": data}
        )

    done = log("verify")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("The log verifies: ")
    rotated = log("rotate-key")
    assert rotated.exit_code == 0, rotated.output
    assert "are signed with key" in rotated.output
    keys = http.get("/.well-known/jwks.json").json()["keys"]
    assert [key["retired_at"] is None for key in keys] == [True, False]
    file = Path(data) / "log-roots.jsonl"
    [*_, last] = file.read_text().splitlines()
    other = file.with_name("other.jsonl")
    root = json.loads(last)
    other.write_text(json.dumps(root | {"root": "00" * 32}) + "\n")
    done = log("verify", "--roots", str(other))
    assert done.exit_code == 1
    assert "is not that of this log" in done.output
    other.write_text("{}\n")
    assert "is no root of the log" in log("verify", "--roots", str(other)).output
