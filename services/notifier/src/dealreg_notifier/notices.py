"""Writes notices: what a handler wants to say becomes a row per recipient and an intent per person and
channel, in the handler's own transaction.

The row alone is the inbox; the intents are for the channels that are set up. A person's name is never
part of a row: it is added when a message is sent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from dealreg_notifier import directory, endpoints, tables, wishes
from dealreg_notifier.channels.port import Channel
from dealreg_notifier.directory import Reachable
from dealreg_notifier.domain.preferences import (
    DEFAULT,
    NOT,
    NOW,
    Preferences,
    Sending,
    group_of,
    sendings,
)
from dealreg_notifier.wording import Wording
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db.bulk import insert_rows
from dealreg_shared.ids import new_id
from dealreg_shared.outbox import Outbox
from dealreg_shared.telemetry import get_logger, metrics

_WRITTEN = metrics.counter("dealreg_notifier_notices", "Notices written, by kind.", "kind")
_NOBODY = metrics.counter(
    "dealreg_notifier_nobody_to_tell", "Notices that nobody could be found for, by kind.", "kind"
)

PARTNER = "partner:"


def partner(partner_id: str) -> str:
    """The recipient that stands for everybody at a partner."""
    return f"{PARTNER}{partner_id}"


@dataclass(frozen=True, slots=True)
class Draft:
    """One notice to one recipient: ``partner:<id>`` or a person's id.

    ``subject`` is the id of what it is about, ``cause`` the id of what made it (an event or a change of
    level): cause, kind and recipient together are unique, so nothing is told twice.
    """

    kind: str
    recipient: str
    subject: str
    cause: str
    facts: Mapping[str, Any]
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Desk:
    """What handlers share: the words, the channels that are set up, and the outbox."""

    wording: Wording
    channels: Mapping[str, Channel]
    outbox: Outbox

    def tell(self, conn: Connection, drafts: Sequence[Draft], now: datetime) -> None:
        """Write the notices and their intents. A draft whose facts lack something is an error."""
        if not drafts:
            return
        drafts = [*drafts, *_for_delegates(conn, drafts, now)]
        programme = directory.programme(conn)
        contacts = directory.contacts(conn, {draft.recipient for draft in drafts}, PARTNER)
        preferences = wishes.read(
            conn, {contact.person_id for found in contacts.values() for contact in found}
        )
        wanting = endpoints.wanting(conn, {draft.recipient for draft in drafts})
        posted: set[tuple[str, str, str]] = set()
        notifications: list[dict[str, Any]] = []
        deliveries: list[dict[str, Any]] = []
        for draft in drafts:
            facts = {**draft.facts, "zone": programme.zone, "programme_name": programme.name}
            words = self.wording.words(draft.kind, facts)
            notification_id = new_id("ntf")
            notifications.append(
                {
                    "notification_id": notification_id,
                    "kind": draft.kind,
                    "recipient": draft.recipient,
                    "subject": draft.subject,
                    "cause": draft.cause,
                    "title": words.title,
                    "text": words.text,
                    "facts": facts,
                    "correlation_id": draft.correlation_id,
                    "created_at": now,
                }
            )
            places = [
                place for place in wanting.get(draft.recipient, ()) if place.wants(draft.kind)
            ]
            people = {contact.person_id for contact in contacts.get(draft.recipient, ())}
            for contact in contacts.get(draft.recipient, ()):
                wished = preferences.get(contact.person_id, DEFAULT)
                own = [place for place in places if place.owner == contact.person_id]
                deliveries += self._intents(notification_id, draft, contact, own, wished, now)
            for place in places:
                told = (place.endpoint_id, draft.kind, draft.cause)
                if place.owner not in people and told not in posted:
                    posted.add(told)
                    deliveries.append(
                        _intent(
                            notification_id, draft.kind, place.kind, place.endpoint_id, NOW, now
                        )
                    )
            _WRITTEN.labels(draft.kind).inc()
        insert_rows(conn, [(tables.notification, notifications)])
        crashpoint("notices.written")
        insert_rows(conn, [(tables.delivery, deliveries)])
        crashpoint("notices.intended")

    def _intents(
        self,
        notification_id: str,
        draft: Draft,
        contact: Reachable,
        own: Sequence[endpoints.Wanting],
        wished: Preferences,
        now: datetime,
    ) -> Iterator[dict[str, Any]]:
        """One per channel that reaches the person and is wanted, and per endpoint of the person's own on
        a wanted channel; due when the person wants it."""
        reaching = [
            channel.name
            for channel in self.channels.values()
            if (
                any(place.kind == channel.name for place in own)
                if channel.places
                else contact.unseen or channel.reaches(contact.contact)
            )
        ]
        kind, act_by = draft.kind, _act_by(draft.facts)
        for channel, sending in sendings(kind, wished, reaching, now, act_by).items():
            if sending == NOT:
                continue
            if not self.channels[channel].places:
                yield _intent(notification_id, kind, channel, contact.person_id, sending, now)
            for place in own:
                if place.kind == channel:
                    yield _intent(notification_id, kind, channel, place.endpoint_id, sending, now)

    def nobody(self, kind: str, subject: str, role: str) -> None:
        """Say that a notice had no reader, where an operator looks."""
        _NOBODY.labels(kind).inc()
        get_logger(__name__).warning(
            "nobody is known to be told", kind=kind, subject=subject, role=role
        )


def _intent(
    notification_id: str, kind: str, channel: str, recipient: str, sending: Sending, now: datetime
) -> dict[str, Any]:
    return {
        "delivery_id": new_id("dlv"),
        "notification_id": notification_id,
        "channel": channel,
        "recipient": recipient,
        "kind_group": group_of(kind),
        "digest_at": sending.at if sending.how == "digest" else None,
        "state": "pending",
        "attempt": 0,
        "spent": 0,
        "carries": 0,
        "due_at": sending.at or now,
        "created_at": now,
    }


def _for_delegates(conn: Connection, drafts: Sequence[Draft], now: datetime) -> list[Draft]:
    """The same notice for whoever stands in for its recipient now, unless told in its own right."""
    persons = {d.recipient for d in drafts if not d.recipient.startswith(PARTNER)}
    standing_in = directory.delegates(conn, persons, now) if persons else {}
    told = {(draft.cause, draft.kind, draft.recipient) for draft in drafts}
    found: list[Draft] = []
    for draft in drafts:
        for delegate, until in standing_in.get(draft.recipient, {}).items():
            if (draft.cause, draft.kind, delegate) not in told:
                told.add((draft.cause, draft.kind, delegate))
                facts = {**draft.facts, "delegated_until": format_instant(until)}
                found.append(replace(draft, recipient=delegate, facts=facts))
    return found


def _act_by(facts: Mapping[str, Any]) -> datetime | None:
    """Until when the reader has to do something, where a notice says so."""
    said = facts.get("due_at") or facts.get("until")
    return None if said is None else datetime.fromisoformat(said)
