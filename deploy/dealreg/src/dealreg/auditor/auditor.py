"""The auditor: the watch every few seconds, the books at leisure, and what both together say.

Only a pass in which every check of both was clean pings the dead man's URL. After each watch the auditor
leaves its own heartbeat with every service, which looks at it in turn. Must not mend anything.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from time import monotonic

from dealreg.auditor.comparing import Watched
from dealreg.auditor.log_book import LogBook
from dealreg.auditor.report import AuditHealth, CheckReport, FindingReport, PingReport
from dealreg.auditor.rounds import Job, Round, State
from dealreg_shared.auditing import Finding
from dealreg_shared.db import app_now
from dealreg_shared.heartbeat import AUDITOR, beat
from dealreg_shared.telemetry import get_logger, metrics
from dealreg_shared.turns import Turns

SHOWN = 20
"""Findings of a check that the report names."""

STARTING_SECONDS = 45.0
"""A look that fails so soon after the start may only mean that the services start too."""

_FINDINGS = metrics.gauge(
    "dealreg_auditor_findings", "Faults that the auditor knows of.", "service", "check"
)
_OLDEST = metrics.gauge(
    "dealreg_auditor_oldest_finding_seconds",
    "How long the oldest fault of a check has been there.",
    "service",
    "check",
)
_CLEAN = metrics.gauge(
    "dealreg_auditor_last_clean_timestamp_seconds", "When a pass was last clean, in Unix time."
)

Seen = tuple[str, str, tuple[str, ...] | str]


class Auditor:
    """Holds the rounds of all checks. ``ping`` tells the dead man's URL; None: nobody is told."""

    def __init__(
        self,
        services: Mapping[str, Watched],
        log: LogBook,
        now: Callable[[], datetime],
        ping: Callable[[datetime], Awaitable[PingReport]] | None = None,
        *,
        starting: float = STARTING_SECONDS,
    ) -> None:
        self._services = services
        self._log = log
        self._now = now
        self._ping = ping
        self._starting_until = monotonic() + starting
        self.watch_rounds: list[Round] = []
        self.book_rounds: list[Round] = []
        self.books_ended = monotonic()
        self._books_ended_at: datetime | None = None
        self._books_new = False
        self._watched = False
        self._last_clean_at: datetime | None = None
        self._last_ping: PingReport | None = None
        self._seen: dict[Seen, datetime] = {}
        self._accepted: set[tuple[str, str]] = set()

    def take_up(self, watch: Sequence[Job], books: Sequence[Job]) -> None:
        """The checks to make."""
        self.watch_rounds = [Round(job) for job in watch]
        self.book_rounds = [Round(job) for job in books]

    async def watch(self, turned: Callable[[], None] = lambda: None) -> None:
        """Look whether all moves; leave the own heartbeat; say what is so."""
        starting = monotonic() < self._starting_until
        await asyncio.gather(*(each.go(self._now, starting=starting) for each in self.watch_rounds))
        await asyncio.gather(*(self._beat(each) for each in self._services.values()))
        self._accepted = await self._log.accepted()
        self._watched = True
        await self._conclude()
        turned()

    async def books(self, turned: Callable[[], None] = lambda: None) -> None:
        """Go through everything, check after check."""
        starting = monotonic() < self._starting_until
        for each in self.book_rounds:
            await each.go(self._now, starting=starting)
            turned()
        self.books_ended = monotonic()
        self._books_ended_at = self._now()
        self._books_new = True

    def flows(self, *, watch_seconds: float, books_seconds: float) -> list["Again"]:
        """What goes on by itself: the books and the watch, with these pauses."""

        def until_books() -> float:
            # The first reading of the log takes a moment, after which all can be told.
            settled = all(each.ended_at is not None for each in self.book_rounds)
            return books_seconds if settled else min(books_seconds, 2.0)

        return [
            Again("auditor-books", self.books, until_books),
            Again("auditor-watch", self.watch, lambda: watch_seconds),
        ]

    async def has_looked(self) -> bool:
        """Whether everything was looked at once, whatever came of it."""
        return self._watched and self._books_ended_at is not None

    async def look_once(self) -> None:
        """Everything once, telling nobody and leaving no heartbeat."""
        for each in self._rounds:
            await each.go(self._now)
        self._accepted = await self._log.accepted()

    @property
    def status(self) -> State:
        states = {self._state(each) for each in self._rounds}
        if "findings" in states:
            return "findings"
        whole = self._books_ended_at is not None and states == {"clean"}
        return "clean" if whole else "settling"

    def health(self) -> AuditHealth:
        """What is known now."""
        return AuditHealth(
            status=self.status,
            at=self._now(),
            last_clean_at=self._last_clean_at,
            books_ended_at=self._books_ended_at,
            ping=self._last_ping,
            checks=[self._check(each) for each in self._rounds],
            findings=[
                FindingReport(
                    check=each.job.name,
                    service=each.job.service,
                    sentence=finding.sentence,
                    ids=list(finding.ids),
                    since=finding.since,
                    first_seen_at=self._seen.get(_name(each, finding), self._now()),
                )
                for each in self._rounds
                for finding in self._open(each)[:SHOWN]
            ],
        )

    @property
    def _rounds(self) -> list[Round]:
        return [*self.watch_rounds, *self.book_rounds]

    def _open(self, each: Round) -> list[Finding]:
        return [
            finding
            for finding in each.findings
            if (each.job.name, (finding.ids or ("",))[0]) not in self._accepted
        ]

    def _state(self, each: Round) -> State:
        if self._open(each):
            return "findings"
        return "clean" if each.state == "findings" else each.state

    def _check(self, each: Round) -> CheckReport:
        open_ = len(self._open(each))
        return CheckReport(
            check=each.job.name,
            service=each.job.service,
            state=self._state(each),
            findings=open_,
            accepted=len(each.findings) - open_,
            looked_at=each.looked_at,
            round_ended_at=each.ended_at,
            seconds=round(each.seconds, 3),
            waits_for=each.waits_for,
        )

    async def _beat(self, watched: Watched) -> None:
        table = watched.audited.heartbeat
        try:
            await watched.database.write(
                AUDITOR, lambda conn: beat(conn, table, [AUDITOR], app_now(conn))
            )
        except Exception as error:  # the checks say what is wrong with that database
            get_logger(__name__).warning(
                "the auditor left no heartbeat", service=watched.name, error=repr(error)
            )

    async def _conclude(self) -> None:
        now = self._now()
        self._tell(now)
        if self.status != "clean":
            return
        self._last_clean_at = now
        _CLEAN.set(now.timestamp())
        if self._books_new and self._ping is not None:
            self._books_new = False
            self._last_ping = await self._ping(now)

    def _tell(self, now: datetime) -> None:
        """Metrics, and a log line for what is new and for what is gone."""
        log = get_logger(__name__)
        found = {
            _name(each, finding): finding for each in self._rounds for finding in self._open(each)
        }
        for name, finding in found.items():
            if name not in self._seen:
                self._seen[name] = now
                log.error(
                    "audit finding",
                    service=name[0],
                    check=name[1],
                    sentence=finding.sentence,
                    ids=finding.ids,
                )
        for name in [name for name in self._seen if name not in found]:
            del self._seen[name]
            log.info("audit finding is gone", service=name[0], check=name[1], about=name[2])
        for each in self._rounds:
            mine = self._open(each)
            ages = [
                (now - (finding.since or self._seen[_name(each, finding)])).total_seconds()
                for finding in mine
            ]
            labels = (each.job.service, each.job.name)
            _FINDINGS.labels(*labels).set(len(mine))
            _OLDEST.labels(*labels).set(max(ages, default=0.0))


def _name(each: Round, finding: Finding) -> Seen:
    return (each.job.service, each.job.name, finding.ids or finding.sentence)


class Again:
    """A ``runtime.Flow``: one of the auditor's two parts, again and again. ``go`` counts its turns."""

    def __init__(
        self,
        name: str,
        go: Callable[[Turns], Awaitable[None]],
        pause: Callable[[], float],
    ) -> None:
        self.turns = Turns()
        self._name = name
        self._go = go
        self._pause = pause

    @property
    def name(self) -> str:
        return self._name

    async def drain(self) -> int:
        await self._go(self.turns)
        return 0

    async def run(self) -> None:
        while True:
            await self.drain()
            await asyncio.sleep(self._pause())
