"""The HTTP ceiling: a plain FastAPI route with the product's body model and a model of its answer.

It reads and validates the same body and answers as many bytes, and does nothing in between. Written as
FastAPI's tutorial writes a route, without the product's own short cuts.
"""

from datetime import date
from typing import Annotated

from fastapi import FastAPI
from pydantic import BaseModel, BeforeValidator

from dealreg_registration.api.schemas import MoneyBody, RegistrationBody


class StepAnswer(BaseModel):
    """One rule of the trace."""

    rule: int
    held: bool
    sentence: str


class ClaimAnswer(BaseModel):
    """One decided claim, as its partner sees it."""

    id: str
    product_line: str
    state: str
    codes: list[str]
    reasons: list[str]
    protected_from: str | None
    protected_until: str | None
    duplicate_of: str | None
    referred_to: dict[str, str | None] | None
    decided_at: str
    ended_at: str | None
    to_do: list[str]
    extension: dict[str, str | None] | None
    outcome: str
    trace: list[StepAnswer]


class ReceiptAnswer(BaseModel):
    """Proof of filing."""

    number: str
    registration_id: str
    filed_at: str
    plan_number: int
    body_hash: str
    salt: str
    key: str
    path: str
    signature: str


class RegistrationAnswer(BaseModel):
    """What ``POST /v1/registrations`` answers a partner."""

    id: str
    partner_id: str
    account_name: str
    filed_at: str
    amount: dict[str, str]
    close_date: date
    deal_type: str
    result: str | None
    result_at: str | None
    version: int
    plan_number: int
    rule_book: str
    owner: str
    claims: list[ClaimAnswer]
    receipt: ReceiptAnswer


_INSTANT = "2026-03-02T09:00:00.000000Z"
_ID = "0195562d3c5a7a3c9d0f0d7e6a9b1c2d"
_TEXT = "GlZTH2Icdd6pqi8vZwPeqAaTBLr7_rFensVoqdhigPcVjt_vhyWRJ9gO5yuIFCDe" * 4
_PATH, _SIGNATURE = 215, 86
"""Characters in a receipt."""


# The product's model is strict and reads JSON text; FastAPI gives parsed JSON, with dates as text.
LaxBody = Annotated[
    RegistrationBody,
    BeforeValidator(lambda document: RegistrationBody.model_validate(document, strict=False)),
]


def build() -> FastAPI:
    """The application with its one route."""
    app = FastAPI()

    @app.post("/v1/registrations", status_code=201)
    async def register(body: LaxBody) -> RegistrationAnswer:
        return RegistrationAnswer(
            id=f"reg_{_ID}",
            partner_id="partner0",
            account_name=body.account.name,
            filed_at=_INSTANT,
            amount=_money(body.amount),
            close_date=body.close_date,
            deal_type=body.deal_type,
            result=None,
            result_at=None,
            version=1,
            plan_number=1,
            rule_book="2026-11.2",
            owner="you",
            claims=[_claim(line) for line in body.product_lines],
            receipt=ReceiptAnswer(
                number=_ID,
                registration_id=f"reg_{_ID}",
                filed_at=_INSTANT,
                plan_number=1,
                body_hash=_ID * 2,
                salt=_ID,
                key=_ID[:16],
                path=_TEXT[:_PATH],
                signature=_TEXT[:_SIGNATURE],
            ),
        )

    return app


def _money(money: MoneyBody) -> dict[str, str]:
    return {"amount": format(money.amount, "f"), "currency": money.currency}


def _claim(line: str) -> ClaimAnswer:
    protected = (
        "Nobody holds this product line here: you are protected for 90 days, until "
        "2026-05-31 09:00 UTC."
    )
    return ClaimAnswer(
        id=f"clm_{_ID}",
        product_line=line,
        state="protected",
        codes=[],
        reasons=[protected],
        protected_from=_INSTANT,
        protected_until=_INSTANT,
        duplicate_of=None,
        referred_to=None,
        decided_at=_INSTANT,
        ended_at=None,
        to_do=[],
        extension=None,
        outcome="protected",
        trace=[
            StepAnswer(rule=1, held=False, sentence="The registration is eligible."),
            StepAnswer(
                rule=2,
                held=False,
                sentence="You have no live claim on this account and product line.",
            ),
            StepAnswer(
                rule=3, held=False, sentence="You cover this account through territory US-CA."
            ),
            StepAnswer(rule=4, held=False, sentence="This account is covered."),
            StepAnswer(rule=5, held=False, sentence="You are in territory."),
            StepAnswer(rule=6, held=True, sentence=protected),
        ],
    )
