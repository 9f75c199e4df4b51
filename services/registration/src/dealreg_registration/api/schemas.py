"""Bodies of the registration API: unknown fields, conversions and impossible texts are refused."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from dealreg_registration.countries import CountryCode, SubdivisionCode
from dealreg_registration.domain.facts import Band, Facts, Location
from dealreg_registration.filing import NOWHERE, Filing
from dealreg_shared.contracts.base import CurrencyCode, DecimalString
from dealreg_shared.web.bodies import StrictBody

Text = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
PostalCode = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]{0,11}$", strip_whitespace=True)
]
Industry = Annotated[str, StringConstraints(pattern=r"^\d{2,6}$")]
Count = Annotated[int, Field(ge=0, le=10_000_000)]
Amount = Annotated[
    DecimalString, Field(ge=Decimal(0), le=Decimal(10) ** 15, decimal_places=4, max_digits=20)
]


class MoneyBody(StrictBody):
    amount: Amount
    currency: CurrencyCode


class BandBody(StrictBody):
    """A range; leave ``to`` out for "and more"."""

    low: Annotated[Count, Field(alias="from")]
    high: Annotated[Count | None, Field(alias="to")] = None

    @model_validator(mode="after")
    def _upright(self) -> "BandBody":
        if self.high is not None and self.high < self.low:
            raise ValueError("`to` must not be less than `from`")
        return self


class ExternalIdBody(StrictBody):
    issuer: Id
    value: Annotated[str, StringConstraints(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _identifies(self) -> "ExternalIdBody":
        if not any(map(str.isalnum, self.value)):
            raise ValueError("`value` must hold a letter or a digit")
        return self


class PlaceBody(StrictBody):
    country: CountryCode
    subdivision: SubdivisionCode | None = None
    postal_code: PostalCode | None = None
    city: Text | None = None

    @model_validator(mode="after")
    def _one_country(self) -> "PlaceBody":
        if self.subdivision is not None and not self.subdivision.startswith(f"{self.country}-"):
            raise ValueError("`subdivision` must lie in `country`")
        return self

    def location(self) -> Location:
        return Location(self.country, self.subdivision, self.postal_code, self.city)


class FactsBody(StrictBody):
    """What may be known of an account."""

    country: CountryCode | None = None
    subdivision: SubdivisionCode | None = None
    postal_code: PostalCode | None = None
    city: Text | None = None
    employees: Count | BandBody | None = None
    revenue: Annotated[
        Count | BandBody | None, Field(description="Yearly, in the programme's currency")
    ] = None
    naics: Annotated[Industry | None, Field(description="NAICS 2022, 2 to 6 digits")] = None
    sic: Annotated[Industry | None, Field(description="SIC 1987, 2 to 4 digits")] = None

    @model_validator(mode="after")
    def _placed(self) -> "FactsBody":
        if self.country is None and (self.subdivision or self.postal_code or self.city):
            raise ValueError("`country` is required with subdivision, postal_code or city")
        if self.subdivision is not None and not self.subdivision.startswith(f"{self.country}-"):
            raise ValueError("`subdivision` must lie in `country`")
        return self

    def facts(self) -> Facts:
        return Facts(
            country=self.country,
            subdivision=self.subdivision,
            postal_code=self.postal_code,
            city=self.city,
            employees=_band(self.employees),
            revenue=_band(self.revenue),
            naics=self.naics,
            sic=self.sic,
        )


class AccountBody(FactsBody):
    """The end customer."""

    name: Text
    domain: Annotated[str | None, Field(max_length=300)] = None
    external_ids: Annotated[tuple[ExternalIdBody, ...], Field(max_length=20)] = ()


class ContactBody(StrictBody):
    """A person at the customer. Kept apart, so that it can be erased."""

    name: Text | None = None
    email: Annotated[str | None, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)] = None
    phone: Annotated[str | None, Field(max_length=40)] = None


class RegistrationBody(StrictBody):
    """A deal registration."""

    account: AccountBody
    product_lines: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...],
        Field(min_length=1, max_length=50, description="Product lines, or SKUs in them"),
    ]
    amount: MoneyBody
    close_date: date
    deal_type: Literal["new", "expansion", "renewal"] = "new"
    place_of_use: PlaceBody | None = None
    partner_id: Annotated[Id | None, Field(description="For staff that file for a partner")] = None
    reseller_id: Id | None = None
    distributor_id: Id | None = None
    tags: Annotated[tuple[Id, ...], Field(max_length=20)] = ()
    evidence: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=2000)], ...],
        Field(max_length=20),
    ] = ()
    external_reference: Annotated[str | None, Field(max_length=100)] = None
    contacts: Annotated[tuple[ContactBody, ...], Field(max_length=20)] = ()

    def filing(self, partner_id: str) -> Filing:
        account = self.account
        return Filing(
            partner_id=partner_id,
            account_name=account.name,
            facts=account.facts(),
            product_lines=self.product_lines,
            amount=self.amount.amount,
            currency=self.amount.currency,
            close_date=self.close_date,
            deal_type=self.deal_type,
            domain=account.domain,
            external_ids=tuple((e.issuer, e.value) for e in account.external_ids),
            place_of_use=self.place_of_use.location() if self.place_of_use else NOWHERE,
            tags=frozenset(self.tags),
            reseller_id=self.reseller_id,
            distributor_id=self.distributor_id,
            evidence=self.evidence,
            external_reference=self.external_reference,
            contacts=tuple(contact.model_dump() for contact in self.contacts),
        )


class AmendBody(StrictBody):
    """What is left out stays as it is. ``account`` may add facts that are not yet known."""

    amount: MoneyBody | None = None
    close_date: date | None = None
    contacts: Annotated[tuple[ContactBody, ...] | None, Field(max_length=20)] = None
    account: FactsBody | None = None
    product_lines: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...],
        Field(max_length=50, description="Lines to add"),
    ] = ()

    @model_validator(mode="after")
    def _one_thing(self) -> "AmendBody":
        edits = (self.amount, self.close_date, self.contacts, self.account)
        if self.product_lines and any(edit is not None for edit in edits):
            raise ValueError("add `product_lines` in a request of their own")
        if not self.product_lines and all(edit is None for edit in edits):
            raise ValueError("name something to change")
        return self


class ResultBody(StrictBody):
    reason: Annotated[str | None, Field(max_length=500)] = None


class ReasonBody(StrictBody):
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]


class AccountEditBody(StrictBody):
    """Staff's corrections of an account; what is left out stays as it is."""

    facts: FactsBody | None = None
    parent_id: Id | None = None


def _band(value: int | BandBody | None) -> Band | None:
    if value is None:
        return None
    return Band(value, value) if isinstance(value, int) else Band(value.low, value.high)
