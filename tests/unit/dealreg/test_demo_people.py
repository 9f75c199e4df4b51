"""The simulated people's fixed policy, and the instants at which the demo's clock stops for a case."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from dealreg.demo.case_stops import CaseStops
from dealreg.demo.people import LAST_LEVEL_TAKES, fate, ruling
from dealreg_shared.contracts.base import EventData, Market
from dealreg_shared.contracts.conflict import (
    ConflictClaim,
    ConflictClosed,
    ConflictOpened,
    ConflictReviewed,
    Deadline,
)
from dealreg_shared.contracts.envelope import Event

START = datetime(2025, 3, 3, 9, tzinfo=UTC)
MANAGER_DUE, VP_DUE = START + timedelta(hours=4), START + timedelta(hours=24)
DEADLINES = (
    Deadline(
        level=1,
        role="partner_manager",
        person_id="manager",
        due_at=MANAGER_DUE,
        remind_at=(START + timedelta(hours=2),),
    ),
    Deadline(level=2, role="vp", person_id="vp", due_at=VP_DUE),
    Deadline(level=3, role="ceo", person_id="ceo", due_at=None),
)
CLAIMS = tuple(
    ConflictClaim.model_validate(
        {
            "claim_id": f"clm_{place}",
            "registration_id": f"reg_{place}",
            "partner_id": f"p{place}",
            "product_line": "storage",
            "place": place,
            "state": state,
        }
    )
    for place, state in ((1, "protected"), (2, "contested"))
)


def case(
    number: int, kind: str = "overlap", deadlines: tuple[Deadline, ...] = DEADLINES
) -> ConflictOpened:
    return ConflictOpened.model_validate(
        {
            "conflict_id": f"cnf_{number}",
            "kind": kind,
            "account_id": "acc_1",
            "account_name": f"Account {number}",
            "market": Market(region="na", segment="smb"),
            "plan_number": 1,
            "opened_at": START,
            "generation": 1,
            "deadlines": deadlines,
            "claims": CLAIMS,
            "repeat_hours": 24,
        }
    )


def test_each_level_gets_its_share_and_keeps_its_time() -> None:
    decided: Counter[int | None] = Counter()
    reviewed = 0
    for number in range(2000):
        opened = case(number)
        found = fate(opened)
        decided[None if found is None else found.deadline.level] += 1
        if found is None:
            continue
        if found.deadline.level == 1:
            assert START < found.at < MANAGER_DUE
        elif found.passed_up_at is not None:
            reviewed += 1
            assert found.deadline.level == 2
            assert START <= found.passed_up_at < MANAGER_DUE
            assert found.passed_up_at < found.at < VP_DUE
        elif found.deadline.level == 2:
            assert MANAGER_DUE < found.at < VP_DUE
        else:
            assert VP_DUE < found.at < VP_DUE + LAST_LEVEL_TAKES
    for level, share in ((1, 0.70), (2, 0.20), (3, 0.05), (None, 0.05)):
        assert abs(decided[level] / 2000 - share) < 0.03
    assert abs(reviewed / 2000 - 0.05) < 0.02


def test_the_same_case_has_the_same_fate_whatever_its_ids() -> None:
    for number in range(50):
        other_ids = case(number).model_copy(update={"conflict_id": "cnf_x", "account_id": "acc_x"})
        assert fate(other_ids) == fate(case(number))


def test_an_appeal_that_starts_on_the_last_level_is_decided_there_or_by_nobody() -> None:
    for number in range(100):
        found = fate(case(number, "appeal", DEADLINES[2:]))
        assert found is None or (found.deadline.level == 3 and found.passed_up_at is None)


def test_rulings_mostly_uphold_the_first_and_fit_their_case() -> None:
    seen = {"claims": [{"id": c.claim_id, "state": c.state} for c in CLAIMS]}
    rulings = Counter(ruling(case(n), seen)["ruling"] for n in range(1000))
    assert set(rulings) == {"uphold_first", "award"}
    assert abs(rulings["award"] / 1000 - 0.20) < 0.04
    assert all(ruling(case(n), seen).get("claim") in (None, "clm_2") for n in range(100))
    nobody_waits = {"claims": [{"id": "clm_1", "state": "protected"}]}
    assert {ruling(case(n), nobody_waits)["ruling"] for n in range(100)} == {"uphold_first"}
    assert {ruling(case(n, "possible_duplicate"), seen)["ruling"] for n in range(100)} == {
        "not_same_account"
    }


def told(data: EventData, at: datetime) -> Event[Any]:
    return Event[Any](
        id=uuid4(),
        source="/dealreg/registration",
        type="dealreg.conflict.any.v1",
        subject="cnf_1",
        time=at,
        programme="default",
        partitionkey="acc_1",
        keyversion=1,
        correlationid="cor_1",
        data=data,
    )


def passing(stops: CaseStops, count: int) -> list[timedelta]:
    found: list[timedelta] = []
    while len(found) < count and (at := stops.next()) is not None:
        found.append(at - START)
        stops.reached(at)
    return found


def test_time_stops_at_reminders_deadlines_and_repeats() -> None:
    stops = CaseStops()
    stops.note(told(case(1), START))
    hours = [2, 4, 24, 48, 72]
    assert passing(stops, 5) == [timedelta(hours=h) for h in hours]


def test_a_new_stamp_voids_the_old_one_and_a_closing_all() -> None:
    stops = CaseStops()
    stops.note(told(case(1), START))
    now = START + timedelta(hours=1)
    later = (DEADLINES[0].model_copy(update={"remind_at": ()}), *DEADLINES[1:])
    review = ConflictReviewed(
        conflict_id="cnf_1",
        account_id="acc_1",
        generation=2,
        deadlines=later,
        level=2,
        by="manager",
        recommendation="uphold_first",
        reviewed_at=now,
    )
    stops.note(told(review, now))
    assert stops.next() == MANAGER_DUE
    closed = ConflictClosed(
        conflict_id="cnf_1",
        account_id="acc_1",
        kind="overlap",
        state="decided",
        closed_at=now,
        level=2,
    )
    stops.note(told(closed, now))
    assert stops.next() is None


def test_an_appeal_is_left_or_awarded_to_the_claim_that_appeals() -> None:
    first, second = CLAIMS
    lost = (first, second.model_copy(update={"state": "closed"}))
    rulings = [
        ruling(case(n, "appeal").model_copy(update={"claims": lost}), {"claims": []})
        for n in range(200)
    ]
    awarded = [r["claim"] for r in rulings if r["ruling"] == "award"]
    assert set(awarded) == {"clm_2"}
    assert {r["ruling"] for r in rulings} == {"award", "uphold_first"}
