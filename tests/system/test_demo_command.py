"""``dealreg demo`` as a user runs it, on a short piece of the stream; and doctor on what it left."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from dealreg.cli import app
from tests.factories.stream import first

pytestmark = pytest.mark.timeout(180)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "dealreg", "demo", *map(str, arguments)]


def environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DEALREG_")}
    return {**kept, "PYTHONUNBUFFERED": "1", "COLUMNS": "140"}


def test_it_ends_after_the_summary_and_compares(tmp_path: Path) -> None:
    folder = first(40, tmp_path / "stream")
    done = subprocess.run(
        command("--exit", "--parity", "--stream", folder),
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "40 verdicts compared" in done.stdout
    assert "0 unexplained. Look-alikes merged: 0." in done.stdout
    assert "Traceback" not in done.stderr


def test_it_stays_on_the_port_with_the_clock_standing_still(tmp_path: Path) -> None:
    folder, data = first(10, tmp_path / "stream"), tmp_path / "data"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        command("--port", port, "--stream", folder, "--data", data),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        said = ""
        try:
            for line in process.stdout:
                said += line
                if line.startswith("Ctrl-C"):
                    break
            key = re.search(r"admin key\s+(drk_\w+)", said)
            stands = re.search(r"the clock stands at (\S+) (\S+) UTC", said)
            assert key, said
            assert stands, said
            lines = said.splitlines()
            settled = next(n for n, line in enumerate(lines) if "Already settled" in line)
            told = lines[settled - 1].partition(" mail to ")[2].split(", ")
            assert len(told) == len(set(told)) == 3  # one notice each, shown once
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {key[1]}"}
            ) as client:
                items = client.get("/v1/registrations").raise_for_status().json()["items"]
                assert len(items) == 18  # the stream's, those of the stories, and one of a referral
                as_of = client.get("/v1/coverage/summary").raise_for_status().json()["as_of"]
                assert as_of.startswith(f"{stands[1]}T{stands[2]}")
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            if process.poll() is None:
                process.kill()
    doctor = CliRunner().invoke(app, ["doctor", "--data", str(data)])
    assert "coverage: parked keys" in doctor.stdout
    assert "wrong" not in doctor.stdout


def test_a_taken_port_is_said_before_anything_runs(tmp_path: Path) -> None:
    folder = first(10, tmp_path / "stream")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(app, ["demo", "--port", str(port), "--stream", str(folder)])
    assert result.exit_code == 2
    assert f"Port {port} cannot be used" in result.stderr
    assert result.stdout == ""


def test_a_folder_without_the_stream_and_a_used_data_folder_are_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--exit", "--stream", str(tmp_path)])
    assert result.exit_code == 2
    assert "data stream is not here" in result.stderr
    folder = first(10, tmp_path / "stream")
    result = CliRunner().invoke(
        app, ["demo", "--exit", "--stream", str(folder), "--data", str(tmp_path)]
    )
    assert result.exit_code == 2
    assert "is not empty" in result.stderr


def test_parked_makes_no_database_where_there_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "nothing"
    result = CliRunner().invoke(
        app, ["parked", "coverage", "list"], env={"DEALREG_DATA_DIR": str(folder)}
    )
    assert result.exit_code == 1
    assert "There is no" in result.stderr
    assert not folder.exists()
