"""The benchmarks run, end to end and in small; what they measure is never a test."""

import pytest

from benchmarks import matching, registrations
from dealreg_devstack import Postgres


@pytest.mark.devstack
async def test_registrations_are_measured_against_both_ceilings(postgres_bench: Postgres) -> None:
    size = registrations.Size(
        rounds=1, seconds=1, warm_up=0.1, seeding=0.5, connections=4, clients=2, other_clients=(1,)
    )
    rows = {row["what"]: row for row in await registrations.run(size, postgres_bench)}

    for product in (registrations.POSTGRES, registrations.SQLITE):
        assert float(rows[product]["x a"].split()[0]) > 0
        assert rows[product][""] in ("reached", "missed")
        assert f"{product}, {registrations.HOT}" in rows
    assert rows[registrations.NOOP]["x a"].startswith("1.00")


def test_matching_is_measured_at_both_sizes() -> None:
    few, many = matching.run(small=100, large=2_000, finds=20, scans=3)

    assert (few["territories"], many["territories"]) == ("100", "2,000")
    assert "goal" in many["scan / find"]
    assert "goal" in many["find, against the smaller"]


@pytest.mark.parametrize("size", [100, 1_000])
def test_every_measured_target_has_ten_hits(size: int) -> None:
    matching.measure(size, finds=30, scans=30)
