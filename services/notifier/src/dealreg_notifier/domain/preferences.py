"""What a person wishes about notices, and what follows for one notice on each channel.

A wish chooses how a notice travels, never whether it exists: every notice stands in the inbox. An
escalation goes out at once, on at least one channel, whatever is wished. Must not read a clock.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

ESCALATION = "escalation"

GROUPS: Mapping[str, tuple[str, ...]] = {
    ESCALATION: (
        "ladder",
        "case_reminder",
        "case_reviewed",
        "case_taken",
        "case_paused",
        "case_resumed",
        "case_commented",
        "case_settled",
    ),
    "decision": ("decision", "claim_changed", "registration_ended", "offer_lapsed"),
    "deadline": (
        "offer",
        "information_wanted",
        "information_given",
        "extension_asked",
        "extension_refused",
        "expiring",
        "idle",
    ),
    "case": ("case_open", "case_asked", "case_decided", "case_closed"),
    "referral": (
        "referral",
        "referral_answer",
        "referral_details",
        "referral_over",
        "transfer",
        "transfer_closed",
        "named_account",
    ),
    "programme": ("plan_changes", "partner_status", "endpoint_off"),
}
"""Kinds of notices by group. A kind that stands nowhere counts as an escalation: rather told too soon
than too late."""

_GROUP_OF = {kind: group for group, kinds in GROUPS.items() for kind in kinds}


def group_of(kind: str) -> str:
    """The group that a kind of notice belongs to."""
    return _GROUP_OF.get(kind, ESCALATION)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Every day from ``start`` to ``end`` on the clock of ``zone``; over midnight when start > end.

    ``start`` and ``end`` differ. Half open: at ``end`` it is no longer quiet.
    """

    zone: str
    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Digest:
    """Every day at ``at`` on the clock of ``zone``, one message with what waited of these groups."""

    zone: str
    at: time
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Preferences:
    """``channels`` by group or by kind, the kind's entry first; without an entry, all channels."""

    channels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    quiet_hours: QuietHours | None = None
    digest: Digest | None = None
    language: str | None = None


DEFAULT = Preferences()


@dataclass(frozen=True, slots=True)
class Sending:
    """When a notice may leave on a channel; ``not``: the person does not want it there."""

    how: Literal["now", "at", "digest", "not"]
    at: datetime | None = None


NOW, NOT = Sending("now"), Sending("not")


def sendings(
    kind: str,
    preferences: Preferences,
    channels: Collection[str],
    now: datetime,
    act_by: datetime | None = None,
) -> dict[str, Sending]:
    """What becomes of a notice written ``now`` on each of ``channels``, those that reach the person.

    Whoever has to do something until ``act_by`` hears of it before: such a notice waits for no instant
    after it.
    """
    group = group_of(kind)
    wanted = preferences.channels.get(kind, preferences.channels.get(group))
    if wanted is None or (group == ESCALATION and wanted.isdisjoint(channels)):
        wanted = frozenset(channels)
    when = NOW if group == ESCALATION else _when(group, preferences, now)
    if act_by is not None and when.at is not None and when.at >= act_by:
        when = NOW
    return {channel: when if channel in wanted else NOT for channel in channels}


def _when(group: str, preferences: Preferences, now: datetime) -> Sending:
    digest, quiet = preferences.digest, preferences.quiet_hours
    if digest is not None and group in digest.groups:
        return Sending("digest", next_time(digest.at, digest.zone, now))
    if quiet is not None and is_quiet(quiet, now):
        return Sending("at", _end_of(quiet, now))
    return NOW


def is_quiet(quiet: QuietHours, now: datetime) -> bool:
    """Whether the clock of the quiet hours' zone stands inside them."""
    shown = now.astimezone(ZoneInfo(quiet.zone)).time()
    if quiet.start < quiet.end:
        return quiet.start <= shown < quiet.end
    return shown >= quiet.start or shown < quiet.end


def next_time(at: time, zone: str, now: datetime) -> datetime:
    """The first instant after ``now`` at which the clock of ``zone`` shows ``at``, in UTC.

    An hour that the clock skips counts as that much later; of one that comes twice, the first counts.
    """
    local = ZoneInfo(zone)
    today = now.astimezone(local).date()
    for days in range(-1, 3):
        day = today + timedelta(days=days)
        found = datetime.combine(day, at, tzinfo=local).astimezone(UTC)
        if found > now:
            return found
    raise ValueError(f"{zone} has no {at} within two days")


def _end_of(quiet: QuietHours, now: datetime) -> datetime:
    """When the quiet hours that run now are over, also on a night on which the clock is changed."""
    zone = ZoneInfo(quiet.zone)
    today = now.astimezone(zone).date()
    ends = (
        datetime.combine(today + timedelta(days=days), quiet.end, tzinfo=zone).replace(fold=fold)
        for days in range(3)
        for fold in (0, 1)
    )
    return min(
        end
        for end in (end.astimezone(UTC) for end in ends)
        if end > now and not is_quiet(quiet, end)
    )
