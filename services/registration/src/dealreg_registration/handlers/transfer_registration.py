"""Transfers: asked for by staff, accepted or declined by each side."""

from dataclasses import dataclass
from typing import Literal

from dealreg_registration.commands import Actor, Answer, IdempotencyKey, Target, Work
from dealreg_registration.domain.account import Account
from dealreg_registration.domain.handover_errors import TransferClosed, TransferNotFound
from dealreg_registration.domain.transfer import Transfer
from dealreg_registration.domain.transferring import (
    Side,
    accept_transfer,
    decline_transfer,
    open_transfer,
)
from dealreg_registration.handlers.on_registration import OnRegistration
from dealreg_registration.receipting import Draft, columns
from dealreg_registration.transfer_rows import transfer_view
from dealreg_registration.views import encode
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.ids import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRegistration(OnRegistration):
    """The command. Both sides are asked; nothing changes yet."""

    to_partner: str
    reason: str

    def run(self, work: Work) -> Answer:
        registration = self.opened(work)
        held = [claim for claim in self.claims(work) if claim.holds or self.product_lines]
        transfer = open_transfer(work.account, held, self.to_partner, work.context, new_id)
        self.count(work)
        self.write(work, "transfer", held, self.reason, due_at=transfer.due_at)
        until = {work.account.claims[id_].protected_until for id_ in transfer.claim_ids}
        view = transfer_view(
            transfer, registration.account_name, min(filter(None, until)), self.actor
        )
        crashpoint("transfer.opened")
        return Answer(201, encode(view | {"version": registration.version + 1}))


@dataclass(frozen=True, slots=True)
class AnswerTransfer:
    """The command of one side. ``new_registration_id`` and ``receipt`` are for the receiver."""

    transfer_id: str
    registration_id: str
    act: Literal["accept", "decline"]
    actor: Actor
    new_registration_id: str
    receipt: Draft
    correlation_id: str
    idempotency: IdempotencyKey | None = None

    @property
    def target(self) -> Target:
        return Target(registration_id=self.registration_id)

    def run(self, work: Work) -> Answer:
        account = work.account
        side = self._side(account)
        if self.act == "decline":
            transfer = decline_transfer(account, self.transfer_id, work.context.now)
            crashpoint("transfer.declined")
            return self._answer(account, transfer)
        transfer, taken = accept_transfer(
            account, self.transfer_id, side, self.new_registration_id, work.context, new_id
        )
        if taken is not None:
            work.details[taken.id] = {
                "filed_by": "staff",
                "external_reference": None,
                "evidence": [],
                "matched_by": "transfer",
                "owner": ["none", None, None],
                **columns(self.receipt, work.seals[taken.id]),
                "plan_number": work.context.plan.number,
            }
        crashpoint("transfer.accepted")
        return self._answer(account, transfer)

    def _side(self, account: Account) -> Side:
        transfer = account.transfers.get(self.transfer_id)
        if transfer is not None and self.actor.partner_id == transfer.from_id:
            return "holder"
        if transfer is not None and self.actor.partner_id == transfer.to_id:
            return "receiver"
        if transfer is None:  # only what waits is read with its account
            raise TransferClosed("This transfer is closed.")
        raise TransferNotFound("No such transfer.")

    def _answer(self, account: Account, transfer: Transfer) -> Answer:
        name = account.registrations[transfer.registration_id].account_name
        return Answer(200, encode(transfer_view(transfer, name, None, self.actor)))
