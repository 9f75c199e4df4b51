"""Events that registration emits about transfers of running protections from partner to partner.

Topic ``dealreg.registration``, key = account id. Neither side is to learn from them who the other is.
"""

from typing import Annotated, Literal

from pydantic import Field

from dealreg_shared.contracts.base import Instant
from dealreg_shared.contracts.registration import RegistrationFact


class TransferFact(RegistrationFact):
    """``registration_id`` and ``partner_id`` are the holder's, ``to_partner_id`` the receiver's."""

    transfer_id: str
    to_partner_id: str
    product_lines: tuple[str, ...]


class TransferOpened(TransferFact):
    """Both sides are asked for consent, to be given before ``due_at``."""

    opened_at: Instant
    due_at: Instant
    protected_until: Annotated[
        Instant | None, Field(description="What is left of the term passes; the earliest end")
    ]


class TransferClosed(TransferFact):
    """Done: the claims have passed, in events of their own. Else everything stays as it was."""

    state: Literal["done", "declined", "lapsed", "ended"]
    closed_at: Instant
    taken_registration_id: str | None = None
