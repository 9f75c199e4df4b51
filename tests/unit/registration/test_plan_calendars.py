"""From a plan's calendars and ladder policy to the clocks that decisions run by."""

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from dealreg_registration.compiling import compile_plan
from dealreg_registration.domain.calendar import WALL_CLOCK, BusinessCalendar, Opening
from dealreg_registration.domain.ladder_terms import LadderTerms
from dealreg_registration.domain.plan import Plan
from dealreg_registration.plan_reading import read_plan
from tests.factories.plans import small_plan

FROM = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def compiled(policy: dict[str, Any]) -> Plan:
    plan = small_plan()
    plan["policy"] = policy
    document = read_plan(json.dumps(plan)).document
    assert document is not None
    return compile_plan(document, 1, FROM, lambda name: name)


def test_a_plan_that_says_nothing_has_the_rule_books_ladder() -> None:
    plan = compiled({})
    assert plan.ladder_terms == LadderTerms()
    assert str(plan.business_days.zone) == small_plan()["programme"]["time_zone"]
    assert [bool(day) for day in plan.business_days.week] == [True] * 5 + [False] * 2


def test_each_level_has_its_own_clock() -> None:
    plan = compiled(
        {
            "calendar": {"holidays_of": "US", "days_off": ["2026-12-24"]},
            "ladder": {
                "partner_manager_clock": "business",
                "partner_manager_calendar": {
                    "time_zone": "Europe/Berlin",
                    "holidays_of": "DE-BY",
                    "hours": {"monday": ["08:00-12:00", "13:00-24:00"], "sunday": ["22:00-06:00"]},
                },
                "vp_hours": 40,
                "vp_clock": "business",
                "vp_clock_from": "review",
                "ceo_repeat_hours": None,
                "pause_for_information": True,
                "pause_limit_hours": 12,
            },
        }
    )
    terms = plan.ladder_terms
    manager, vp = terms.of(1).clock, terms.of(2).clock
    assert isinstance(manager, BusinessCalendar)
    assert str(manager.zone) == "Europe/Berlin"
    assert manager.week[0][1] == Opening(time(13), time())
    assert manager.week[6] == (Opening(time(22), time(6)),)
    assert date(2027, 1, 6) in manager.holidays  # Epiphany, in Bavaria only
    assert vp == plan.business_days
    assert {date(2026, 11, 26), date(2026, 12, 24)} <= plan.business_days.holidays
    assert date(2027, 1, 6) not in plan.business_days.holidays
    assert (terms.vp_clock_from, terms.repeat_hours) == ("review", None)
    assert (terms.pause_for_information, terms.pause_limit) == (True, 12 * HOUR)
    assert terms.of(2).hours == 40 * HOUR
    assert terms.of(3).clock == WALL_CLOCK
