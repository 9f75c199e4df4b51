"""Every event type: its model, topic, key and owner; encoding, decoding and upcasting.

A type is listed here once and never removed. A change that only adds optional fields keeps the
version; any other change is a new version, with an upcaster from the one before it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from dealreg_shared.contracts import (
    conflict,
    coverage,
    escalation,
    keys,
    log,
    people,
    plan,
    referral,
    registration,
    transfer,
)
from dealreg_shared.contracts.base import EventData
from dealreg_shared.contracts.envelope import Event

REGISTRATION = "dealreg.registration"
PLAN = "dealreg.plan"
PEOPLE = "dealreg.people"
ACCESS = "dealreg.access"
COVERAGE = "dealreg.coverage"
ESCALATION = "dealreg.escalation"
KEYS = "dealreg.keys"
LOG = "dealreg.log"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and its one writer. Partition counts are fixed when the topic is created."""

    name: str
    owner: str
    key: str
    partitions: int
    compacted: bool = False


TOPICS: Mapping[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic(REGISTRATION, "registration", "account id", 6),
        Topic(PLAN, "registration", "programme id", 1),
        Topic(PEOPLE, "registration", "person id", 1, compacted=True),
        Topic(ACCESS, "registration", "API key id", 1, compacted=True),
        Topic(COVERAGE, "coverage", "market id", 3),
        Topic(ESCALATION, "notifier", "conflict id or notification id", 3),
        Topic(KEYS, "notifier", "link key id", 1, compacted=True),
        Topic(LOG, "registration", "programme id", 1),
    )
}


@dataclass(frozen=True, slots=True)
class EventType:
    """``upcast`` turns this version's ``data`` into the next version's; None for the newest."""

    name: str
    model: type[EventData]
    topic: str
    summary: str
    upcast: tuple[str, Callable[[dict[str, Any]], dict[str, Any]]] | None = None


def _types(topic: str, **models: tuple[type[EventData], str]) -> list[EventType]:
    return [
        EventType(f"dealreg.{name.replace('__', '.').replace('_', '-')}.v1", model, topic, summary)
        for name, (model, summary) in models.items()
    ]


CATALOGUE: Mapping[str, EventType] = {
    event_type.name: event_type
    for event_type in [
        *_types(
            REGISTRATION,
            registration__filed=(
                registration.RegistrationFiled,
                "A registration was stored and each of its claims decided.",
            ),
            registration__lines_added=(
                registration.RegistrationFiled,
                "Product lines were added to a registration; `claims` lists the new ones.",
            ),
            registration__amended=(
                registration.RegistrationAmended,
                "A registration's amount, close date or facts changed.",
            ),
            registration__won=(registration.RegistrationEnded, "The deal was won."),
            registration__lost=(registration.RegistrationEnded, "The deal was lost."),
            registration__withdrawn=(
                registration.RegistrationEnded,
                "The partner withdrew the registration.",
            ),
            registration__revoked=(
                registration.RegistrationEnded,
                "Staff revoked the registration, with a reason.",
            ),
            claim__expired=(registration.ClaimChanged, "A claim's protection ended by time."),
            claim__promoted=(
                registration.ClaimChanged,
                "A claim became the protected one: next in line, or by a ruling.",
            ),
            claim__closed=(registration.ClaimChanged, "A standby or open claim was closed."),
            claim__superseded=(
                registration.ClaimChanged,
                "The partner filed the same claim again; the newer one counts.",
            ),
            claim__revoked=(
                registration.ClaimChanged,
                "A protection was taken back: its partner is suspended, or by a ruling.",
            ),
            claim__restored=(
                registration.ClaimChanged,
                "A ruling put a claim on standby: one that had ended, or that shares the line.",
            ),
            claim__extended=(registration.ClaimChanged, "A protection was extended."),
            claim__withdrawn=(
                registration.ClaimChanged,
                "A claim lapsed, because information that was wanted did not arrive in time.",
            ),
            claim__offered=(
                registration.ClaimNoted,
                "A lost deal's line is offered to a standby claim, to be confirmed by `until`.",
            ),
            claim__offer_declined=(registration.ClaimNoted, "A partner let an offer pass."),
            claim__offer_lapsed=(registration.ClaimNoted, "An offer was not answered in time."),
            claim__information_wanted=(
                registration.ClaimNoted,
                "Staff asked the partner something (`text`), to be answered by `until`.",
            ),
            claim__information_given=(registration.ClaimNoted, "The partner answered."),
            claim__extension_asked=(
                registration.ClaimNoted,
                "The partner asked for more time before its protection ends.",
            ),
            claim__extension_refused=(
                registration.ClaimNoted,
                "Staff refused an extension (`text` says why); the protection ends as stamped.",
            ),
            claim__expiring=(registration.ClaimNoted, "A protection ends soon, at `until`."),
            claim__idle=(
                registration.ClaimNoted,
                "Nothing was heard of a deal; without an update it is released at `until`.",
            ),
            registration__corrected=(
                registration.RegistrationCorrected,
                "A ruling corrected a deal's recorded result.",
            ),
            account__merged=(
                registration.AccountMerged,
                "Two accounts are one; sent under the keys of both.",
            ),
            registration__received=(
                registration.RegistrationFiled,
                "A transfer was completed; this registration is the receiver's.",
            ),
            claim__transferred=(
                registration.ClaimChanged,
                "A protection passed to another partner, as both sides consented.",
            ),
            transfer__opened=(transfer.TransferOpened, "Both sides are asked about a transfer."),
            transfer__closed=(transfer.TransferClosed, "A transfer is done, or given up."),
            referral__offered=(
                referral.ReferralOffered,
                "Claims were offered to who covers the account.",
            ),
            referral__accepted=(referral.ReferralAccepted, "A referral was accepted."),
            referral__declined=(referral.ReferralReturned, "A referral was declined."),
            referral__lapsed=(referral.ReferralReturned, "A referral was not answered in time."),
            referral__consented=(
                referral.ReferralConsented,
                "The referrer lets its details pass to the target.",
            ),
            referral__ended=(
                referral.ReferralEnded,
                "The referring claim ended or was decided anew, and its referral with it.",
            ),
            conflict__opened=(conflict.ConflictOpened, "A case was opened."),
            conflict__joined=(conflict.ConflictJoined, "A further claim joined an open case."),
            conflict__taken=(conflict.ConflictTaken, "A person took a case on a level."),
            conflict__reviewed=(
                conflict.ConflictReviewed,
                "A person passed a case up, with a recommendation.",
            ),
            conflict__asked=(conflict.ConflictAsked, "A party of a case is asked something."),
            conflict__paused=(conflict.ConflictPaused, "A case's clock stands."),
            conflict__resumed=(conflict.ConflictResumed, "A case's clock runs again."),
            conflict__commented=(
                conflict.ConflictCommented,
                "A comment or an answer was added to a case.",
            ),
            conflict__decided=(conflict.ConflictDecided, "A person ruled on a case."),
            conflict__closed=(conflict.ConflictClosed, "A case ended."),
        ),
        *_types(
            PLAN,
            plan__part=(plan.PlanPart, "Items of one section of a plan."),
            plan__published=(plan.PlanPublished, "All parts of a plan were sent."),
            partner__suspended=(plan.PartnerStatusChanged, "A partner was suspended."),
            partner__reactivated=(plan.PartnerStatusChanged, "A partner is active again."),
        ),
        *_types(PEOPLE, person__updated=(people.PersonUpdated, "A person's name and address.")),
        *_types(ACCESS, access__key_updated=(people.AccessKeyUpdated, "An API key's hash.")),
        *_types(
            COVERAGE,
            coverage__score_changed=(coverage.ScoreChanged, "A partner's score changed."),
            coverage__gap_opened=(coverage.GapOpened, "A market fell short of the plan."),
            coverage__gap_closed=(coverage.GapClosed, "A gap is closed."),
        ),
        *_types(
            ESCALATION,
            escalation__raised=(escalation.EscalationRaised, "A level became responsible."),
            escalation__breached=(escalation.DeadlineBreached, "A level's time ran out."),
            escalation__ended=(escalation.EscalationEnded, "The ladder ended."),
            notification__failed=(escalation.NotificationFailed, "A notice was put aside."),
        ),
        *_types(KEYS, link__key_updated=(keys.LinkKeyUpdated, "A key that signs links in mails.")),
        *_types(LOG, log__sealed=(log.LogSealed, "The log grew and has a new signed root.")),
    ]
}


# Held here, because pydantic lets a generic model go that nobody holds, and making one takes 100 us.
_EVENT: Mapping[str, type[Event[Any]]] = {
    name: Event[event_type.model]  # type: ignore[name-defined]  # a value
    for name, event_type in CATALOGUE.items()
}


class EventUnreadable(Exception):
    """A message that is no event of the catalogue. It will not become one by trying again."""


def event_model(event_type: str) -> type[Event[Any]]:
    """The whole event's model, envelope and data. Raises KeyError for an unknown type."""
    return _EVENT[event_type]


def topic_of(event_type: str) -> str:
    """The topic of an event type. Raises KeyError for an unknown type."""
    return CATALOGUE[event_type].topic


def encode(event: Event[Any]) -> bytes:
    """The event as UTF-8 JSON, in the CloudEvents structured mode."""
    return event.model_dump_json().encode()


def decode(raw: bytes) -> Event[Any]:
    """Read an event, upcast to the newest version of its type.

    Raises ``EventUnreadable``, naming the fault, for bad JSON, an unknown type or version, or data that
    the type's model refuses.
    """
    try:
        document = json.loads(raw)
    except ValueError as error:
        raise EventUnreadable(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise EventUnreadable("not a JSON object")
    name = document.get("type")
    event_type = CATALOGUE.get(name) if isinstance(name, str) else None
    if event_type is None:
        raise EventUnreadable(f"unknown event type {name!r}")
    try:
        if event_type.upcast is None:
            return _EVENT[event_type.name].model_validate_json(raw)
        while event_type.upcast is not None:
            newer, upcast = event_type.upcast
            document["data"] = upcast(document["data"])
            event_type = CATALOGUE[newer]
        document["type"] = event_type.name
        return _EVENT[event_type.name].model_validate_json(json.dumps(document))
    except (ValidationError, KeyError, TypeError) as error:
        raise EventUnreadable(f"{name}: {error}") from error
