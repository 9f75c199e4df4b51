"""Event type -> handler: what notifier listens to, in one table per topic. Read this first."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

from dealreg_notifier import tables
from dealreg_notifier.handlers import (
    claim_life,
    conflicts,
    decisions,
    endings,
    merges,
    people,
    plans,
    referrals,
    steps,
    transfers,
)
from dealreg_notifier.notices import Desk
from dealreg_shared.auth import apply_access, forget_access
from dealreg_shared.bus.port import Bus
from dealreg_shared.contracts.catalogue import ACCESS, PEOPLE, PLAN, REGISTRATION
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.db import Database
from dealreg_shared.inbox import Consumer, Handler

T = TypeVar("T")

TellingHandler = Callable[[Connection, Event[Any], Desk], None]
TellingTogether = Callable[[Connection, Sequence[Event[Any]], Desk], None]

TELLING: Mapping[str, Mapping[str, TellingHandler]] = {
    PLAN: {
        "dealreg.plan.part.v1": plans.plan_part,
        "dealreg.plan.published.v1": plans.plan_published,
        "dealreg.partner.suspended.v1": plans.partner_status_changed,
        "dealreg.partner.reactivated.v1": plans.partner_status_changed,
    },
    REGISTRATION: {
        "dealreg.registration.filed.v1": decisions.registration_filed,
        "dealreg.registration.lines-added.v1": decisions.lines_added,
        "dealreg.registration.amended.v1": decisions.registration_amended,
        "dealreg.registration.won.v1": endings.registration_ended,
        "dealreg.registration.lost.v1": endings.registration_ended,
        "dealreg.registration.withdrawn.v1": endings.registration_ended,
        "dealreg.registration.revoked.v1": endings.registration_ended,
        "dealreg.registration.corrected.v1": endings.result_corrected,
        "dealreg.claim.expired.v1": endings.claim_changed,
        "dealreg.claim.promoted.v1": endings.claim_changed,
        "dealreg.claim.closed.v1": endings.claim_changed,
        "dealreg.claim.superseded.v1": endings.claim_changed,
        "dealreg.claim.revoked.v1": endings.claim_changed,
        "dealreg.claim.restored.v1": endings.claim_changed,
        "dealreg.claim.extended.v1": endings.claim_changed,
        "dealreg.claim.withdrawn.v1": endings.claim_changed,
        **dict.fromkeys(claim_life.TO_PARTNER, claim_life.tell_partner),
        **dict.fromkeys(claim_life.TO_MANAGER, claim_life.tell_manager),
        "dealreg.account.merged.v1": merges.account_merged,
        "dealreg.registration.received.v1": decisions.registration_received,
        "dealreg.claim.transferred.v1": endings.claim_changed,
        "dealreg.transfer.opened.v1": transfers.transfer_opened,
        "dealreg.transfer.closed.v1": transfers.transfer_closed,
        "dealreg.referral.offered.v1": referrals.referral_offered,
        "dealreg.referral.accepted.v1": referrals.referral_accepted,
        "dealreg.referral.declined.v1": referrals.referral_returned,
        "dealreg.referral.lapsed.v1": referrals.referral_returned,
        "dealreg.referral.consented.v1": referrals.referral_consented,
        "dealreg.referral.ended.v1": referrals.referral_ended,
        "dealreg.conflict.joined.v1": conflicts.conflict_joined,
        "dealreg.conflict.taken.v1": steps.conflict_taken,
        "dealreg.conflict.reviewed.v1": steps.conflict_reviewed,
        "dealreg.conflict.asked.v1": steps.conflict_asked,
        "dealreg.conflict.paused.v1": steps.conflict_paused,
        "dealreg.conflict.resumed.v1": steps.conflict_resumed,
        "dealreg.conflict.commented.v1": steps.conflict_commented,
        "dealreg.conflict.decided.v1": steps.conflict_decided,
        "dealreg.conflict.closed.v1": conflicts.conflict_closed,
    },
}

TELLING_TOGETHER: Mapping[str, Mapping[str, TellingTogether]] = {
    REGISTRATION: {"dealreg.conflict.opened.v1": conflicts.conflicts_opened},
}


def consumers(database: Database, bus: Bus, desk: Desk) -> list[Consumer]:
    """One consumer per topic, so that a topic that waits holds up no other. People and keys first."""
    compacted: list[tuple[str, Mapping[str, Handler], Callable[[Connection, str], None]]] = [
        (ACCESS, {"dealreg.access.key-updated.v1": apply_access}, forget_access),
        (PEOPLE, {"dealreg.person.updated.v1": people.person_updated}, people.person_erased),
    ]
    return [
        *[
            Consumer(
                database,
                tables.inbox,
                bus,
                group(topic),
                [topic],
                handlers,
                tombstones={topic: tombstone},
            )
            for topic, handlers, tombstone in compacted
        ],
        *[
            Consumer(
                database,
                tables.inbox,
                bus,
                group(topic),
                [topic],
                {name: _with(handler, desk) for name, handler in handlers.items()},
                together={
                    name: _with(handler, desk)
                    for name, handler in TELLING_TOGETHER.get(topic, {}).items()
                },
            )
            for topic, handlers in TELLING.items()
        ],
    ]


def group(topic: str) -> str:
    """The name under which notifier reads a topic."""
    return f"notifier-{topic.removeprefix('dealreg.')}"


def _with(
    handler: Callable[[Connection, T, Desk], None], desk: Desk
) -> Callable[[Connection, T], None]:
    def handle(conn: Connection, what: T) -> None:
        handler(conn, what, desk)

    return handle
