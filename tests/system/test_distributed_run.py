"""``dealreg up --distributed`` as a user runs it: servers of its own, a doctor beside it, a kill -9."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from dealreg_devstack.processes import eventually
from dealreg_devstack.stack import Stack

pytestmark = [pytest.mark.devstack, pytest.mark.timeout(300)]


def environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DEALREG_")}
    return {**kept, "PYTHONUNBUFFERED": "1", "DEALREG_LOG_FORMAT": "console"}


def start(data: Path, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "dealreg", "up", "--distributed"),
            *("--data", str(data), "--port", str(port)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(),
    )


def doctor(data: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dealreg", "doctor", "--data", str(data)],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )


def until_it_says(process: subprocess.Popen[str], beginning: str) -> str:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith(beginning):
            return "".join(said)
    raise AssertionError(said)


def test_a_killed_run_leaves_nothing_behind_and_a_doctor_finds_a_running_one(
    tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> None:
    data, port = tmp_path / "data", unused_tcp_port_factory()
    stack = Stack(data / "servers")
    process = start(data, port)
    try:
        text = until_it_says(process, "Ctrl-C")
        ports = [int(found) for found in re.findall(r"answers on http://[\d.]+:(\d+),", text)]
        assert len(ports) == 4  # the services and the auditor
        # All is well once the auditor has passed for the first time.
        assert eventually(lambda: doctor(data).returncode == 0, within=90), doctor(data).stdout
        seen = doctor(data)
        assert seen.stdout.startswith("`dealreg up --distributed` runs from")
        assert "bus: Kafka" in seen.stdout
        assert seen.returncode == 0, seen.stdout + seen.stderr
        assert "auditor: last pass" in seen.stdout
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 5  # they and the guard

        process.kill()
        process.wait()

        assert eventually(lambda: not any(child.is_running() for child in children), within=60)
        assert not any(stack.running().values())
        for each in ports:
            with pytest.raises(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{each}/healthz")
        assert "runs from" not in doctor(data).stdout
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
        stack.down(remove=True)
