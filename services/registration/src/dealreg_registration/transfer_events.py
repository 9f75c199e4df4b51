"""From what happens to transfers to the events that tell others."""

from typing import Any

from dealreg_registration.domain.account import Account
from dealreg_registration.domain.transfer import TransferMoved
from dealreg_shared.contracts import transfer as contract
from dealreg_shared.contracts.base import EventData, Market

Emitted = tuple[str, str, EventData]


def transfer_moved(account: Account, entry: TransferMoved) -> Emitted:
    """Type, subject and data. That one side has accepted is told to nobody."""
    it = entry.transfer
    registration = account.registrations[it.registration_id]
    fact: dict[str, Any] = {
        "registration_id": registration.id,
        "partner_id": it.from_id,
        "account_id": account.id,
        "account_name": registration.account_name,
        "market": Market(region=registration.market_region, segment=registration.market_segment),
        "plan_number": it.plan_number,
        "transfer_id": it.id,
        "to_partner_id": it.to_id,
        "product_lines": it.product_lines,
    }
    data: EventData
    if entry.step == "opened":
        ends = [account.claims[claim_id].protected_until for claim_id in it.claim_ids]
        data = contract.TransferOpened(
            **fact,
            opened_at=entry.at,
            due_at=it.due_at,
            protected_until=min((end for end in ends if end is not None), default=None),
        )
    else:
        data = contract.TransferClosed.model_validate(
            fact
            | {
                "state": it.state,
                "closed_at": entry.at,
                "taken_registration_id": it.taken_registration_id,
            }
        )
    return f"dealreg.transfer.{entry.step}.v1", it.id, data
