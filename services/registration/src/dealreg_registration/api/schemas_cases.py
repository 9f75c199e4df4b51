"""Bodies of requests on cases and delegations."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from dealreg_registration.api.schemas import Id
from dealreg_registration.domain.case import RulingKind
from dealreg_registration.domain.ruling import Ruling
from dealreg_shared.web.bodies import StrictBody

Words = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
Claims = Annotated[tuple[Id, ...], Field(max_length=100)]


class ReviewBody(StrictBody):
    """``claims`` are those that the recommendation is for."""

    recommendation: RulingKind
    claims: Claims = ()
    text: Words


class TextBody(StrictBody):
    text: Words


class RequestInfoBody(StrictBody):
    """The question goes to that registration's partner word by word: it must name no other."""

    registration_id: Id
    question: Reason
    hours: Annotated[int, Field(ge=1, le=720, description="Until when an answer is wanted")] = 24


class DecideBody(StrictBody):
    """``claim`` is the winner of an award or the lead of a co-sell; ``lines`` say who gets each product
    line of a split; ``restore`` goes with a corrected record: whether what followed is undone."""

    ruling: RulingKind
    reason: Annotated[Reason, Field(description="Kept with the ruling; must name no person")]
    claim: Id | None = None
    lines: Annotated[dict[str, Id], Field(max_length=50)] = Field(default_factory=dict)
    co_holders: Claims = ()
    restore: bool = True

    @model_validator(mode="after")
    def _complete(self) -> "DecideBody":
        if (self.claim is not None) != (self.ruling in ("award", "co_sell")):
            raise ValueError("`claim` goes with an award or a co-sell, and only with these")
        if bool(self.lines) != (self.ruling == "split"):
            raise ValueError("`lines` go with a split, and only with it")
        if bool(self.co_holders) != (self.ruling == "co_sell"):
            raise ValueError("`co_holders` go with a co-sell, and only with it")
        return self

    def to_ruling(self) -> Ruling:
        lines = tuple(sorted(self.lines.items()))
        return Ruling(self.ruling, self.claim, lines, self.co_holders, self.restore)


class OpenCaseBody(StrictBody):
    kind: Literal["direct_engagement"]
    registration_id: Id
    reason: Reason


class AppealBody(StrictBody):
    """``product_line`` may be left out if only one claim of the registration can be appealed."""

    product_line: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    text: Words
    evidence: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=500)], ...],
        Field(min_length=1, max_length=20, description="What was not filed before"),
    ]


class DelegationBody(StrictBody):
    """``from`` left out: from now on."""

    delegate_id: Id
    begins: Annotated[AwareDatetime | None, Field(alias="from")] = None
    until: AwareDatetime

    @model_validator(mode="after")
    def _forward(self) -> "DelegationBody":
        start: datetime | None = self.begins
        if start is not None and self.until <= start:
            raise ValueError("`until` must be after `from`")
        return self
