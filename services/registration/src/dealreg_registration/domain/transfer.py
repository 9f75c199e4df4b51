"""A transfer of running protections to another partner, to which both sides must consent.

The values that rules, store and events share; what is done with them is in ``domain.transferring``.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

TransferState = Literal["pending", "done", "declined", "lapsed", "ended"]


@dataclass(frozen=True, slots=True)
class Transfer:
    """From the partner of ``registration_id`` to ``to_id``. ``taken_registration_id`` is the receiver's
    own, once it is done. Why is kept beside it, and never here."""

    id: str
    registration_id: str
    from_id: str
    to_id: str
    claim_ids: tuple[str, ...]
    product_lines: tuple[str, ...]
    state: TransferState
    plan_number: int
    opened_at: datetime
    due_at: datetime
    holder_accepted_at: datetime | None = None
    receiver_accepted_at: datetime | None = None
    decided_at: datetime | None = None
    taken_registration_id: str | None = None

    @property
    def pending(self) -> bool:
        return self.state == "pending"


@dataclass(frozen=True, slots=True)
class TransferMoved:
    """It was opened, a side accepted, or it was closed."""

    transfer: Transfer
    step: Literal["opened", "accepted", "closed"]
    at: datetime
