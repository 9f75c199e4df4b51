"""A process that is told to stop under load ends at once, with all that it held, and calls nothing an
error that is none."""

import json
import signal
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest

from tests.factories.all_in_one import CLOSE, PLAN, Running, dealreg, up

pytestmark = pytest.mark.timeout(180)


def file_on(running: Running, enough: Event) -> None:
    """File until nobody answers any more."""
    headers = {"authorization": f"Bearer {running.key}"}
    with httpx.Client(base_url=running.url, headers=headers) as client:
        for number in range(10_000):
            try:
                client.post(
                    "/v1/registrations",
                    headers={"idempotency-key": f"n{number}"},
                    json={
                        "partner_id": ("acme", "techstart")[number % 2],
                        "account": {"name": f"A {number}", "domain": f"a{number // 2}.com"},
                        "product_lines": ["platform"],
                        "amount": {"amount": "1000", "currency": "USD"},
                        "close_date": CLOSE,
                    },
                )
            except httpx.TransportError:
                return
            if number == 40:
                enough.set()


@pytest.mark.parametrize("attempt", range(3))
def test_sigterm_under_load_is_no_error(tmp_path: Path, attempt: int) -> None:
    with up(tmp_path / "data") as running:
        assert dealreg("plan", "publish", PLAN, running=running).exit_code == 0
        enough = Event()
        filing = Thread(target=file_on, args=(running, enough))
        filing.start()
        assert enough.wait(60)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0
        filing.join()
    log = (tmp_path / "data.log").read_text()
    assert log, "what is logged is looked at"
    levels = {json.loads(line)["level"] for line in log.splitlines()}
    assert levels <= {"info", "warning"}, log
