"""Does everything move? Each service's heartbeats, and the auditor's own reading and rounds."""

from collections.abc import Callable, Mapping
from datetime import datetime
from time import monotonic

from dealreg.auditor.comparing import Watched
from dealreg.auditor.log_book import LogBook
from dealreg.auditor.rounds import Job
from dealreg_shared.auditing import Finding, Looked
from dealreg_shared.heartbeat import AUDITOR, Standing, heartbeats

LATE_BOOKS = 120.0
"""Seconds beyond the usual pause after which the books count as not gone through."""

LATE_LOG = 60.0


def heartbeat_job(
    watched: Watched, step: float, silent: float, clock: Callable[[], float] = monotonic
) -> Job:
    """Names each part whose heartbeat stands still for ``silent`` seconds, or the whole service."""
    standing = Standing(step, clock)

    async def look(_after: str) -> Looked:
        beats = await watched.database.read(
            "heartbeats", lambda conn: heartbeats(conn, watched.audited.heartbeat)
        )
        beats.pop(AUDITOR, None)
        values: Mapping[str, datetime | None] = beats or {"": None}
        still = standing.look(values)
        return Looked(_silent(watched.name, still, silent), len(still))

    return Job("heartbeats", watched.name, look)


def _silent(service: str, still: Mapping[str, float], silent: float) -> list[Finding]:
    late = {part: seconds for part, seconds in still.items() if seconds >= silent}
    if "" in late:
        return [Finding(f"{service} does not run: none of its parts ever has.", (service,))]
    if late and len(late) == len(still):
        return [
            Finding(
                f"{service} stands still: none of its {len(late)} parts has moved for "
                f"{min(late.values()):.0f} s: {', '.join(sorted(late))}.",
                (service, *sorted(late)),
            )
        ]
    return [
        Finding(f"{part} of {service} has not moved for {seconds:.0f} s.", (part, service))
        for part, seconds in sorted(late.items())
    ]


def own_job(log: LogBook, books_ended: Callable[[], float], pause: float, began: float) -> Job:
    """Names the auditor's own parts that lag. ``books_ended``: when the last round of the books ended,
    and ``began`` when the auditor did, both on the monotonic clock."""

    async def look(_after: str) -> Looked:
        findings = []
        since = monotonic() - books_ended()
        if since > pause + LATE_BOOKS:
            findings.append(
                Finding(f"The books have not been gone through for {since:.0f} s.", ("books",))
            )
        behind = log.behind()
        lag = monotonic() - began if behind is None else behind
        turns = log.turns.count
        if lag > LATE_LOG and turns == seen[0]:
            findings.append(
                Finding(
                    f"The auditor has not read the log to its end for {lag:.0f} s, and does not go on.",
                    ("auditor-log",),
                )
            )
        seen[0] = turns
        return Looked(findings, 2)

    seen = [-1]
    return Job("auditor", "auditor", look)
