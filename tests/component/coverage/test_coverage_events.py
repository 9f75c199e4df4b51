"""What coverage tells, when events or time change something; and the rebuild beside it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, select

from dealreg_coverage import tables
from dealreg_coverage.rebuild import LogIncomplete, rebuild
from dealreg_coverage.state import canonical_state
from dealreg_shared.bus.headers import event_headers
from dealreg_shared.bus.port import Message
from dealreg_shared.contracts.catalogue import REGISTRATION, encode
from dealreg_shared.contracts.coverage import GapClosed, GapOpened, ScoreChanged
from dealreg_shared.contracts.registration import RegistrationEnded
from dealreg_shared.inbox import Consumer, park
from tests.component.coverage.conftest import NOW, House
from tests.factories.coverage import interleaved, partner, random_log, sections


async def state(house: House) -> bytes:
    return await house.service.database.read(lambda conn: canonical_state(conn, house.now))


async def test_a_win_is_told_with_its_cause(planned: House) -> None:
    before = len(await planned.told())
    won = planned.log.ended("won", "ada", at=planned.now)
    await planned.settle()
    changed, *gaps = (await planned.told())[before:]
    assert isinstance(changed.data, ScoreChanged)
    assert changed.data.former is not None
    assert changed.data.score is not None
    assert changed.data.score > changed.data.former
    assert changed.data.because == ("a deal was won",)
    assert (changed.partitionkey, changed.causationid) == ("west/smb", str(won.id))
    assert changed.correlationid == won.correlationid
    closed, opened = gaps
    assert isinstance(closed.data, GapClosed)
    assert isinstance(opened.data, GapOpened)
    assert (closed.data.priority, opened.data.priority) == ("P2", "P3")


async def test_a_corrected_result_counts_as_if_the_former_had_never_been(planned: House) -> None:
    won = planned.log.ended("won", "ada", at=planned.now)
    await planned.settle()
    planned.log.corrected(won, "lost", planned.now + timedelta(hours=1))
    await planned.settle()
    cells = tables.metadata.tables["cell_quarter"]
    row = await planned.service.database.read(lambda conn: conn.execute(select(cells)).one())
    assert (row.won, row.won_value, row.lost, row.lost_value) == (0, 0, 1, 2_500_000)


async def test_what_arrives_twice_counts_once(planned: House) -> None:
    planned.log.ended("won", "ada", at=planned.now)
    await planned.settle()
    before, told = await state(planned), len(await planned.told())
    await planned.publish(planned.log.events)
    await planned.settle()
    assert await state(planned) == before
    assert len(await planned.told()) == told


async def test_an_event_waits_for_its_plan(house: House) -> None:
    house.log.ended("won", "ada", at=house.now)
    await house.settle()
    assert b'"cell_quarter"' not in await state(house)
    house.log.plan()
    await house.settle()
    await house.settle()
    assert b'"cell_quarter"' in await state(house)


async def test_a_plan_counts_from_its_instant_on_and_a_tick_tells(planned: House) -> None:
    later = NOW + timedelta(hours=3)
    planned.log.plan(2, later, sections(partners=[partner("ada"), partner("ben"), partner("cy")]))
    await planned.settle()
    staff = await planned.key("admin")
    before = len(await planned.told())
    await planned.service.tick()
    await planned.settle()
    assert (await planned.get("matrix", staff))["plan_number"] == 1
    assert len(await planned.told()) == before
    await planned.move_to(later)
    await planned.service.tick()
    await planned.settle()
    assert (await planned.get("matrix", staff))["plan_number"] == 2
    told = (await planned.told())[before:]
    assert {event.data.because for event in told if isinstance(event.data, ScoreChanged)} == {
        ("plan 2 came in force",)
    }


async def test_a_new_quarter_and_the_end_of_a_hand_set_factor_are_told(planned: House) -> None:
    staff = await planned.key("admin")
    planned.log.ended("won", "ada", at=planned.now)
    await planned.settle()
    body = {"value": 1, "reason": "for now", "until": "2026-05-01"}
    path = "/v1/coverage/factors/ben/west/smb/presence"
    assert (await planned.http.put(path, json=body, headers=staff)).status_code == 200
    await planned.settle()
    by_hand = (await planned.told())[-1].data
    assert isinstance(by_hand, ScoreChanged)
    assert (by_hand.partner_id, by_hand.because) == ("ben", ("presence was set by hand",))
    before = len(await planned.told())
    for day, expected in (
        (datetime(2026, 4, 30, 23, 59, 59, tzinfo=UTC), []),
        (datetime(2026, 5, 1, tzinfo=UTC), ["ben"]),
        # a new quarter: the win is older now, and part of the programme's mean
        (datetime(2026, 7, 1, tzinfo=UTC), ["ada", "ada", "ben", "cy"]),
    ):
        await planned.move_to(day)
        await planned.service.tick()
        await planned.settle()
        events = [event.data for event in (await planned.told())[before:]]
        changed = sorted(e.partner_id for e in events if isinstance(e, ScoreChanged))
        assert changed == expected
        before += len(events)


@pytest.mark.parametrize("seed", (1, 2))
async def test_a_rebuild_gives_the_same_bytes_and_tells_nothing(house: House, seed: int) -> None:
    await house.move_to(NOW + timedelta(days=800))
    log = random_log(seed)
    await house.publish(list(interleaved(log.events, seed)))
    for _ in range(3):
        await house.settle()
    staff = await house.key("admin")
    until = (house.now + timedelta(days=9)).date().isoformat()
    body = {"value": 2.5, "reason": "kept through it", "until": until}
    path = "/v1/coverage/factors/ada/west/ent/commitment"
    assert (await house.http.put(path, json=body, headers=staff)).status_code == 200
    await house.service.tick()
    await house.settle()
    before, told = await state(house), len(await house.told())
    assert before.count(b'["cell_quarter"') > 5
    assert b"kept through it" in before

    def damage(conn: Connection) -> None:
        conn.execute(tables.CELL_QUARTER.update().values(won=77))
        conn.execute(tables.PROGRAMME_QUARTER.delete())

    await house.service.database.write(damage)
    assert await state(house) != before
    applied = await rebuild(house.service.database, house.bus, house.service.extras["desk"])
    assert applied > 50
    await house.settle()
    assert await state(house) == before
    assert len(await house.told()) == told
    house.log.ended("won", "ada", account="acc_after", at=house.now)
    await house.settle()
    assert await state(house) != before


async def test_a_rebuild_tells_what_differs_from_what_was_told(planned: House) -> None:
    before = len(await planned.told())
    await planned.service.database.write(
        lambda conn: conn.execute(tables.ANNOUNCED_SCORE.update().values(tenths=1))
    )
    await rebuild(planned.service.database, planned.bus, planned.service.extras["desk"])
    await planned.settle()
    told = [event.data for event in (await planned.told())[before:]]
    assert {event.because for event in told if isinstance(event, ScoreChanged)} == {
        ("made again from the log",)
    }
    assert len(told) == 4


async def test_an_incomplete_log_changes_nothing(planned: House) -> None:
    planned.log.ended("won", "ada", at=planned.now)
    await planned.settle()
    before = await state(planned)
    key = tables.INBOX.key
    await planned.service.database.write(
        lambda conn: conn.execute(key.update().values(version=key.c.version + 5))
    )
    with pytest.raises(LogIncomplete, match="lack events"):
        await rebuild(planned.service.database, planned.bus, planned.service.extras["desk"])
    assert await state(planned) == before


async def test_a_rebuild_applies_what_was_mended_as_it_was_mended(planned: House) -> None:
    first = planned.log.ended("won", "ada", account="acc_bad", at=planned.now)
    second = planned.log.ended("lost", "ada", account="acc_bad", at=planned.now)
    planned.log.events.clear()
    good = encode(first)
    broken = good.replace(b'"amount_base":"25000"', b'"amount_base":"much"')
    await planned.bus.publish(
        [
            Message(REGISTRATION, "acc_bad", body, event_headers(event.keyversion))
            for event, body in ((first, broken), (second, encode(second)))
        ]
    )
    await planned.settle()
    assert b'"cell_quarter"' not in await state(planned)
    database = planned.service.database
    [event, _] = await park.show_parked(
        database, tables.INBOX, "coverage-registration", REGISTRATION, "acc_bad"
    )
    await park.mend(database, tables.INBOX, event.id, good)
    [consumer] = [
        flow
        for flow in planned.service.flows
        if isinstance(flow, Consumer) and flow.topics == (REGISTRATION,)
    ]
    assert await consumer.replay(REGISTRATION, "acc_bad") == 2
    before = await state(planned)
    assert b'"cell_quarter"' in before
    await rebuild(planned.service.database, planned.bus, planned.service.extras["desk"])
    assert await state(planned) == before


async def test_a_rebuild_steps_over_what_was_dropped(planned: House) -> None:
    planned.log.ended("won", "ada", account="acc_gap", at=planned.now)
    lost = planned.log.ended("lost", "ada", account="acc_gap", at=planned.now)
    planned.log.events.clear()
    await planned.publish([lost])  # the win never came
    await planned.settle()
    database = planned.service.database
    await park.drop(
        database, tables.INBOX, "coverage-registration", REGISTRATION, "acc_gap", 1, "lost for good"
    )
    [consumer] = [
        flow
        for flow in planned.service.flows
        if isinstance(flow, Consumer) and flow.topics == (REGISTRATION,)
    ]
    assert await consumer.replay(REGISTRATION, "acc_gap") == 1
    before = await state(planned)
    assert b'"cell_quarter"' in before
    await rebuild(database, planned.bus, planned.service.extras["desk"])
    assert await state(planned) == before


async def test_a_missing_event_parks_its_account_only(planned: House) -> None:
    bad = planned.log.ended("won", "ada", account="acc_bad", at=planned.now)
    data = bad.data
    assert isinstance(data, RegistrationEnded)
    gap = bad.model_copy(update={"keyversion": 3})
    planned.log.events[-1] = gap
    planned.log.ended("won", "ben", account="acc_good", at=planned.now)
    await planned.settle()
    rows = await planned.service.database.read(
        lambda conn: conn.execute(select(tables.CELL_QUARTER.c.partner_id)).scalars().all()
    )
    assert rows == ["ben"]
