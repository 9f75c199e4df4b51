"""Bodies of requests by which a claim passes from one partner to another."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from dealreg_registration.api.schemas import ContactBody, Id, MoneyBody
from dealreg_shared.web.bodies import StrictBody


class AcceptBody(StrictBody):
    """The target's own deal. What is left out is the referrer's, if its details have passed."""

    amount: MoneyBody | None = None
    close_date: date | None = None
    deal_type: Literal["new", "expansion", "renewal"] | None = None
    contacts: Annotated[tuple[ContactBody, ...], Field(max_length=20)] = ()


class TransferBody(StrictBody):
    """Which protections pass, and to whom."""

    to_partner: Id
    product_lines: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...],
        Field(max_length=50, description="Left out, all that is protected"),
    ] = ()
    reason: Annotated[
        str,
        StringConstraints(min_length=1, max_length=500, strip_whitespace=True),
        Field(description="Kept beside the registration; it must name no person"),
    ]


class ObjectionBody(StrictBody):
    product_lines: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...],
        Field(max_length=50, description="Left out, all that an objection is possible to"),
    ] = ()
    reason: Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]


class MergeBody(StrictBody):
    """The account that becomes part of the one in the path, and why."""

    other_account_id: Id
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
