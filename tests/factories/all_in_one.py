"""``dealreg up`` in a process of its own, and the command line that talks to it."""

import csv
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from threading import Event

import httpx
from typer.testing import CliRunner, Result

from dealreg.cli import app

ROOT = Path(__file__).resolve().parents[2]
PLAN = ROOT / "examples" / "template" / "plan.yaml"
CLOSE = (date.today() + timedelta(days=90)).isoformat()  # noqa: DTZ011  (any day in the future)


@dataclass
class Running:
    """One process of ``dealreg up``. ``key`` is the admin key if it was shown."""

    url: str
    key: str | None
    process: subprocess.Popen[str]
    said: list[str]

    @property
    def data(self) -> Path:
        """The data folder, as it was shown."""
        named = re.search(r"data: (\S+)", "".join(self.said))
        assert named is not None
        return Path(named[1])

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


def environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DEALREG_")}
    return {**kept, "PYTHONUNBUFFERED": "1"}


@contextmanager
def up(data: Path) -> Iterator[Running]:
    """Started and answering; killed at the end if a test did not stop it."""
    log = data.parent / f"{data.name}.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "dealreg", "up", "--data", str(data), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment(),
        )
    assert process.stdout is not None
    said: list[str] = []
    try:
        for line in process.stdout:
            said.append(line)
            if line.startswith("Ctrl-C"):
                break
        text = "".join(said)
        where = re.search(r"answers on (\S+);", text)
        assert where, text + log.read_text()
        key = re.search(r"drk_\w+", text)
        yield Running(where[1], key[0] if key else None, process, said)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def dealreg(*arguments: object, running: Running | None = None) -> Result:
    """The command as a user runs it, in this process: a new one takes seconds to load."""
    settings: dict[str, str | None] = {k: None for k in os.environ if k.startswith("DEALREG_")}
    if running is not None:
        settings |= {"DEALREG_CLIENT_URL": running.url, "DEALREG_CLIENT_KEY": running.key}
    return CliRunner().invoke(app, list(map(str, arguments)), env=settings)


def rows(path: Path, *changes: dict[str, str]) -> Path:
    row = {
        "event_id": "D1",
        "partner_id": "acme",
        "account_name": "Redwood Outfitters Inc.",
        "account_domain": "redwood-outfitters.com",
        "country": "US",
        "state": "CA",
        "employee_band": "51-90",
        "product_id": "platform",
        "amount": "24500.00",
        "currency": "USD",
        "expected_close": CLOSE,
    }
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerows({**row, **change} for change in changes)
    return path


def wait_for(http: httpx.Client, path: str, key: str = "items") -> list[dict[str, object]]:
    """The list at ``path`` once it is not empty; ends with the test's own time limit."""
    pause = Event()
    while True:
        items: list[dict[str, object]] = http.get(path).raise_for_status().json()[key]
        if items:
            return items
        pause.wait(0.1)
