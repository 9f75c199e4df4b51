"""Row 7: a process is stopped (SIGSTOP) for twice its lease; others take over.

Two registrations and two notifiers, partners who contest each other's customers, a real mail server.
Each time one process stops itself where it hurts: with rows read and not yet published, with events
fetched or applied, with deliveries claimed or mailed and not recorded, in the middle of a transaction.
All that was there at that instant must be published, applied and mailed by the other while it stands
still. When it goes on, nothing that had ended may change, and no mail may go out under another id.

SQLite and the embedded bus are for one process of each service: there is nobody to take over, and what
was there must be done as soon after the pause.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from sqlalchemy import func, select

from dealreg_devstack.processes import free_port
from dealreg_shared.bus.headers import key_version
from dealreg_shared.contracts.catalogue import REGISTRATION, TOPICS
from dealreg_shared.restart import EXIT_CODE
from tests.factories.notifier_world import MailServer
from tests.faults import log
from tests.faults.clients import Client
from tests.faults.installation import SERVICES, Installation, Process, until
from tests.faults.programme import enrol
from tests.faults.proof import Lab, Outcome, Row

TAKEN_OVER_SECONDS = 15.0
STOPPED_SECONDS = 20.0
"""Twice the longest of the leases: 10 s for deliveries, 9 s for relays, 8 s for consumers."""

FILING_SECONDS = 0.7

POINTS = {
    "deliveries.claim_committed": "sender, deliveries claimed",
    "relay.read": "relay, rows read",
    "inbox.fetched": "consumer, events fetched",
    "mail.sent": "sender, mail sent",
    "relay.published": "relay, rows published",
    "inbox.committed": "consumer, events applied",
    "deliveries.claimed": "sender, in a transaction",
    "notices.written": "consumer, in a transaction",
}
"""Where a process stops, and what it holds there. Both services have a relay."""

SMOKE = 1
TIMES = 3

SETTINGS = {
    "DEALREG_NOTIFIER_SMTP_HOST": "127.0.0.1",
    "DEALREG_NOTIFIER_SMTP_FROM": "Partner desk <desk@example.org>",
    "DEALREG_NOTIFIER_STORM_LIMIT": "0",
    "PROOF_SESSION": "8",
}


@dataclass
class Seen:
    """What was found. ``late``: pauses that others did not make good in time."""

    took: list[float] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    restarts: int = 0
    refused: int = 0


def prove(lab: Lab) -> Outcome:
    """Stop a process at one point after the other while partners file."""
    points = list(POINTS)[: lab.count(SMOKE, len(POINTS))] * lab.count(1, TIMES)
    seen = Seen()
    with lab.installation() as made, _mail_server() as mail:
        stopping = made.folder / "stopping"
        more = {
            **SETTINGS,
            "PROOF_PAUSE": str(stopping),
            "DEALREG_NOTIFIER_SMTP_PORT": str(mail.port),
        }
        services = ["registration", "notifier"]
        if lab.where == "servers":
            services += ["notifier"] + ["registration"] * lab.full
        for service in services:
            made.start(service, more=more).ready()
        clients = _rivals(made)
        until(lambda: len(mail.messages) > 2, "people are told")
        for number, point in enumerate(points, 1):
            _stop(made, more, stopping, point, seen, alone=lab.where == "embedded")
            lab.say(f"  {number} of {len(points)}, {POINTS[point]}: {seen.took[-1]:.1f} s")
        for client in clients:
            client.finish()
        then = _there(made)
        _until_done(made, more, seen, then, "everything is done")
        until(lambda: _waiting(made) == 0, "all mails are sent")
        seen.stale += _wrong_mails(made, mail) + _old_at_the_end(made)
        odd = [text for client in clients for text in client.odd]
        filed = sum(len(client.accepted) for client in clients)
        repeats = len(mail.messages) - len({mail["Message-ID"] for mail in mail.messages})
    return Outcome(
        f"{len(points)} pauses of {STOPPED_SECONDS:g} s ({', '.join(POINTS[it] for it in points[:8])}), "
        f"{filed} registrations, {len(mail.messages)} mails",
        f"all that was there was done {'by others ' * (lab.where == 'servers')}after "
        f"{max(seen.took):.1f} s at most; {len(seen.stale)} stale writes; "
        f"{repeats} mails repeated, under the same ids; {seen.restarts} restarts asked for"
        + "".join(f"; {text}" for text in (seen.late + seen.stale + odd)[:3]),
        kept=not seen.late and not seen.stale and not odd,
    )


ROW = Row(
    "7",
    "paused process",
    "others take over <= 15 s, also what it had claimed (alone: done <= 15 s after the pause); 0 stale "
    "writes accepted",
    prove,
    smoke_where=("servers",),
)


@contextmanager
def _mail_server() -> Iterator[MailServer]:
    handler = MailServer(port=free_port())
    server = Controller(handler, hostname="127.0.0.1", port=handler.port)
    server.start()
    try:
        yield handler
    finally:
        server.stop()


def _rivals(made: Installation) -> list[Client]:
    """Two partners who file for the same customers: each line is contested."""
    url = made.processes[0].url
    clients = [Client(url, secret, 0, 1, FILING_SECONDS) for secret in enrol(made, 2)]
    for client in clients:
        client.start()
    return clients


def _stop(
    made: Installation,
    more: dict[str, str],
    stopping: Path,
    point: str,
    seen: Seen,
    *,
    alone: bool,
) -> None:
    """One pause: until others have done all there was, and the rest of the time; then it goes on. One
    that is ``alone`` does it itself afterwards."""
    stopped = stopping.with_suffix(".stopped")
    stopping.write_text(point, "utf-8")
    until(stopped.exists, f"a process meets {point}")
    process = _of(made, int(stopped.read_text("utf-8")))
    stopped.unlink()
    began = time.monotonic()
    there = _there(made)

    def done() -> None:
        seen.took.append(_until_done(made, more, seen, there, f"all is done after {point}"))
        if seen.took[-1] > TAKEN_OVER_SECONDS:
            seen.late.append(f"{POINTS[point]}: {seen.took[-1]:.1f} s")

    if not alone:
        done()
    time.sleep(max(0.0, STOPPED_SECONDS - (time.monotonic() - began)))
    before = _ended(made)
    process.resume()
    if alone:
        done()
    until(lambda: not process.running or process.answers(), "it goes on")
    then = _there(made)
    _until_done(made, more, seen, then, "all goes on")
    after = _ended(made)
    seen.stale += [f"{key}: {it} became {after.get(key)}" for key, it in before.items()
                   if after.get(key) != it]  # fmt: skip


def _of(made: Installation, pid: int) -> Process:
    return next(process for process in made.processes if process.popen.pid == pid)


@dataclass(frozen=True)
class There:
    """What there was: events by service and the last version of keys, and when."""

    newest: dict[str, int]
    versions: dict[str, int]
    deliveries: Sequence[str]


def _there(made: Installation) -> There:
    newest = {}
    for service in ("registration", "notifier"):
        outbox = made.outbox(service)
        newest[service] = made.rows(service, select(func.coalesce(func.max(outbox.c.id), 0)))[0][0]
    outbox = made.outbox("registration")
    versions = made.rows(
        "registration",
        select(outbox.c.key, func.max(outbox.c.version))
        .where(outbox.c.topic == REGISTRATION)
        .group_by(outbox.c.key),
    )
    delivery = made.table("notifier", "delivery")
    open_ones = select(delivery.c.delivery_id).where(delivery.c.state.in_(("pending", "sending")))
    return There(
        newest,
        dict(tuple(row) for row in versions),
        [row[0] for row in made.rows("notifier", open_ones)],
    )


def _left(made: Installation, there: There) -> str:
    """What of it is not done yet; empty when all is."""
    for service, last in there.newest.items():
        outbox = made.outbox(service)
        unsent = select(func.count()).where(outbox.c.sent_at.is_(None), outbox.c.id <= last)
        if count := made.rows(service, unsent)[0][0]:
            return f"{count} events of {service} not sent"
    inbox = made.inbox("notifier")
    applied = select(inbox.c.key, func.min(inbox.c.version)).where(inbox.c.topic == REGISTRATION)
    versions = dict(tuple(row) for row in made.rows("notifier", applied.group_by(inbox.c.key)))
    late = [key for key, version in there.versions.items() if versions.get(key, 0) < version]
    if late:
        return f"{len(late)} keys not applied"
    delivery = made.table("notifier", "delivery")
    waiting = select(func.count()).where(
        delivery.c.delivery_id.in_(there.deliveries),
        delivery.c.state.in_(("pending", "sending")),
    )
    if count := made.rows("notifier", waiting)[0][0]:
        return f"{count} deliveries not ended"
    return ""


def _until_done(
    made: Installation, more: dict[str, str], seen: Seen, there: There, what: str
) -> float:
    """Seconds until all of it is done. Raises AssertionError, with what is left."""

    def done() -> bool:
        _supervise(made, more, seen)
        return not _left(made, there)

    try:
        return until(done, what)
    except AssertionError as late:
        raise AssertionError(f"{late}: {_left(made, there)}") from None


def _supervise(made: Installation, more: dict[str, str], seen: Seen) -> None:
    """Start again what asks for it. Raises AssertionError for what ended otherwise."""
    for process in [it for it in made.processes if not it.running]:
        code = process.popen.returncode
        assert code == EXIT_CODE, f"{process.service} ended with {code}: {process.words()}"
        seen.restarts += 1
        made.processes.remove(process)
        made.start(process.service, more=more)


def _waiting(made: Installation) -> int:
    delivery = made.table("notifier", "delivery")
    open_ones = select(func.count()).where(delivery.c.state.in_(("pending", "sending")))
    return int(made.rows("notifier", open_ones)[0][0])


def _ended(made: Installation) -> dict[str, Any]:
    """What must stay as it is: the end of deliveries, and timers that are no longer pending."""
    delivery, timer = made.table("notifier", "delivery"), made.table("notifier", "timer")
    ended = select(
        delivery.c.delivery_id, delivery.c.state, delivery.c.attempt, delivery.c.ended_at
    ).where(delivery.c.ended_at.is_not(None))
    fired = select(timer).where(timer.c.state != "pending")
    return {
        **{row[0]: tuple(row) for row in made.rows("notifier", ended)},
        **{row[0]: tuple(row) for row in made.rows("notifier", fired)},
    }


def _wrong_mails(made: Installation, mail: MailServer) -> list[str]:
    """Mails under an id that no delivery has, and deliveries that say so and did not arrive."""
    delivery = made.table("notifier", "delivery")
    ended = select(delivery.c.delivery_id, delivery.c.state).where(delivery.c.channel == "email")
    states = {row[0]: row[1] for row in made.rows("notifier", ended)}
    arrived = {str(it["Message-ID"]).strip("<>").partition("@")[0] for it in mail.messages}
    delivered = {key for key, state in states.items() if state == "delivered"}
    return [f"a mail of nobody's: {it}" for it in arrived - states.keys()] + [
        f"never arrived: {it}" for it in delivered - arrived
    ]


def _old_at_the_end(made: Installation) -> list[str]:
    """Keys of compacted topics whose last message is not the newest: what would be kept is stale."""
    last = {
        (message.topic, message.key): key_version(message.headers)
        for message in asyncio.run(log.read(made.bus()))
    }
    compacted = [name for name, topic in TOPICS.items() if topic.compacted]
    stale = []
    for service in SERVICES[::2]:
        outbox = made.outbox(service)
        newest = select(outbox.c.topic, outbox.c.key, func.max(outbox.c.version)).where(
            outbox.c.topic.in_(compacted)
        )
        for topic, key, version in made.rows(
            service, newest.group_by(outbox.c.topic, outbox.c.key)
        ):
            if last.get((topic, key)) != version:
                stale.append(f"{topic} {key} ends with {last.get((topic, key))}, not {version}")
    return stale
