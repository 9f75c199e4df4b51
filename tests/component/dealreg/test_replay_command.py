"""``dealreg replay`` on a history made over HTTP: the same again, or named; and under another plan."""

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner, Result

from dealreg.cli import app
from dealreg_registration import replaying, tables
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.db import app_now
from tests.factories.migrated import postgres_url
from tests.factories.registration_service import PLAN, RegistrationApi, publish, registration_api


class History:
    """A registration service with a history, and the command on its database."""

    def __init__(self, api: RegistrationApi, folder: Path) -> None:
        self.api = api
        self.folder = folder
        self.deals: dict[str, str] = {}

    async def file(self, name: str, who: str, **changes: Any) -> None:
        self.deals[name] = (await self.api.filed(who, **changes))["id"]

    async def replay(self, *arguments: str) -> Result:
        url = self.api.database.url.render_as_string(hide_password=False)
        variables = {"DEALREG_REGISTRATION_DATABASE_URL": url, "DEALREG_DATA_DIR": str(self.folder)}
        return await asyncio.to_thread(
            CliRunner().invoke, app, ["replay", *arguments], env=variables
        )

    async def lines(self, *arguments: str) -> list[dict[str, Any]]:
        done = await self.replay("--json", *arguments)
        assert done.exit_code == 0, done.output
        return [json.loads(line) for line in done.output.splitlines()]

    def plan(self, **policy: Any) -> str:
        """A file with another plan: techstart covers the US no more."""
        plan = copy.deepcopy(PLAN)
        plan["assignments"] = [it for it in plan["assignments"] if it["id"] != "us-tech"]
        plan["policy"] = policy
        return self.put(plan)

    def put(self, plan: dict[str, Any]) -> str:
        named = [it | {"name": it["id"], "email": f"{it['id']}@x.org"} for it in plan["people"]]
        path = self.folder / "other.json"
        path.write_text(json.dumps(plan | {"people": named}), encoding="utf-8")
        return str(path)

    async def rows(self) -> list[int]:
        """How many rows each table has."""
        names = sorted(tables.metadata.tables)
        return [await self.api.count(name) for name in names]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.devstack)])
async def history(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[History]:
    async with AsyncExitStack() as stack:
        url = None
        if request.param == "postgresql":
            server = request.getfixturevalue("postgres_server")
            url = await stack.enter_async_context(postgres_url(server, "registration"))
        api = await stack.enter_async_context(registration_api(tmp_path, url))
        made = History(api, tmp_path)
        await made.file("first", "techstart")
        await made.file("second", "acme", amount={"amount": "40000.00", "currency": "USD"})
        await made.file("third", "fourth")
        await made.file("elsewhere", "globalsys", account={"domain": "de.com", "country": "DE"})
        euros = {"amount": "5000.00", "currency": "EUR"}
        await made.file("rejected", "techstart", account={"domain": "eu.com"}, amount=euros)
        await made.file("referred", "globalsys", account={"domain": "us.com"})
        await api.act("techstart", made.deals["first"], "withdraw")
        yield made


async def test_with_the_plan_of_the_day_all_comes_out_the_same(history: History) -> None:
    before = await history.rows()
    done = await history.replay()
    assert done.exit_code == 0, done.output
    assert "7 decisions made again with the plan of their day (1 plan," in done.output
    assert "each came out byte for byte the same" in done.output
    assert await history.rows() == before


async def test_what_was_touched_is_named_and_the_rest_is_looked_at(history: History) -> None:
    table = tables.decision
    wrong = history.deals["second"], history.deals["third"], history.deals["elsewhere"]

    def touch(conn: Any) -> None:
        for number, registration_id in enumerate(wrong):
            mine = (table.c.registration_id == registration_id) & (table.c.kind == "filing")
            result = conn.execute(select(table.c.result).where(mine)).scalar_one()
            values: dict[str, Any] = {"result": result}
            if number == 0:
                result["lines"][0]["outcome"] = "protected"
            elif number == 1:
                values = {"inputs": {"now": "2026-03-02T09:00:00Z"}}
            else:
                values = {"plan_number": 9}
            conn.execute(update(table).where(mine).values(**values))

    await history.api.database.write(touch)
    done = await history.replay()
    assert done.exit_code == 1
    said = done.output
    assert f"(filing of {wrong[0]}" in said
    assert "/lines/0/outcome: stored 'protected', decided again 'contested'" in said
    assert "its inputs cannot be read (KeyError('facts'))" in said
    assert "No plan 9 was published" in said
    assert "3 came out otherwise" in said


async def test_under_another_plan_it_lists_the_flips_and_writes_nothing(history: History) -> None:
    before = await history.rows()
    *flips, summary = await history.lines("--plan", history.plan())
    assert [
        (it["registration_id"], it["was"], it["now"], it["now_to"], it["after_flip"])
        for it in flips
    ] == [(history.deals["first"], "protected", "referred", "acme", False)]
    assert flips[0]["account_name"] == "Customer Inc"
    assert flips[0]["amount_base"] == {"amount": "25000.00", "currency": "USD"}
    assert (summary["decisions"], summary["verdicts"], summary["flips"]) == (7, 7, 1)
    assert summary["after_flip"] == 3, "second, third and the promotion stand on the first's line"
    assert summary["at_stake"] == [{"amount": "25000.00", "currency": "USD"}]
    said = (await history.replay("--plan", history.plan())).output
    assert "techstart on platform: protected -> referred to acme, 25,000.00 USD\n" in said
    assert f"Customer Inc, {history.deals['first']}" in said
    assert "protected -> referred  " in said
    assert "of 7 verdicts 1 would flip, 25,000.00 USD at stake" in said
    assert "3 verdicts stand on a line where an earlier one flipped (*)" in " ".join(said.split())
    assert await history.rows() == before


async def test_a_promotion_flips_where_the_plan_promotes_none(history: History) -> None:
    plan = history.plan(standby="off")
    assert "protected -> closed, 40,000.00 USD *\n" in (await history.replay("--plan", plan)).output
    *flips, summary = await history.lines("--plan", plan)
    assert [(it["registration_id"], it["was"], it["now"]) for it in flips] == [
        (history.deals["first"], "protected", "referred"),
        (history.deals["second"], "protected", "closed"),
    ]
    assert flips[1]["after_flip"]
    assert [(it["partner_id"], it["flip"], it["amount"]["amount"]) for it in summary["totals"]] == [
        ("acme", "protected -> closed", "40000.00"),
        ("techstart", "protected -> referred", "25000.00"),
    ]


async def test_history_knows_whom_another_plan_would_have_found_suspended(
    history: History,
) -> None:
    """The stored inputs name only those whom the plan of the day asked for."""
    await history.api.travel(days=1)
    status = await history.api.client.post(
        "/v1/partners/acme/suspend",
        headers=history.api.headers("admin", if_match='"v0"'),
        json={"reason": "audit"},
    )
    assert status.status_code == 200, status.text
    await history.file("german", "globalsys", account={"domain": "later.com", "country": "DE"})
    plan = copy.deepcopy(PLAN)
    plan["assignments"][3]["partner"] = "acme"
    second = {"id": "de-four", "territory": "de", "partner": "fourth", "role": "secondary"}
    plan["assignments"].append(second)
    *flips, _ = await history.lines("--plan", history.put(plan))
    to = {it["registration_id"]: it["now_to"] for it in flips}
    assert to[history.deals["elsewhere"]] == "acme"
    assert to[history.deals["german"]] == "fourth"


async def test_a_published_plan_by_number_and_a_part_of_history(history: History) -> None:
    longer = copy.deepcopy(PLAN) | {"policy": {"protection_days": 120}}
    api = history.api
    await api.travel(days=1)
    between = await api.database.read(app_now)
    await api.database.write(lambda conn: publish(conn, longer, 2, between))
    await api.travel(seconds=1)
    await history.file("later", "acme", account={"domain": "later.com"})

    [summary] = await history.lines("--plan", "2")
    assert (summary["plan_number"], summary["decisions"], summary["flips"]) == (2, 8, 0)
    assert summary["other_terms"] == 3, "first, elsewhere and the promotion last longer"
    [summary] = await history.lines()
    assert (summary["decisions"], summary["plans"]) == (8, 2)
    [summary] = await history.lines("--since", format_instant(between))
    assert (summary["decisions"], summary["plans"]) == (1, 1)
    [summary] = await history.lines("--until", format_instant(between))
    assert (summary["decisions"], summary["plans"]) == (7, 1)
    [summary] = await history.lines("--until", "2020-02-01")
    assert (summary["decisions"], summary["plans"]) == (0, 0)


async def test_slices_lose_nothing(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "SLICE", 2)
    [summary] = await history.lines()
    assert (summary["decisions"], summary["different"]) == (7, 0)


async def test_what_cannot_be_asked_is_refused_with_a_sentence(
    history: History, tmp_path: Path
) -> None:
    for arguments, code, words in (
        (("--plan", "7"), 1, "No plan 7 was published."),
        (("--plan", "nowhere.yaml"), 2, "nowhere.yaml"),
        (("--since", "yesterday"), 2, "yesterday is no instant"),
        (("--since", "2026-03-01T09:00:00"), 2, "has no time zone"),
    ):
        done = await history.replay(*arguments)
        assert (done.exit_code, words in done.output) == (code, True), done.output
    done = CliRunner().invoke(app, ["replay", "--data", str(tmp_path / "empty")])
    assert (done.exit_code, "There is no" in done.output) == (1, True), done.output
