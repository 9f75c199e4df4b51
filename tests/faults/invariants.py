"""What must be true of a settled installation, whatever was killed on the way.

Each check returns what it found, in words; nothing found is the promise kept. Must not change anything
but coverage's sums, which ``rebuilt`` makes again from the log.
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, func, select

from dealreg_coverage.app import SOURCE
from dealreg_coverage.handlers.desk import Desk
from dealreg_coverage.plans import PlanShelf
from dealreg_coverage.rebuild import rebuild
from dealreg_shared.contracts.catalogue import TOPICS
from dealreg_shared.db import Database, app_now
from dealreg_shared.outbox import Outbox
from tests.faults.installation import SERVICES, Installation

HOLDING = ("protected", "extended")


def all_of(
    made: Installation,
    references: Mapping[str, str],
    rulings: Collection[str],
) -> list[str]:
    """Every check on the databases, given the acknowledged filings and the cases ruled on."""
    return [
        *filings(made, references),
        *lines(made),
        *ruled(made, rulings),
        *events(made),
        *applied(made),
        *told(made),
        *timers(made),
        *delivered(made),
        *rebuilt(made),
    ]


def filings(made: Installation, references: Mapping[str, str]) -> list[str]:
    """One registration per acknowledged filing, with one decision and one event."""
    tables = made.tables("registration")
    it, decision = tables.registration, tables.decision
    rows = made.rows("registration", select(it.c.id, it.c.external_reference))
    found = Counter(row.external_reference for row in rows if row.external_reference)
    faults = [f"filing {reference} is there {n} times" for reference, n in found.items() if n != 1]
    by_reference = {row.external_reference: row.id for row in rows}
    faults += [
        f"filing {reference} was acknowledged as {id_} and is {by_reference.get(reference)}"
        for reference, id_ in references.items()
        if by_reference.get(reference) != id_
    ]
    steps = made.rows(
        "registration",
        select(decision.c.registration_id, decision.c.kind, decision.c.decided_at),
    )
    faults += [f"decided twice: {step}" for step, n in Counter(map(tuple, steps)).items() if n > 1]
    undecided = {row.id for row in rows} - {step.registration_id for step in steps}
    faults += [f"{id_} has no decision" for id_ in sorted(undecided & set(references.values()))]
    filed = Counter(_subjects(made, "dealreg.registration.filed.v1"))
    faults += [
        f"{id_} has {filed[id_]} events of its filing"
        for id_ in references.values()
        if filed[id_] != 1
    ]
    return faults


def lines(made: Installation) -> list[str]:
    """Places are distinct and gapless; of each line of an account one claim holds."""
    claim = made.tables("registration").claim
    places: dict[str, list[int]] = defaultdict(list)
    holders: Counter[tuple[str, str]] = Counter()
    for row in made.rows("registration", select(claim)):
        places[row.numbered_by].append(row.place)
        if row.state in HOLDING and row.co_holds is None:
            holders[row.account_id, row.product_line] += 1
    faults = [
        f"{account}: places {sorted(taken)}"
        for account, taken in places.items()
        if sorted(taken) != list(range(1, len(taken) + 1))
    ]
    return faults + [f"{line} has {n} holders" for line, n in holders.items() if n > 1]


def ruled(made: Installation, cases: Collection[str]) -> list[str]:
    """Every acknowledged ruling stands, with one event."""
    table = made.tables("registration").ruling
    stored = {row.conflict_id for row in made.rows("registration", select(table.c.conflict_id))}
    told = Counter(_subjects(made, "dealreg.conflict.decided.v1"))
    return [f"the ruling on {case} is lost" for case in cases if case not in stored] + [
        f"the ruling on {case} has {told[case]} events" for case in stored if told[case] != 1
    ]


def events(made: Installation) -> list[str]:
    """Every event is sent; of each key the versions have no gap (but where erased)."""
    faults = []
    for service in SERVICES:
        table = made.outbox(service)
        versions: dict[tuple[str, str], list[int]] = defaultdict(list)
        for row in made.rows(service, select(table.c.topic, table.c.key, table.c.version)):
            versions[row.topic, row.key].append(row.version)
        for (topic, key), taken in versions.items():
            whole = sorted(taken) == list(range(1, len(taken) + 1))
            if not whole and not TOPICS[topic].compacted:
                faults.append(f"{topic} {key}: versions {sorted(taken)[:20]}")
        unsent = select(func.count()).select_from(table).where(table.c.sent_at.is_(None))
        if left := made.rows(service, unsent)[0][0]:
            faults.append(f"{service}: {left} events are not sent")
    return faults


def applied(made: Installation) -> list[str]:
    """Every consumer has applied every event; no key stands aside."""
    faults = [f"behind: {late}" for late in made.behind()]
    for service in SERVICES:
        key = made.inbox(service)
        aside = made.rows(service, select(key).where(key.c.status.is_not(None)))
        faults += [f"{row.consumer} {row.key} is {row.status}: {row.reason}" for row in aside]
    return faults


def told(made: Installation) -> list[str]:
    """Each filing was told its partner; each case is known with its end; managers have mails."""
    tables = made.tables("notifier")
    notice, delivery, known = tables.notification, tables.delivery, tables.conflict_case
    causes = Counter(
        row.cause
        for row in made.rows("notifier", select(notice).where(notice.c.kind == "decision"))
    )
    faults = [
        f"filing {event} was told {causes[event]} times"
        for event in _ids(made, "dealreg.registration.filed.v1")
        if causes[event] < 1
    ]
    conflict = made.tables("registration").conflict
    decided = {row.id: row.closed_at is None for row in made.rows("registration", select(conflict))}
    seen = {row.conflict_id: row.closed_at is None for row in made.rows("notifier", select(known))}
    faults += [
        f"case {case} is {'open' if decided[case] else 'closed'} and notifier says otherwise"
        for case in decided
        if seen.get(case) != decided[case]
    ]
    intended = select(delivery.c.notification_id).where(delivery.c.channel == "email")
    bare = select(notice.c.notification_id).where(
        notice.c.recipient == "manager", notice.c.notification_id.not_in(intended)
    )
    return faults + [f"notice {row[0]} has no mail" for row in made.rows("notifier", bare)]


def timers(made: Installation) -> list[str]:
    """A timer exists once; an open case with a ladder waits for one, a closed one for none."""
    tables = made.tables("notifier")
    timer, case = tables.timer, tables.conflict_case
    rows = made.rows("notifier", select(timer))
    once = Counter((row.subject, row.kind, row.step, row.generation) for row in rows)
    faults = [f"timer {which} exists {n} times" for which, n in once.items() if n > 1]
    now = made.read("notifier", app_now)
    pending: Counter[str] = Counter()
    for row in rows:
        pending[row.subject] += row.state == "pending"
        if row.state == "pending" and (now - row.due_at).total_seconds() > 60:
            faults.append(f"timer {row.timer_id} is overdue since {row.due_at}")
    for row in made.rows("notifier", select(case)):
        waits = row.closed_at is None and row.course is not None and row.repeat_hours is not None
        if waits and not pending[row.conflict_id]:
            faults.append(f"open case {row.conflict_id} has no timer")
        if row.closed_at is not None and pending[row.conflict_id]:
            faults.append(f"closed case {row.conflict_id} has timers")
    return faults


def open_deliveries(made: Installation) -> int:
    """Deliveries that are due and not ended."""
    delivery = made.tables("notifier").delivery
    now = made.read("notifier", app_now)
    query = select(func.count()).select_from(delivery)
    query = query.where(delivery.c.state.in_(("pending", "sending")), delivery.c.due_at <= now)
    return int(made.rows("notifier", query)[0][0])


def delivered(made: Installation) -> list[str]:
    """Every intent that was due has ended."""
    delivery = made.tables("notifier").delivery
    now = made.read("notifier", app_now)
    rows = made.rows("notifier", select(delivery).where(delivery.c.due_at <= now))
    states = Counter(row.state for row in rows if row.carried_by is None)
    left = {state: n for state, n in states.items() if state in ("pending", "sending")}
    return [f"{n} deliveries are {state}" for state, n in left.items()]


def outside(
    made: Installation, channel: str, received: Sequence[str], what: str
) -> tuple[list[str], int]:
    """Ids that a mail server or a receiver saw, against what is on record: faults, and repetitions.

    All that is on record as delivered was received; what was received more than once had the same id.
    """
    delivery = made.tables("notifier").delivery
    rows = made.rows("notifier", select(delivery).where(delivery.c.channel == channel))
    sent = {row.delivery_id for row in rows if row.state == "delivered" and row.carried_by is None}
    known = {row.delivery_id for row in rows}
    seen = Counter(received)
    faults = [f"{what} {id_} is on record and never came" for id_ in sent - seen.keys()]
    if channel == "email":  # an endpoint's deliveries go with it when it is deleted
        faults += [f"{what} {id_} came and is on no record" for id_ in seen.keys() - known]
    return faults, sum(n - 1 for n in seen.values())


def rebuilt(made: Installation) -> list[str]:
    """Coverage's sums are those that the whole log gives. Nothing may run meanwhile."""
    tables = made.tables("coverage")
    before = {it.name: _content(made, it) for it in tables.FROM_THE_LOG}

    async def again() -> None:
        database, bus = Database(made.databases["coverage"]), made.bus()
        try:
            desk = Desk(PlanShelf(), Outbox(tables.OUTBOX, SOURCE, "default"))
            await rebuild(database, bus, desk)
        finally:
            await bus.close()
            await database.dispose()

    asyncio.run(again())
    return [
        f"coverage's {it.name} differs from what the log gives"
        for it in tables.FROM_THE_LOG
        if _content(made, it) != before[it.name]
    ]


def _content(made: Installation, table: Table) -> list[str]:
    return sorted(map(repr, made.rows("coverage", select(table))))


def _bodies(made: Installation, kind: str) -> Iterable[Any]:
    outbox = made.outbox("registration")
    query = select(outbox.c.body).where(outbox.c.body.contains(f'"{kind}"'))
    for row in made.rows("registration", query):
        event = json.loads(row.body)
        if event["type"] == kind:
            yield event


def _subjects(made: Installation, kind: str) -> list[str]:
    return [event["subject"] for event in _bodies(made, kind)]


def _ids(made: Installation, kind: str) -> list[str]:
    return [event["id"] for event in _bodies(made, kind)]
