"""What no service can see alone: outbox against log, log against consumers, case against clock.

The order of reading makes most of it exact: what was applied is read before what is in the log, and that
before what was decided, so that nothing under way can look like a fault. Where a side may lag, it is
compared with what stood there a minute ago. Must not write, nor ask a service.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from dealreg.auditor.limits import Limited
from dealreg.auditor.log_book import LogBook
from dealreg.auditor.rounds import Job, Unsettled
from dealreg_shared.auditing import OVERDUE, SLICE, Audited, Check, Finding, Looked, OpenCase
from dealreg_shared.auditing.messages import (
    Versions,
    applied_versions,
    keys_after,
    outbox_versions,
    sent_versions,
)
from dealreg_shared.contracts.catalogue import TOPICS
from dealreg_shared.db import app_now
from dealreg_shared.ladder import level_at

LOG_IS_CURRENT = 30.0
"""Seconds. The log book knew all that the log knew so lately that a minute's age is certainly in it."""

Applied = Mapping[str, tuple[int, bool]]


@dataclass(frozen=True, slots=True)
class Watched:
    """A service as the auditor sees it."""

    audited: Audited
    database: Limited

    @property
    def name(self) -> str:
        return self.audited.service


def own_jobs(watched: Watched, *, often: bool) -> list[Job]:
    """The service's own checks."""
    return [_own(watched, check) for check in watched.audited.checks if check.often is often]


def comparing_jobs(services: Mapping[str, Watched], log: LogBook) -> list[Job]:
    """The comparisons of a topic's owner, the log and its readers; and of both sides of a case."""
    jobs = []
    for topic in TOPICS.values():
        owner = services[topic.owner]
        readers = [
            (reader, group)
            for reader in services.values()
            for group, topics in reader.audited.consumers.items()
            if topic.name in topics
        ]
        jobs.append(_log_is_known(owner, topic.name, log))
        jobs.append(_all_is_applied(owner, readers, topic.name, log))
    jobs.append(Job("log", "bus", lambda _after: _faults(log)))
    jobs.append(Job("log-lost", "bus", lambda _after: _losses(log)))
    jobs.append(_cases(services["registration"], services["notifier"]))
    return jobs


def _own(watched: Watched, check: Check) -> Job:
    async def look(after: str) -> Looked:
        return await watched.database.read(
            check.name, lambda conn: check.look(conn, after, app_now(conn))
        )

    return Job(check.name, watched.name, look)


async def _faults(log: LogBook) -> Looked:
    found = await log.faults()
    return Looked(found, len(found))


async def _losses(log: LogBook) -> Looked:
    found = await log.losses()
    return Looked(found, len(found))


def _log_is_known(owner: Watched, topic: str, log: LogBook) -> Job:
    """Nothing is in the log that its writer does not know: its database came back from a backup."""
    name = f"log-known:{topic.removeprefix('dealreg.')}"

    async def look(after: str) -> Looked:
        in_log = await log.after(topic, after)
        if log.behind() is None:
            raise Unsettled("the log is being read for the first time")
        decided = await owner.database.read(
            name, lambda conn: outbox_versions(conn, owner.audited.outbox, topic, list(in_log))
        )
        findings = []
        for key, version in in_log.items():
            last = decided.get(key, Versions()).last
            if version > last:
                where = f"ends at {last}" if last else "does not know it at all"
                findings.append(
                    Finding(
                        f"The log knows {owner.name} {key} up to version {version}; the database "
                        f"{where}. Was it restored from a backup?",
                        (key, topic, f"log:{version}", f"database:{last}"),
                    )
                )
        return Looked(findings, len(in_log), list(in_log)[-1] if len(in_log) == SLICE else None)

    return Job(name, owner.name, look)


def _all_is_applied(
    owner: Watched, readers: Sequence[tuple[Watched, str]], topic: str, log: LogBook
) -> Job:
    """What was sent is in the log, and every reader has applied it, and no more than that."""
    name = f"applied:{topic.removeprefix('dealreg.')}"

    def decided(
        conn: Connection, keys: Sequence[str]
    ) -> tuple[dict[str, Versions], dict[str, int], datetime]:
        before = app_now(conn) - OVERDUE
        outbox = owner.audited.outbox
        return (
            outbox_versions(conn, outbox, topic, keys),
            sent_versions(conn, outbox, topic, keys, before),
            before,
        )

    async def look(after: str) -> Looked:
        keys = await owner.database.read(
            name, lambda conn: keys_after(conn, owner.audited.outbox, topic, after)
        )
        applied = [
            (reader, group, await reader.database.read(name, _applied(reader, group, topic, keys)))
            for reader, group in readers
        ]
        in_log = await log.versions(topic, keys)
        behind = log.behind()
        if behind is None or behind > LOG_IS_CURRENT:
            raise Unsettled("the log book has not reached the end of the log lately")
        written, sent, before = await owner.database.read(name, lambda conn: decided(conn, keys))
        findings = []
        for key in keys:
            if in_log.get(key, 0) < sent.get(key, 0):
                findings.append(
                    Finding(
                        f"Version {sent[key]} of {key} on {topic} was acknowledged, but the log ends at "
                        f"version {in_log.get(key, 0)}.",
                        (key, topic, "log"),
                        before,
                    )
                )
            for _, group, versions in applied:
                fault = _against(key, topic, group, versions, sent, written)
                if fault is not None:
                    findings.append(fault)
        return Looked(findings, len(keys), keys[-1] if len(keys) == SLICE else None)

    return Job(name, owner.name, look)


def _applied(reader: Watched, group: str, topic: str, keys: Sequence[str]) -> "_Reading":
    return _Reading(reader, group, topic, keys)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A unit of work, bound to its reader."""

    reader: Watched
    group: str
    topic: str
    keys: Sequence[str]

    def __call__(self, conn: Connection) -> Applied:
        return applied_versions(conn, self.reader.audited.inbox, self.group, self.topic, self.keys)


def _against(
    key: str,
    topic: str,
    group: str,
    applied: Applied,
    sent: Mapping[str, int],
    written: Mapping[str, Versions],
) -> Finding | None:
    version, aside = applied.get(key, (0, False))
    last = written.get(key, Versions()).last
    if version > last:
        return Finding(
            f"{group} has applied {key} of {topic} up to version {version}, but its writer ends at "
            f"{last}.",
            (key, topic, group),
        )
    if version < sent.get(key, 0) and not aside:  # what stands aside is named as such
        return Finding(
            f"{group} has applied {key} of {topic} up to version {version}, but version {sent[key]} was "
            f"sent more than {OVERDUE.total_seconds():.0f} s ago.",
            (key, topic, group),
        )
    return None


def _cases(registration: Watched, notifier: Watched) -> Job:
    """The level that notifier told last is the one that the stamps give; both know the same cases."""
    name = "cases"

    def decided(
        conn: Connection, known: Sequence[str]
    ) -> tuple[list[OpenCase], dict[str, datetime], datetime]:
        audited = registration.audited
        open_ = audited.open_cases(conn)
        missing = sorted(set(known) - {case.case_id for case in open_})
        return open_, audited.closed_cases(conn, missing) if missing else {}, app_now(conn)

    async def look(_after: str) -> Looked:
        told = await notifier.database.read(name, notifier.audited.open_cases)
        by_id = {case.case_id: case for case in told}
        open_, closed, now = await registration.database.read(
            name, lambda conn: decided(conn, list(by_id))
        )
        findings = []
        for case in open_:
            mine = by_id.pop(case.case_id, None)
            fault = _level_fault(case, mine, now)
            if fault is not None:
                findings.append(fault)
        for case_id in by_id:
            since = closed.get(case_id)
            if since is None or since < now - OVERDUE:
                what = "does not know it" if since is None else "has closed it"
                findings.append(
                    Finding(
                        f"Notifier has {case_id} open, but registration {what}.", (case_id,), since
                    )
                )
        return Looked(findings, len(open_))

    return Job(name, "notifier", look)


def _level_fault(case: OpenCase, mine: OpenCase | None, now: datetime) -> Finding | None:
    if mine is None:
        if case.opened_at > now - OVERDUE:
            return None
        return Finding(
            f"{case.case_id} is open, but notifier has no clock for it.",
            (case.case_id,),
            case.opened_at,
        )
    if case.course is None or not case.course.stamps[-1].deadlines:
        return None
    levels = {level_at(case.course, now - age) for age in (timedelta(), OVERDUE)}
    if mine.level is not None and min(levels) <= mine.level <= max(levels):
        return None
    return Finding(
        f"{case.case_id} is on level {max(levels)}, but notifier told level {mine.level} last.",
        (case.case_id, f"level:{max(levels)}", f"told:{mine.level}"),
    )
