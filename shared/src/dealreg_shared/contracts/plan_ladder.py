"""The parts of a plan that say how time runs: calendars, and the clocks of the ladder."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from dealreg_shared.contracts.plan_section import CountryCode, Section, SubdivisionCode

OpeningHours = Annotated[
    str,
    Field(
        pattern=r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$",
        description="Such as 09:00-17:00; 22:00-06:00 ends on the next day",
    ),
]
OFFICE_HOURS = ("09:00-17:00",)


class WeeklyHours(Section):
    """Opening hours by weekday on the local clock; none: closed."""

    monday: tuple[OpeningHours, ...] = OFFICE_HOURS
    tuesday: tuple[OpeningHours, ...] = OFFICE_HOURS
    wednesday: tuple[OpeningHours, ...] = OFFICE_HOURS
    thursday: tuple[OpeningHours, ...] = OFFICE_HOURS
    friday: tuple[OpeningHours, ...] = OFFICE_HOURS
    saturday: tuple[OpeningHours, ...] = ()
    sunday: tuple[OpeningHours, ...] = ()


class Calendar(Section):
    """Business hours and days. ``days_off`` are closed besides the public holidays."""

    time_zone: Annotated[
        str | None, Field(description="IANA name; left out: the programme's time zone")
    ] = None
    hours: WeeklyHours = WeeklyHours()
    holidays_of: Annotated[
        CountryCode | SubdivisionCode | None,
        Field(description="Country or subdivision whose public holidays are closed: US, DE-BY"),
    ] = None
    days_off: tuple[date, ...] = ()


Hours = Annotated[int, Field(ge=1, le=720)]
LevelClock = Literal["wall", "business"]
Share = Annotated[int, Field(ge=1, le=99)]


class LadderPolicy(Section):
    """How long each level has, and by which clock.

    ``business`` clocks run in the level's calendar, else in the policy's. The VP's hours count from the
    opening, or from when the case comes to the VP (``review``). Pauses of a case together take no longer
    than ``pause_limit_hours``.
    """

    partner_manager_hours: Hours = 4
    partner_manager_clock: LevelClock = "wall"
    partner_manager_calendar: Calendar | None = None
    vp_hours: Hours = 24
    vp_clock: LevelClock = "wall"
    vp_calendar: Calendar | None = None
    vp_clock_from: Literal["opening", "review"] = "opening"
    reminders: Annotated[
        tuple[Share, ...],
        Field(max_length=5, description="Per cent of a level's time at which it is reminded"),
    ] = (50, 80)
    ceo_repeat_hours: Annotated[
        Hours | None, Field(description="The CEO is reminded this often; null: told once")
    ] = 24
    pause_for_information: Annotated[
        bool, Field(description="Whether the clocks stand while a party is asked")
    ] = False
    pause_limit_hours: Hours = 48
    manager_may_decide: Annotated[
        bool, Field(description="Whether partner managers rule, or only review and pass up")
    ] = True
