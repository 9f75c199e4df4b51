"""What cases look up is found by an index, however many cases there are, and is never out of date."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event

from dealreg_registration import case_reading, tables
from dealreg_registration.commands import Actor
from dealreg_registration.domain.ruling import Ruling
from dealreg_registration.handlers.decide_case import DecideCase
from dealreg_registration.precedent_reading import precedents_for
from dealreg_registration.programme import Programme
from dealreg_registration.writer import AccountWriter
from dealreg_shared.outbox import Outbox
from tests.component.registration.test_precedents_over_http import decide, meet
from tests.factories.registration_service import SIGNER, RegistrationApi

Statements = list[tuple[str, Any]]


def plans_of(conn: Connection, read: Callable[[Connection], object]) -> str:
    """How the database goes about the statements of ``read``, with their very parameters."""
    heard: Statements = []

    def hear(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        heard.append((statement, parameters))

    event.listen(conn, "before_cursor_execute", hear)
    read(conn)
    event.remove(conn, "before_cursor_execute", hear)
    ask = "EXPLAIN " if conn.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
    return "\n".join(
        " ".join(str(column) for column in row)
        for statement, parameters in heard
        for row in conn.exec_driver_sql(ask + statement, parameters)
    )


async def test_precedents_are_found_by_index(any_api: RegistrationApi) -> None:
    case = await meet(any_api, "one.com")
    plan = await any_api.database.read(
        lambda conn: plans_of(conn, lambda conn: precedents_for(conn, {case["id"]}))
    )
    assert "ix_ruling_precedent" in plan
    assert "ix_ruling_appeal_of" in plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE FOR ORDER" not in plan


@pytest.mark.parametrize("further", [False, True])
async def test_questions_are_found_by_index(any_api: RegistrationApi, further: bool) -> None:
    case = await meet(any_api, "one.com")
    for number in range(2):
        answer = await any_api.client.post(
            f"/v1/conflicts/{case['id']}/request-info",
            headers=any_api.headers("manager", if_match=f'"v{case["version"] + number}"'),
            json={
                "registration_id": case["claims"][0]["registration_id"],
                "question": f"Since when do you know them? ({number})",
            },
        )
        assert answer.status_code == 200, answer.text
    page = (await any_api.get("acme", "/v1/questions?limit=1")).json()
    assert len(page["items"]) == 1
    assert (await any_api.get("techstart", "/v1/questions")).json()["items"] == []
    cursor = page["next"] if further else None
    plan = await any_api.database.read(
        lambda conn: plans_of(conn, lambda conn: case_reading.questions(conn, "acme", cursor, 50))
    )
    assert "ix_case_entry_question" in plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE FOR ORDER" not in plan


async def test_a_ruling_is_compared_with_what_was_ruled_until_it_is_made(
    any_api: RegistrationApi,
) -> None:
    """The command waits while others rule: it departs from what they ruled too."""
    first, second, third = [await meet(any_api, f"{name}.com") for name in ("one", "two", "three")]
    await decide(any_api, first, second=True)
    assert third["suggested"] is None
    command = DecideCase(
        third["id"],
        Actor("person:manager", "staff", role="partner_manager", person_id="manager"),
        "test",
        Ruling("uphold_first"),
        "First to register wins.",
        frozenset({third["version"]}),
    )
    await decide(any_api, second, second=True)
    outbox = Outbox(tables.outbox, "/test", "default")
    writer = AccountWriter(
        any_api.database, outbox, Programme(), audit=tables.audit, signer=lambda: SIGNER
    )
    await writer.submit(command)
    [*_, decided] = [e for e in await any_api.events() if e["type"].endswith("decided.v1")]
    assert decided["data"]["departs"] == [second["id"], first["id"]]
