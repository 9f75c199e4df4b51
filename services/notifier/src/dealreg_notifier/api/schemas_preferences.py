"""The shape of preferences over HTTP, and what makes a choice impossible."""

from collections.abc import Collection, Mapping
from datetime import time
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, Field, model_validator

from dealreg_notifier.domain.preferences import (
    ESCALATION,
    GROUPS,
    Digest,
    Preferences,
    QuietHours,
)
from dealreg_notifier.wording import languages
from dealreg_shared.web.bodies import StrictBody
from dealreg_shared.web.problems import invalid


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("must be an IANA time zone such as Europe/Berlin")
    return ZoneInfo(value).key


Zone = Annotated[str, Field(max_length=64, examples=["Europe/Berlin"]), AfterValidator(_zone)]
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", examples=["22:00"])]


class QuietHoursBody(StrictBody):
    """Every day from `start` to `end` on the clock of the zone, over midnight too. Notices wait for the
    end; escalations do not."""

    time_zone: Zone
    start: Clock
    end: Clock

    @model_validator(mode="after")
    def _some_time(self) -> "QuietHoursBody":
        if self.start == self.end:
            raise ValueError("start and end must differ; leave quiet_hours out for none")
        return self


class DigestBody(StrictBody):
    """One message a day, at `at` on the clock of the zone, with what waited of these groups."""

    time_zone: Zone
    at: Clock
    groups: Annotated[list[str], Field(min_length=1, max_length=len(GROUPS))]


class PreferencesBody(StrictBody):
    channels: Annotated[
        dict[str, Annotated[list[str], Field(max_length=32)]],
        Field(
            default_factory=dict,
            max_length=64,
            description="Names of channels by group or kind of notice, the kind's entry first. "
            "Without an entry: all channels. An empty list: the inbox alone",
            examples=[{"decision": ["email"], "plan_changes": []}],
        ),
    ]
    quiet_hours: QuietHoursBody | None = None
    digest: DigestBody | None = None
    language: Annotated[
        str | None,
        Field(
            pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$",
            description="Such as `en`; one that there are no words in falls back to the installation's",
        ),
    ] = None

    def checked(self, channels: Collection[str], kinds: Collection[str]) -> Preferences:
        """What is wished, if this installation can do it. Raises ``Problem`` 422."""
        faults = [*self._impossible_channels(channels, kinds)]
        for index, group in enumerate(self.digest.groups if self.digest else ()):
            if group not in GROUPS:
                faults.append((("digest", "groups", index), f"must be one of {_list(GROUPS)}"))
            elif group == ESCALATION:
                faults.append((("digest", "groups", index), "escalations wait for no digest"))
        if faults:
            raise invalid([{"type": "choice", "loc": loc, "msg": msg} for loc, msg in faults])
        return self._preferences()

    def _impossible_channels(
        self, channels: Collection[str], kinds: Collection[str]
    ) -> list[tuple[tuple[str | int, ...], str]]:
        faults: list[tuple[tuple[str | int, ...], str]] = []
        urgent = {ESCALATION, *GROUPS[ESCALATION]}
        for name, wanted in self.channels.items():
            if name not in GROUPS and name not in kinds:
                faults.append((("channels", name), "must be a group or a kind of notice"))
            elif name in urgent and not wanted:
                faults.append((("channels", name), "escalations need at least one channel"))
            faults += [
                (("channels", name, index), f"must be one of {_list(channels)}")
                for index, channel in enumerate(wanted)
                if channel not in channels
            ]
        return faults

    def _preferences(self) -> Preferences:
        quiet, digest = self.quiet_hours, self.digest
        return Preferences(
            channels={name: frozenset(wanted) for name, wanted in self.channels.items()},
            quiet_hours=None
            if quiet is None
            else QuietHours(
                quiet.time_zone, time.fromisoformat(quiet.start), time.fromisoformat(quiet.end)
            ),
            digest=None
            if digest is None
            else Digest(digest.time_zone, time.fromisoformat(digest.at), frozenset(digest.groups)),
            language=self.language,
        )


class QuietHoursView(BaseModel):
    time_zone: str
    start: str
    end: str


class DigestView(BaseModel):
    time_zone: str
    at: str
    groups: list[str]


class PreferencesView(BaseModel):
    """How a person wants to be told. May be sent back as it is, without `person_id`."""

    person_id: str
    channels: dict[str, list[str]]
    quiet_hours: QuietHoursView | None
    digest: DigestView | None
    language: str | None

    @classmethod
    def of(cls, person_id: str, wished: Preferences) -> "PreferencesView":
        quiet, digest = wished.quiet_hours, wished.digest
        return cls(
            person_id=person_id,
            channels={name: sorted(channels) for name, channels in wished.channels.items()},
            quiet_hours=None
            if quiet is None
            else QuietHoursView(
                time_zone=quiet.zone, start=_text(quiet.start), end=_text(quiet.end)
            ),
            digest=None
            if digest is None
            else DigestView(
                time_zone=digest.zone, at=_text(digest.at), groups=sorted(digest.groups)
            ),
            language=wished.language,
        )


class Choices(BaseModel):
    """What can be chosen here."""

    groups: Annotated[dict[str, list[str]], Field(description="Kinds of notices by group")]
    channels: list[str]
    languages: list[str]

    @classmethod
    def of(cls, channels: Collection[str], kinds: Collection[str]) -> "Choices":
        return cls(
            groups=_groups(GROUPS, kinds), channels=sorted(channels), languages=sorted(languages())
        )


def _groups(groups: Mapping[str, Collection[str]], kinds: Collection[str]) -> dict[str, list[str]]:
    named = {kind for listed in groups.values() for kind in listed}
    found = {group: [kind for kind in listed if kind in kinds] for group, listed in groups.items()}
    found[ESCALATION] += sorted(set(kinds) - named)
    return found


def _text(value: time) -> str:
    return value.isoformat(timespec="minutes")


def _list(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "(none is set up)"
