"""After a merge a case goes on under another key; whatever arrives first, its notices come once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from dealreg_shared.contracts.registration import AccountMerged
from tests.factories import notifier as make
from tests.factories import notifier_world as stage
from tests.factories.notifier import MANAGER, START
from tests.factories.notifier_world import World

MERGED = AccountMerged(
    account_id="acc_1", merged_account_id="acc_2", merged_at=START, merged_version=4
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with stage.world(tmp_path) as made:
        await made.others.people()
        await made.others.plan()
        await made.settle()
        yield made


async def test_the_survivors_events_wait_for_those_of_the_merged_account(world: World) -> None:
    others = world.others
    closed = make.closed(at=START + timedelta(hours=1))
    await others.say("account.merged", MERGED, "acc_1")
    await others.say("conflict.closed", closed, "acc_1")
    await world.settle()
    headers = await others.key("partner_manager", person_id=MANAGER)
    await world.settle()
    assert [n["kind"] for n in await world.inbox(headers) if n["kind"] != "plan_changes"] == []

    await others.say("registration.filed", make.filed("reg_a", "acme"), "acc_2")
    await others.say("registration.filed", make.filed("reg_b", "rival"), "acc_2")
    await others.say("conflict.opened", make.opened(account_id="acc_2"), "acc_2")
    await others.say("account.merged", MERGED, "acc_2")
    await world.at(timedelta(minutes=5))
    kinds = [n["kind"] for n in await world.inbox(headers) if n["kind"] != "plan_changes"]
    assert sorted(kinds) == ["case_settled", "ladder"]
    acme = await others.key("partner", partner_id="acme")
    await world.settle()
    told = [n for n in await world.inbox(acme) if n["kind"].startswith("case_")]
    assert sorted(n["kind"] for n in told) == ["case_closed", "case_open"]
    assert all("Contoso Ltd" in notice["title"] for notice in told)
