"""Staff set a factor by hand, with a reason and an end, or take it back; the market is looked at again.

Not from the log: a rebuild keeps it. The version counts on for ever, so that no ETag comes twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection

from dealreg_coverage import store
from dealreg_coverage.domain.errors import EndDateNotAhead, NoHandSetFactor, NoPlan, NoSuchCell
from dealreg_coverage.domain.factors import FACTORS
from dealreg_coverage.domain.picture import CellKey
from dealreg_coverage.domain.plan import Plan
from dealreg_coverage.domain.sums import HandSet
from dealreg_coverage.handlers.assess import assess_market
from dealreg_coverage.handlers.desk import Cause, Desk
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import app_now

LONGEST = timedelta(days=731)

CheckVersion = Callable[[int, bool], None]
"""Given the stored version and whether a value stands; raises to refuse the change."""


@dataclass(frozen=True, slots=True)
class Address:
    key: CellKey
    factor: str


def set_factor(
    conn: Connection,
    desk: Desk,
    address: Address,
    given: "Given",
    check: CheckVersion,
) -> HandSet:
    """Raises ``NoSuchCell``, ``EndDateNotAhead``, or whatever ``check`` does."""
    store.one_writer(conn)
    now = app_now(conn)
    require_cell(desk.shelf.in_force(conn, now), address)
    today = now.date()
    if not today < given.until <= today + LONGEST:
        raise EndDateNotAhead("must be a day after today and within two years", "/until")
    before, version = store.find_hand_set(conn, address.key, address.factor)
    check(version, before is not None and today.isoformat() < before.until_day)
    after = HandSet(
        value=given.value,
        reason=given.reason,
        set_by=given.set_by,
        set_at=now,
        until_day=given.until.isoformat(),
        version=version + 1,
    )
    store.put_hand_set(conn, address.key, address.factor, after)
    cause = Cause.by_itself(f"{address.factor} was set by hand")
    assess_market(conn, desk, address.key.market, now, cause)
    crashpoint("coverage.factor_set")
    return after


@dataclass(frozen=True, slots=True)
class Given:
    """``value`` in hundredths; ``until`` is the first day without it."""

    value: int
    reason: str
    until: date
    set_by: str


def take_back(conn: Connection, desk: Desk, address: Address, check: CheckVersion) -> None:
    """The computed value counts again. Raises ``NoHandSetFactor`` if none stands."""
    store.one_writer(conn)
    now = app_now(conn)
    before, version = store.find_hand_set(conn, address.key, address.factor)
    if before is None or before.until_day <= now.date().isoformat():
        raise NoHandSetFactor("nobody set this factor by hand")
    check(version, True)
    store.take_back(conn, address.key, address.factor, version + 1)
    cause = Cause.by_itself(f"{address.factor} is computed again")
    assess_market(conn, desk, address.key.market, now, cause)


def require_cell(plan: Plan | None, address: Address) -> Plan:
    """Raises ``NoPlan`` or ``NoSuchCell``."""
    if plan is None:
        raise NoPlan("no plan is in force yet")
    if (
        address.key.partner_id not in plan.partners
        or address.key.market.region not in plan.region_by_id
        or address.key.market.segment not in plan.segment_by_id
        or address.factor not in FACTORS
    ):
        raise NoSuchCell("the plan in force has no such partner, region, segment or factor")
    return plan
