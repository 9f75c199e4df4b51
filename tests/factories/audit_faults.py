"""Every fault that the auditor must find, planted in an installation that is well."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dealreg_notifier import tables as notifier
from dealreg_registration import tables as registration
from dealreg_shared.bus.headers import event_headers
from dealreg_shared.bus.port import Bus, Message
from dealreg_shared.contracts.catalogue import PLAN, REGISTRATION
from dealreg_shared.outbox import Relay
from tests.factories.audit_world import AuditWorld

LONG_AGO = timedelta(minutes=3)


async def account(world: AuditWorld, number: int) -> str:
    found: str = await world.one(
        "registration", "SELECT id FROM account WHERE name = :name", name=f"account-{number}"
    )
    return found


async def case(world: AuditWorld, number: int) -> str:
    found: str = await world.one(
        "registration",
        "SELECT id FROM conflict WHERE account_id = :account",
        account=await account(world, number),
    )
    return found


async def undecided(world: AuditWorld) -> str:
    found: str = await world.one(
        "registration",
        "SELECT id FROM registration WHERE account_id = :account",
        account=await account(world, 0),
    )
    await world.sql("registration", "DELETE FROM decision WHERE registration_id = :id", id=found)
    return found


async def not_emitted(world: AuditWorld) -> str:
    """Another event stands in the place of the filing."""
    found = await account(world, 13)
    await world.sql(
        "registration",
        "UPDATE outbox SET created_at = :at WHERE key = :key",
        key=found,
        at=world.now() if world.dialect == "postgresql" else "2026-01-01T00:00:00.000000Z",
    )
    registration_id: str = await world.one(
        "registration",
        "SELECT min(id) FROM registration WHERE account_id = :account",
        account=found,
    )
    return registration_id


async def without_a_claim(world: AuditWorld) -> str:
    found = await account(world, 1)
    await world.sql("registration", "DELETE FROM claim WHERE account_id = :id", id=found)
    return found


async def two_winners(world: AuditWorld) -> str:
    found = await account(world, 10)
    await world.sql("registration", "DROP INDEX uq_claim_holder")
    await world.sql(
        "registration", "UPDATE claim SET state = 'protected' WHERE account_id = :id", id=found
    )
    return found


async def unswept(world: AuditWorld) -> str:
    found = await account(world, 2)
    table = registration.account
    await world.plant(
        "registration",
        lambda conn: conn.execute(
            table.update().where(table.c.id == found).values(next_due_at=world.now() - LONG_AGO)
        ),
    )
    return found


async def unsealed(world: AuditWorld) -> str:
    row = {
        "id": 999_999,
        "at": world.now() - LONG_AGO,
        "actor": "nobody",
        "action": "claim.expired",
        "subject": "reg_1",
        "detail": {},
    }
    await world.plant(
        "registration", lambda conn: conn.execute(registration.audit.insert().values(row))
    )
    return "999999"


async def unsent(world: AuditWorld) -> str:
    found = await account(world, 3)
    table = registration.outbox.outbox
    await world.plant(
        "registration",
        lambda conn: conn.execute(table.update().where(table.c.key == found).values(sent_at=None)),
    )
    return found


async def event_missing(world: AuditWorld) -> str:
    """The first of an account's events is gone from the archive."""
    found = await account(world, 11)
    await world.sql(
        "registration", "DELETE FROM outbox WHERE key = :key AND version = 1", key=found
    )
    return found


async def last_event_missing(world: AuditWorld) -> str:
    """As after a backup: the log knows more than the database."""
    found = await account(world, 4)
    await world.sql("registration", "DELETE FROM outbox WHERE key = :key", key=found)
    return found


async def plan_version_wrong(world: AuditWorld) -> str:
    await world.sql(
        "registration",
        "UPDATE outbox_key_version SET version = version + 1 WHERE topic = :topic",
        topic=PLAN,
    )
    found: str = await world.one(
        "registration", "SELECT key FROM outbox_key_version WHERE topic = :topic", topic=PLAN
    )
    return found


async def parked(world: AuditWorld) -> str:
    found = await account(world, 5)
    await world.sql(
        "coverage",
        "UPDATE inbox_key SET status = 'parked', reason = 'planted' WHERE key = :key",
        key=found,
    )
    return found


async def waiting(world: AuditWorld) -> str:
    found = await account(world, 6)
    table = notifier.inbox.key
    await world.plant(
        "notifier",
        lambda conn: conn.execute(
            table.update()
            .where(table.c.key == found)
            .values(status="waiting", reason="plan 9", since=world.now() - LONG_AGO)
        ),
    )
    return found


async def not_applied(world: AuditWorld) -> str:
    found = await account(world, 7)
    await world.sql(
        "coverage", "UPDATE inbox_key SET version = version - 1 WHERE key = :key", key=found
    )
    return found


async def applied_too_much(world: AuditWorld) -> str:
    found = await account(world, 8)
    await world.sql(
        "notifier", "UPDATE inbox_key SET version = version + 3 WHERE key = :key", key=found
    )
    return found


async def not_in_the_log(world: AuditWorld) -> str:
    """Marked as sent, and never was."""
    found = await account(world, 9)
    table, key = registration.outbox.outbox, found
    row = (
        await world.plant(
            "registration",
            lambda conn: conn.execute(
                table.select().where(table.c.key == key).order_by(table.c.version.desc()).limit(1)
            ).mappings(),
        )
    ).one()
    more = {name: value for name, value in row.items() if name != "id"}
    more["version"] += 1
    await world.plant("registration", lambda conn: conn.execute(table.insert(), more))
    return found


def bus_of(world: AuditWorld) -> Bus:
    relay = world.services["registration"].flows[0]
    assert isinstance(relay, Relay)
    return relay._bus


async def gap_in_the_log(world: AuditWorld) -> str:
    await bus_of(world).publish([Message(REGISTRATION, "acc_gap", b"{}", event_headers(3))])
    return "acc_gap"


async def two_events_of_one_version(world: AuditWorld) -> str:
    found = await account(world, 12)
    await bus_of(world).publish([Message(REGISTRATION, found, b'{"another": 1}', event_headers(1))])
    return found


async def timer_overdue(world: AuditWorld) -> str:
    found = await case(world, 10)
    table = notifier.timer
    await world.plant(
        "notifier",
        lambda conn: conn.execute(
            table.update()
            .where(table.c.subject == found, table.c.kind == "reminder")
            .values(due_at=world.now() - LONG_AGO)
        ),
    )
    return found


async def no_timer(world: AuditWorld) -> str:
    found = await case(world, 11)
    await world.sql(
        "notifier",
        "UPDATE timer SET state = 'cancelled' WHERE subject = :case AND kind = 'deadline'",
        case=found,
    )
    return found


async def timer_of_a_former_stamp(world: AuditWorld) -> str:
    found = await case(world, 12)
    await world.sql(
        "notifier", "UPDATE timer SET generation = generation + 7 WHERE subject = :case", case=found
    )
    return found


async def wrong_level(world: AuditWorld) -> str:
    found = await case(world, 13)
    await world.sql(
        "notifier", "UPDATE conflict_case SET level = 3 WHERE conflict_id = :case", case=found
    )
    return found


async def case_without_a_clock(world: AuditWorld) -> str:
    found = await case(world, 10)
    await world.sql("notifier", "DELETE FROM conflict_case WHERE conflict_id = :case", case=found)
    return found


async def case_closed_on_one_side(world: AuditWorld) -> str:
    found = await case(world, 11)
    table = registration.conflict
    await world.plant(
        "registration",
        lambda conn: conn.execute(
            table.update()
            .where(table.c.id == found)
            .values(state="withdrawn", closed_at=world.now() - LONG_AGO)
        ),
    )
    return found


async def delivery(
    world: AuditWorld, id_: str, state: str, due_at: datetime, carried_by: str | None = None
) -> None:
    notice = await world.one("notifier", "SELECT min(notification_id) FROM notification")
    values: dict[str, Any] = {
        "delivery_id": id_,
        "notification_id": notice,
        "channel": "email",
        "recipient": id_,
        "state": state,
        "attempt": 0,
        "spent": 0,
        "due_at": due_at,
        "created_at": world.now() - LONG_AGO,
        "carried_by": carried_by,
    }
    await world.plant("notifier", lambda conn: conn.execute(notifier.delivery.insert(), values))


async def delivery_overdue(world: AuditWorld) -> str:
    await delivery(world, "dlv_late", "pending", world.now() - LONG_AGO)
    return "dlv_late"


async def delivery_left_by_its_carrier(world: AuditWorld) -> str:
    await delivery(world, "dlv_carrier", "delivered", world.now())
    await delivery(world, "dlv_left", "sending", world.now(), "dlv_carrier")
    return "dlv_left"


@dataclass(frozen=True)
class Fault:
    plant: Callable[[AuditWorld], Awaitable[str]]
    check: str
    words: str


FAULTS = [
    Fault(undecided, "decided", "was accepted, but has no decision"),
    Fault(not_emitted, "decided", "was accepted, but has no event"),
    Fault(without_a_claim, "accounts", "has given 1 places, but holds 0 claims"),
    Fault(two_winners, "one-winner", "2 claims hold the line platform"),
    Fault(unswept, "sweep", "no sweep has carried it out"),
    Fault(unsealed, "sealed", "to be sealed into the log"),
    Fault(unsent, "events-sent", "wait to be sent"),
    Fault(event_missing, "accounts", "but its outbox holds"),
    Fault(last_event_missing, "log-known:registration", "the database does not know it at all"),
    Fault(plan_version_wrong, "versions", "its outbox ends at"),
    Fault(parked, "keys-aside", "is parked in coverage-registration"),
    Fault(waiting, "keys-aside", "still waits for a fact of another topic"),
    Fault(not_applied, "applied:registration", "coverage-registration has applied"),
    Fault(applied_too_much, "applied:registration", "its writer ends at"),
    Fault(not_in_the_log, "applied:registration", "was acknowledged, but the log ends at"),
    Fault(gap_in_the_log, "log", "one before is missing"),
    Fault(two_events_of_one_version, "log", "two different events as version 1"),
    Fault(timer_overdue, "timers", "has been due for"),
    Fault(no_timer, "clocks", "no timer waits for it"),
    Fault(timer_of_a_former_stamp, "clocks", "belongs to stamp"),
    Fault(wrong_level, "cases", "but notifier told level 3 last"),
    Fault(case_without_a_clock, "cases", "notifier has no clock for it"),
    Fault(case_closed_on_one_side, "cases", "registration has closed it"),
    Fault(delivery_overdue, "deliveries", "nothing sends it"),
    Fault(delivery_left_by_its_carrier, "carried", "is delivered, and has no end itself"),
]
