"""Checks of a plan's calendars and of the ladder that runs by them."""

from collections.abc import Iterator
from typing import Any

from dealreg_registration.domain.plan_fault import Fault, join, listed, nearest, warning
from dealreg_registration.domain.plan_partial import unsure
from dealreg_registration.domain.plan_tree import Item, Known, PlanTree, listing

WEEKEND = ("saturday", "sunday")
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", *WEEKEND)
LEVELS = ("partner_manager", "vp")


def check_calendars(tree: PlanTree, known: Known) -> Iterator[Fault]:
    """Zones and holidays exist, and some hour of the week is open; a clock has use for its calendar."""
    if "calendar" not in tree.doubtful_policy:
        yield from _calendar("/policy/calendar", tree.policy["calendar"], known)
    if "ladder" in tree.doubtful_policy:
        return
    ladder = tree.policy["ladder"]
    for level in LEVELS:
        calendar = ladder[f"{level}_calendar"]
        if calendar is None:
            continue
        path = f"/policy/ladder/{level}_calendar"
        yield from _calendar(path, calendar, known)
        if ladder[f"{level}_clock"] == "wall":
            yield warning(
                path,
                "calendar_unused",
                "This level runs by the wall clock; its calendar has no effect.",
                f"`business` as {level}_clock",
            )


def check_ladder(tree: PlanTree) -> Iterator[Fault]:
    """Deadlines in the order of the ladder, where both count from the opening on the wall clock."""
    if "ladder" in tree.doubtful_policy:
        return
    ladder = tree.policy["ladder"]
    comparable = (
        ladder["vp_clock_from"] == "opening"
        and ladder["vp_clock"] == ladder["partner_manager_clock"]
        and ladder["vp_calendar"] == ladder["partner_manager_calendar"]
    )
    if comparable and ladder["vp_hours"] < ladder["partner_manager_hours"]:
        yield Fault(
            "/policy/ladder/vp_hours",
            "deadlines_out_of_order",
            "The VP's time would run out before the partner manager's.",
            f"{ladder['partner_manager_hours']} or more",
        )
    if list(ladder["reminders"]) != sorted(set(ladder["reminders"])):
        yield Fault(
            "/policy/ladder/reminders",
            "reminders_out_of_order",
            "The reminders do not rise.",
            "each share once, in rising order",
        )


def _calendar(path: str, calendar: Item, known: Known) -> Iterator[Fault]:
    zone = calendar.get("time_zone")
    if zone is not None and zone not in known.time_zones:
        near = nearest(zone, known.time_zones)
        hint = f" Did you mean `{near}`?" if near else ""
        yield Fault(
            join(path, "time_zone"),
            "unknown_time_zone",
            f"`{zone}` is no time zone.{hint}",
            "an IANA name, such as America/New_York",
        )
    hours: Any = calendar.get("hours") or {}
    closed = (not listing(hours, day) if day in hours else day in WEEKEND for day in WEEK)
    if "hours" in calendar and not unsure(calendar) and not unsure(hours) and all(closed):
        yield Fault(
            join(path, "hours"),
            "never_open",
            "No day of the week has opening hours: no time would ever pass.",
            "at least one day with hours, such as 09:00-17:00",
        )
    place = calendar.get("holidays_of")
    if place is None:
        return
    country = place[:2]
    if country not in known.holiday_places:
        yield Fault(
            join(path, "holidays_of"),
            "unknown_holidays",
            f"The holidays of `{country}` are not known.",
            "another country, or days_off",
        )
    elif len(place) > 2 and place not in known.holiday_places[country]:
        among = known.holiday_places[country]
        yield Fault(
            join(path, "holidays_of"),
            "unknown_holidays",
            f"`{place}` has no holidays of its own.",
            listed((country, *among)),
        )
