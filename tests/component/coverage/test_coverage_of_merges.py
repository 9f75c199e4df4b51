"""Deals that were filed on two accounts count, once these are merged, as if they had been filed on one;
through the events that registration writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from dealreg_coverage import tables
from dealreg_coverage.rebuild import rebuild
from dealreg_coverage.state import canonical_state
from dealreg_registration import tables as registration_tables
from dealreg_shared.contracts.catalogue import decode
from dealreg_shared.contracts.envelope import Event
from tests.component.coverage.conftest import House
from tests.factories.registration_service import RegistrationApi, registration_api

ONE = {"name": "Customer Inc", "domain": "customer.com", "employees": 60}
TWO = {"name": "Customer Holding", "domain": "customer-holding.com", "employees": 60}
STORY = (
    ("acme", 0, ["platform", "backup"]),
    ("techstart", 1, ["platform"]),
    ("acme", 1, ["platform"]),
    ("fourth", 1, ["platform", "backup"]),
    ("fourth", 0, ["backup"]),
)


MET = (
    ("acme", 0, ["platform"]),
    ("techstart", 1, ["platform"]),
    ("fourth", 1, ["platform"]),
)
"""Of the two accounts one has an overlap already when they are merged."""


async def told(
    folder: Path, *, apart: bool, story: Sequence[tuple[str, int, list[str]]] = STORY
) -> list[Event[Any]]:
    """The events of the story, on two accounts that are merged, or on one."""
    folder.mkdir()
    async with registration_api(folder) as api:
        filed = []
        for who, account, lines in story:
            place = (ONE, TWO)[account] if apart else ONE
            filed.append(await api.filed(who, account=place, product_lines=lines))
            api.clock.advance(minutes=1)
        if apart:
            await merge(api, filed[0]["id"], filed[1]["id"])
        assert (await api.act("acme", filed[0]["id"], "win")).status_code == 200
        assert (await api.act("techstart", filed[1]["id"], "lose")).status_code == 200
        outbox = registration_tables.outbox.outbox
        query = select(outbox.c.body).order_by(outbox.c.id)
        bodies = await api.database.read(lambda conn: conn.execute(query).scalars().all())
    return [decode(body if isinstance(body, bytes) else body.encode()) for body in bodies]


async def merge(api: RegistrationApi, into: str, other: str) -> None:
    one, two = [
        (await api.get("vp", f"/v1/registrations/{it}")).json()["account_id"]
        for it in (into, other)
    ]
    assert one != two
    merged = await api.client.post(
        f"/v1/accounts/{one}/merge",
        headers=api.headers("vp", if_match="*"),
        json={"other_account_id": two, "reason": "one company"},
    )
    assert merged.status_code == 200, merged.text


async def sums(house: House) -> dict[tuple[str, ...], tuple[int, ...]]:
    """By partner, market and quarter, what scores are made of: claims filed once, and deals."""
    rows = await house.service.database.read(
        lambda conn: conn.execute(select(tables.CELL_QUARTER)).all()
    )
    return {
        (row.partner_id, row.region, row.segment, str(row.quarter)): (
            row.filed - row.superseded,
            row.lapsed,
            row.won,
            row.won_value,
            row.lost,
            row.lost_value,
        )
        for row in rows
    }


async def test_merged_accounts_count_as_one_and_a_rebuild_says_the_same(
    planned: House, tmp_path: Path
) -> None:
    apart = await told(tmp_path / "apart", apart=True)
    together = await told(tmp_path / "together", apart=False)
    assert any(event.type == "dealreg.account.merged.v1" for event in apart)
    await planned.publish(apart)
    await planned.settle()
    found = await sums(planned)
    assert len(found) == 3
    running = await planned.service.database.read(lambda conn: canonical_state(conn, planned.now))
    await rebuild(planned.service.database, planned.bus, planned.service.extras["desk"])
    await planned.settle()
    rebuilt = await planned.service.database.read(lambda conn: canonical_state(conn, planned.now))
    assert rebuilt == running
    await planned.publish(together)
    await planned.settle()
    both = await sums(planned)
    assert both == {cell: tuple(2 * count for count in counts) for cell, counts in found.items()}, (
        "the story on one account adds what it added on two"
    )


async def test_merged_accounts_count_an_overlap_once(planned: House, tmp_path: Path) -> None:
    async def met() -> int:
        query = select(tables.MARKET_QUARTER.c.met)
        return sum(
            await planned.service.database.read(lambda conn: conn.execute(query).scalars().all())
        )

    for apart, count in ((False, 1), (True, 2)):
        await planned.publish(await told(tmp_path / str(apart), apart=apart, story=MET))
        await planned.settle()
        assert await met() == count, "one more, however it was filed"
