"""From the journal of an account to the events that tell others.

One place translates what happened in the domain into contracts, for all commands alike. Events are
ordered as the journal is. No person's data passes here.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, cast

from dealreg_registration.case_events import case_acted, case_moved
from dealreg_registration.claim_events import NOTED, claim_noted
from dealreg_registration.domain.account import (
    Account,
    Acted,
    ClaimMoved,
    Corrected,
    Entry,
    Owner,
    Registration,
)
from dealreg_registration.domain.case import CaseActed, CaseMoved
from dealreg_registration.domain.entries import AccountMerged, Decided
from dealreg_registration.domain.plan import Plan
from dealreg_registration.domain.referral import ReferralMoved
from dealreg_registration.domain.transfer import TransferMoved
from dealreg_registration.filed_event import filed_data
from dealreg_registration.referral_events import referral_moved
from dealreg_registration.transfer_events import transfer_moved
from dealreg_shared.contracts import registration as contract
from dealreg_shared.contracts.base import EventData, Market, Money
from dealreg_shared.outbox import Outgoing, Wire

Consequence = Literal[
    "term_over",
    "former_ended",
    "line_won",
    "standby_off",
    "filed_again",
    "partner_suspended",
    "ruling",
    "idle",
    "offer_accepted",
    "information_lapsed",
    "extension_granted",
    "transferred",
    "merged",
]
"""Causes of a claim's step that are not its filer's own act."""

_BY_CONSEQUENCE: dict[str, str] = {
    "term_over": "dealreg.claim.expired.v1",
    "partner_suspended": "dealreg.claim.revoked.v1",
    "former_ended": "dealreg.claim.promoted.v1",
    "standby_off": "dealreg.claim.closed.v1",
    "line_won": "dealreg.claim.closed.v1",
    "filed_again": "dealreg.claim.superseded.v1",
    "idle": "dealreg.claim.expired.v1",
    "offer_accepted": "dealreg.claim.promoted.v1",
    "information_lapsed": "dealreg.claim.withdrawn.v1",
    "extension_granted": "dealreg.claim.extended.v1",
}
_BY_RULING: dict[str, str] = {
    "protected": "dealreg.claim.promoted.v1",
    "contested": "dealreg.claim.restored.v1",
    "closed": "dealreg.claim.closed.v1",
    "revoked": "dealreg.claim.revoked.v1",
}
_BY_TRANSFER: dict[str, str] = {
    "transferred": "dealreg.claim.transferred.v1",
    "closed": "dealreg.claim.closed.v1",
    "superseded": "dealreg.claim.superseded.v1",
}
_BY_MERGE: dict[str, str] = {
    "contested": "dealreg.claim.restored.v1",
    "superseded": "dealreg.claim.superseded.v1",
    "protected": "dealreg.claim.extended.v1",
    "extended": "dealreg.claim.extended.v1",
}
_BY_ACT = {
    "received": "dealreg.registration.received.v1",
    "filed": "dealreg.registration.filed.v1",
    "line_added": "dealreg.registration.lines-added.v1",
    "amended": "dealreg.registration.amended.v1",
    "won": "dealreg.registration.won.v1",
    "lost": "dealreg.registration.lost.v1",
    "withdrawn": "dealreg.registration.withdrawn.v1",
    "revoked": "dealreg.registration.revoked.v1",
}


_CAUSE = {"amended": "fact_added", "received": "transferred"}
"""The cause of an act's effects, where it has another name."""


def events_for(
    account: Account,
    entries: Sequence[Entry],
    plan: Plan,
    *,
    filed_by: str,
    correlation_id: str,
) -> list[Outgoing]:
    """The events of some journal entries, in order. Key of all is the account."""
    outgoing: list[Outgoing] = []

    def emit(event_type: str, subject: str, data: EventData | Wire) -> None:
        outgoing.append(Outgoing(event_type, account.id, subject, data, correlation_id))

    for index, entry in enumerate(entries):
        if isinstance(entry, Acted):
            if entry.act == "objected":
                continue  # the case that opens by it tells of it
            data = _acted(account, entry, entries[index + 1 :], plan, filed_by)
            emit(_BY_ACT[entry.act], entry.registration_id, data)
        elif isinstance(entry, ClaimMoved):
            event_type = _event_of(entry)
            if event_type is not None:
                emit(event_type, entry.after.id, _changed(account, entry))
            elif entry.cause in NOTED:
                emit(*claim_noted(account, entry, plan))
        elif isinstance(entry, Corrected):
            data = _corrected(account, entry, entries[index + 1 :], plan)
            emit("dealreg.registration.corrected.v1", entry.registration_id, data)
        elif isinstance(entry, CaseMoved):
            emit(*case_moved(account, entry))
        elif isinstance(entry, CaseActed):
            emit(*case_acted(account, entry))
        elif isinstance(entry, AccountMerged):
            merged = contract.AccountMerged(
                account_id=entry.account_id, merged_account_id=entry.merged_id, merged_at=entry.at
            )
            emit("dealreg.account.merged.v1", entry.merged_id, merged)
        elif isinstance(entry, TransferMoved):
            if entry.step != "accepted":
                emit(*transfer_moved(account, entry))
        elif isinstance(entry, ReferralMoved):
            emit(*referral_moved(account, entry, _returned(account, entry, entries[index + 1 :])))
        elif isinstance(entry, Decided):
            continue
    return outgoing


def with_last_version(outgoing: Outgoing, last: int) -> Outgoing:
    """``account.merged`` names the version of the merged account's last event; others stay."""
    if not isinstance(outgoing.data, contract.AccountMerged):
        return outgoing
    return replace(outgoing, data=outgoing.data.model_copy(update={"merged_version": last}))


def _event_of(move: ClaimMoved) -> str | None:
    if move.cause == "ruling":
        return _BY_RULING[move.after.state]
    if move.cause == "merged":
        return _BY_MERGE[move.after.state]
    if move.cause == "transferred":
        return None if move.before is None else _BY_TRANSFER.get(move.after.state)
    return _BY_CONSEQUENCE.get(move.cause)


def _acted(
    account: Account, act: Acted, following: Sequence[Entry], plan: Plan, filed_by: str
) -> EventData | Wire:
    registration = account.registrations[act.registration_id]
    effects = [
        entry
        for entry in following
        if isinstance(entry, ClaimMoved)
        and entry.after.registration_id == act.registration_id
        and entry.cause == _CAUSE.get(act.act, act.act)
    ]
    if act.act in ("filed", "line_added", "received"):
        return filed_data(account, registration, act, effects, plan.number, filed_by)
    fact: dict[str, Any] = {
        "registration_id": registration.id,
        "partner_id": registration.partner_id,
        "account_id": account.id,
        "account_name": registration.account_name,
        "market": market_of(registration.market_region, registration.market_segment),
        "plan_number": plan.number,
    }
    if act.act == "amended":
        return contract.RegistrationAmended(
            **fact,
            amount=Money(amount=registration.amount, currency=registration.currency),
            amount_base=registration.amount_base,
            close_date=registration.close_date,
            changed=act.changed,
            owner=_owner(act.owner),
            claims=tuple(_decided(account, move) for move in effects),
        )
    return contract.RegistrationEnded(
        **fact,
        at=act.at,
        amount_base=registration.amount_base,
        protected=act.held,
        filed_at=registration.filed_at,
        reason=act.reason,
        claims=tuple(_change(move) for move in effects),
        credit=_credit(registration, act, effects, plan) if act.act == "won" else None,
    )


def _corrected(
    account: Account, entry: Corrected, following: Sequence[Entry], plan: Plan
) -> contract.RegistrationCorrected:
    registration = account.registrations[entry.registration_id]
    effects = [
        move
        for move in following
        if isinstance(move, ClaimMoved)
        and move.cause == "corrected"
        and move.after.registration_id == registration.id
    ]
    return contract.RegistrationCorrected(
        registration_id=registration.id,
        partner_id=registration.partner_id,
        account_id=account.id,
        account_name=registration.account_name,
        market=market_of(registration.market_region, registration.market_segment),
        plan_number=plan.number,
        at=entry.at,
        amount_base=registration.amount_base,
        filed_at=registration.filed_at,
        conflict_id=entry.case_id,
        from_result=entry.former,
        from_result_at=entry.former_at,
        to_result=entry.result,
        protected=entry.held,
        claims=tuple(_change(move) for move in effects),
        credit=_credit(registration, entry, effects, plan) if entry.result == "won" else None,
    )


def _credit(
    registration: Registration,
    act: Acted | Corrected,
    effects: Sequence[ClaimMoved],
    plan: Plan,
) -> contract.Credit:
    assigned = next((m.after for m in effects if m.after.assignment_id is not None), None)
    goal = None
    if assigned is not None and assigned.territory_id in plan.territories.by_id:
        territory = plan.territories.by_id[assigned.territory_id]
        goal = next((a.goal for a in territory.assignments if a.id == assigned.assignment_id), None)
    return contract.Credit(
        sold_by=registration.partner_id,
        owner=_owner(act.owner),
        referred_by=registration.referred_by,
        territory_id=assigned.territory_id if assigned else None,
        goal=None if goal is None else Money(amount=goal, currency=plan.currency),
    )


def _decided(account: Account, move: ClaimMoved) -> contract.ClaimDecided:
    claim = account.claims[move.after.id]
    referred = (
        contract.ReferralTarget(kind=claim.referred_kind, id=claim.referred_id)
        if claim.referred_kind is not None
        else None
    )
    return contract.ClaimDecided(
        claim_id=claim.id,
        product_line=claim.product_line,
        place=claim.place,
        outcome=move.after.state,
        codes=claim.codes,
        reasons=move.reasons,
        protected_from=claim.protected_from,
        protected_until=claim.protected_until,
        territory_id=claim.territory_id,
        referred_to=referred,
        duplicate_of=claim.duplicate_of,
        conflict_id=claim.case_id,
    )


def _returned(
    account: Account, entry: ReferralMoved, following: Sequence[Entry]
) -> list[contract.ClaimDecided]:
    """What became of the claims whose referral nobody took."""
    if entry.step not in ("declined", "lapsed"):
        return []
    claim_ids = {referral.claim_id for referral in entry.referrals}
    move = next(
        (
            found
            for found in following
            if isinstance(found, ClaimMoved)
            and found.cause == "referral_returned"
            and found.after.id in claim_ids
        ),
        None,
    )
    return [] if move is None else [_decided(account, move)]


def _change(move: ClaimMoved) -> contract.ClaimChange:
    before = move.before or move.after
    return contract.ClaimChange(
        claim_id=move.after.id,
        product_line=move.after.product_line,
        place=move.after.place,
        from_state=before.state,
        to_state=move.after.state,
    )


def _changed(account: Account, move: ClaimMoved) -> contract.ClaimChanged:
    registration = account.registrations[move.after.registration_id]
    return contract.ClaimChanged(
        registration_id=registration.id,
        partner_id=registration.partner_id,
        account_id=account.id,
        account_name=registration.account_name,
        market=market_of(registration.market_region, registration.market_segment),
        plan_number=move.after.plan_number,
        claim=_change(move),
        at=move.at,
        cause=cast(Consequence, move.cause),
        reasons=move.reasons,
        protected_from=move.after.protected_from,
        protected_until=move.after.protected_until,
    )


def market_of(region: str | None, segment: str | None) -> Market:
    return Market(region=region, segment=segment)


def _owner(owner: Owner) -> contract.Owner:
    return contract.Owner(kind=owner.kind, partner_id=owner.partner_id, direct_id=owner.direct_id)
