"""The benchmarks run, end to end and in small; what they measure is never a test."""

import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from benchmarks import matching, noop, registrations
from benchmarks.load import PATH, STATES, body_of
from benchmarks.product import prepare
from dealreg_devstack import Postgres


@pytest.mark.devstack
async def test_registrations_are_measured_against_both_ceilings(postgres_bench: Postgres) -> None:
    size = registrations.Size(
        rounds=1, seconds=1, warm_up=0.1, seeding=0.5, connections=4, clients=2, other_clients=(1,)
    )
    rows = {row["what"]: row for row in await registrations.run(size, postgres_bench)}

    for product in (registrations.POSTGRES, registrations.SQLITE):
        assert float(rows[product]["per second"].split()[0].replace(",", "")) > 0
        assert re.fullmatch(r"\d\.\d\d \(\d\.\d\d-\d\.\d\d\)", rows[product]["x a"])
        assert rows[product][""] in ("reached", "missed")
        assert f"{product}, {registrations.HOT}" in rows
    assert rows[registrations.NOOP]["x a"].startswith("1.00")


def test_matching_is_measured_at_both_sizes() -> None:
    # In a process of its own: to collect all that a test worker holds takes seconds each time.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        few, many = fresh.submit(matching.run, small=100, large=2_000, finds=30, scans=30).result()

    assert (few["territories"], many["territories"]) == ("100", "2,000")
    assert "goal" in many["scan / find"]
    assert "goal" in many["find, against the smaller"]


async def test_the_no_op_answers_what_the_product_answers(tmp_path: Path) -> None:
    made = await prepare(tmp_path, None)
    async with made.service.open():
        ours = await _filed(made.service.app, made.keys[0])
    plain = await _filed(noop.build(), "none")

    assert _shape(plain.json()) == _shape(ours.json())
    assert len(plain.content) == len(ours.content)


async def _filed(app: ASGIApp, key: str) -> httpx.Response:
    headers = {
        "authorization": f"Bearer {key}",
        "idempotency-key": "one",
        "content-type": "application/json",
    }
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://benchmark"
    ) as client:
        answer = await client.post(PATH, content=body_of("c1", STATES[0]), headers=headers)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return answer


def _shape(value: Any) -> Any:
    """The names and kinds of a JSON value's parts."""
    if isinstance(value, dict):
        return {name: _shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_shape(part) for part in value]
    return type(value).__name__
