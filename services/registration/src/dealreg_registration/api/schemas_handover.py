"""Bodies of requests by which a claim passes from one partner to another."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from dealreg_registration.api.schemas import ContactBody, MoneyBody
from dealreg_shared.web.bodies import StrictBody


class AcceptBody(StrictBody):
    """The target's own deal. What is left out is the referrer's, if its details have passed."""

    amount: MoneyBody | None = None
    close_date: date | None = None
    deal_type: Literal["new", "expansion", "renewal"] | None = None
    contacts: Annotated[tuple[ContactBody, ...], Field(max_length=20)] = ()
