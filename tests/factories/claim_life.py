"""Three partners of one territory, and what they do with their claims."""

from datetime import UTC, datetime, timedelta
from typing import Any

from dealreg_registration.domain.account import Claim, Registration
from dealreg_registration.domain.ending import report_result
from dealreg_registration.domain.offers import accept_offer
from dealreg_registration.domain.plan import Policy
from tests.factories.registration import World, plan, territory

DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)
WEEK_LATER = datetime(2026, 3, 10, tzinfo=UTC)
"""START is a Monday: five business days end with the next one."""


def of_three(policy: Policy | None = None, **more: Any) -> World:
    return World(plan(territory("west", *"abcd", countries=["US"]), policy=policy), **more)


def claim(world: World, registration: Registration) -> Claim:
    [found] = world.account.of_registration(registration.id)
    return found


def lose(world: World, registration: Registration) -> None:
    world.settle()
    report_result(world.account, world.current(registration), world.book, world.context, "lost")


def accept(world: World, registration: Registration) -> None:
    world.settle()
    accept_offer(world.account, [claim(world, registration)], world.context)


def causes(world: World, registration: Registration) -> list[str]:
    return [
        move.cause
        for move in world.account.moves()
        if move.after.registration_id == registration.id
    ]
