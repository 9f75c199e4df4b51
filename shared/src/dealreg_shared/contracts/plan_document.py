"""The plan as a document: what channel operations write, version, review and publish.

One file (YAML or JSON) holds regions, segments, products, partners, territories, named accounts,
targets, market data, exchange rates, people and policy. Its JSON Schema is published. Shapes and types
are checked here; what needs a look at several places (references, disjoint regions, exclusives that
clash) is checked by registration before a plan can be published. Items of its sections travel in
``plan.part`` events, where readers ignore fields they do not know.

Percentages are whole numbers; money is a decimal string in the programme's currency.
"""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from dealreg_shared.contracts.base import CurrencyCode
from dealreg_shared.contracts.plan_ladder import Calendar, LadderPolicy
from dealreg_shared.contracts.plan_section import CountryCode, Section, SubdivisionCode

SCHEMA_ID: Literal["dealreg.plan/1"] = "dealreg.plan/1"


_AMOUNT = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,12})?")  # no exponents: 1E+999999 is a trap


def _amount(value: Any) -> Any:
    if isinstance(value, (bool, float)):
        raise ValueError("write the amount as a whole number or in quotes, such as '1250.50'")
    if isinstance(value, int | str):
        text = str(value)
        if not _AMOUNT.fullmatch(text):
            raise ValueError("an amount such as 25000 or '1250.50', of at most 18 digits")
        return Decimal(text)
    return value


Amount = Annotated[
    Decimal,
    BeforeValidator(_amount),
    Field(ge=0, allow_inf_nan=False),
    PlainSerializer(lambda value: format(value, "f"), when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": r"^[0-9]{1,18}(\.[0-9]{1,12})?$"},
            ],
            "description": "In the programme's currency",
        }
    ),
]

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]
PostalPrefix = Annotated[
    str,
    Field(pattern=r"^[A-Z]{2}:[A-Z0-9]{1,10}$", description="Country, colon, prefix: US:941"),
]
IndustryPrefix = Annotated[str, Field(pattern=r"^\d{1,6}$")]
Percent = Annotated[int, Field(ge=0, le=100)]
Tags = tuple[Id, ...]


class Programme(Section):
    """The partner programme. Its id is the installation's setting, not the document's."""

    name: Name
    time_zone: Annotated[str, Field(description="IANA name, such as America/New_York")]
    currency: CurrencyCode


class Region(Section):
    """A named set of countries and subdivisions. Regions are disjoint."""

    id: Id
    name: Name
    countries: tuple[CountryCode, ...] = ()
    subdivisions: tuple[SubdivisionCode, ...] = ()


class Segment(Section):
    """A band of employees or of yearly revenue; both ends included, an open end left out."""

    id: Id
    name: Name
    employees_from: Annotated[int, Field(ge=1)] | None = None
    employees_to: Annotated[int, Field(ge=1)] | None = None
    revenue_from: Amount | None = None
    revenue_to: Amount | None = None


class ProductLine(Section):
    id: Id
    name: Name
    skus: tuple[Id, ...] = ()


class Tier(Section):
    """``rank`` 1 is the highest tier. ``protection_days`` overrides the policy's."""

    id: Id
    name: Name
    rank: Annotated[int, Field(ge=1)]
    protection_days: Annotated[int, Field(ge=1, le=730)] | None = None


class Site(Section):
    """A place with an office, or where ``reps`` sales people work."""

    country: CountryCode
    subdivision: SubdivisionCode | None = None
    city: Name | None = None
    office: bool = False
    reps: Annotated[int, Field(ge=0)] = 0


class Partner(Section):
    """A company that sells for the vendor. ``capacity`` is how many deals it can work at a time."""

    id: Id
    name: Name
    kind: Literal["reseller", "distributor", "integrator", "msp", "isv"] = "reseller"
    tier: Id
    sites: tuple[Site, ...] = ()
    segments: Annotated[tuple[Id, ...], Field(description="Segments it sells to")] = ()
    certified: Annotated[tuple[Id, ...], Field(description="Product lines")] = ()
    capacity: Annotated[int, Field(ge=0)] | None = None
    priority_markets: Annotated[tuple[str, ...], Field(description="region/segment")] = ()


class TerritoryMatch(Section):
    """What a territory matches: any of the values within a dimension, all dimensions together.

    An absent dimension matches all.
    """

    regions: tuple[Id, ...] = ()
    countries: tuple[CountryCode, ...] = ()
    subdivisions: tuple[SubdivisionCode, ...] = ()
    postal_prefixes: tuple[PostalPrefix, ...] = ()
    cities: Annotated[
        tuple[str, ...], Field(description="Country, colon, city: DE:Berlin; case does not count")
    ] = ()
    segments: tuple[Id, ...] = ()
    naics: tuple[IndustryPrefix, ...] = ()
    sic: tuple[IndustryPrefix, ...] = ()
    product_lines: tuple[Id, ...] = ()
    accounts: Annotated[tuple[Id, ...], Field(description="Ids of named accounts")] = ()
    tags: Tags = ()


class Territory(Section):
    """Where partners are assigned. An overlay adds a specialist and never gives primary ownership."""

    id: Id
    name: Name
    match: TerritoryMatch = TerritoryMatch()
    overlay: bool = False
    minimum_tier: Id | None = None


class AccountFocus(Section):
    """The size of account a partner goes for first. It informs people; it decides nothing."""

    employees_from: Annotated[int, Field(ge=1)] | None = None
    employees_to: Annotated[int, Field(ge=1)] | None = None


class Assignment(Section):
    """Partner (or direct, by a person's id) x territory. ``valid_to`` is the first day without it."""

    id: Id
    territory: Id
    partner: Id | None = None
    direct: Annotated[Id | None, Field(description="Person id of the direct owner")] = None
    role: Literal["primary", "secondary"] = "primary"
    exclusive: bool = False
    valid_from: date | None = None
    valid_to: date | None = None
    goal: Amount | None = None
    focus: AccountFocus | None = None


class ExternalId(Section):
    """An identifier and who issued it: lei, duns, a tax authority, a CRM."""

    issuer: Id
    value: Annotated[str, Field(min_length=1, max_length=100)]


class NamedAccount(Section):
    """An account that direct owns (together with ``partner``, if given), found by certain keys."""

    id: Id
    name: Name
    domain: str | None = None
    external_ids: tuple[ExternalId, ...] = ()
    country: CountryCode | None = None
    subdivision: SubdivisionCode | None = None
    postal_code: str | None = None
    direct_owner: Id | None = None
    partner: Id | None = None
    include_subsidiaries: bool = True
    excluded: Annotated[bool, Field(description="No registration is accepted for it")] = False


class RegionTarget(Section):
    region: Id
    minimum_partners: Annotated[int, Field(ge=0)]
    maximum_partners: Annotated[int, Field(ge=0)]
    revenue_goal: Amount | None = None


class SegmentTarget(Section):
    """``partner_share`` is the per cent of a region's partners that should sell to the segment."""

    segment: Id
    partner_share: Percent
    deal_size: Amount | None = None


class MarketData(Section):
    """What a market is worth: ``potential`` weighs it among the others."""

    region: Id
    segment: Id
    potential: Amount
    accounts: Annotated[int, Field(ge=0)] | None = None


class ExchangeRate(Section):
    """One unit of ``currency`` in the programme's currency."""

    currency: CurrencyCode
    rate: Annotated[
        Amount, Field(gt=0, description="Programme currency for one unit, such as '1.08'")
    ]


class Person(Section):
    """Someone with a part to play. Name and address never leave on any topic but dealreg.people.

    ``manages`` names markets (``region/segment``) or whole regions; a partner manager without it is the
    programme's. ``partner`` makes this a contact of that partner.
    """

    id: Id
    roles: tuple[
        Literal["partner_manager", "vp", "ceo", "reviewer", "direct_owner", "partner_contact"], ...
    ]
    manages: tuple[str, ...] = ()
    partner: Id | None = None
    name: Name | None = None
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)] | None = None


class ScoreWeights(Section):
    """Per cent; together 100."""

    presence: Percent = 30
    capability: Percent = 30
    track_record: Percent = 20
    commitment: Percent = 20


class Policy(Section):
    """What a plan may decide differently. Every default is the rule book's."""

    protection_days: Annotated[int, Field(ge=1, le=730)] = 90
    protect_open: Annotated[bool, Field(description="Protect claims that nobody covers")] = False
    standby: Annotated[
        Literal["promote", "off"],
        Field(description="What happens to standby claims when the protected one ends"),
    ] = "promote"
    minimum_amount: Amount | None = None
    cooling_off_days: Annotated[int, Field(ge=0, le=730)] = 0
    named_account_limit: Annotated[int, Field(ge=0)] = 100
    referral_names_target: bool = True
    overlap_cases: Annotated[
        Literal["always", "disputed"],
        Field(description="Whether a taken line opens a case at once, or when the loser objects"),
    ] = "always"
    precedence_proof: Annotated[
        Literal["on", "off"],
        Field(description="Whether a contested partner may prove that somebody was earlier"),
    ] = "on"
    objection_days: Annotated[
        int, Field(ge=1, le=60, description="Business days in which the loser may object")
    ] = 5
    transfer_days: Annotated[
        int,
        Field(ge=1, le=60, description="Business days in which both sides consent to a transfer"),
    ] = 5
    referral_days: Annotated[
        int, Field(ge=1, le=30, description="Business days in which a referral must be answered")
    ] = 2
    referral_exhausted: Annotated[
        Literal["in_territory", "open"],
        Field(description="What the referrer is when nobody took its referral"),
    ] = "in_territory"
    owner_idle_days: Annotated[int, Field(ge=1)] = 90
    offer_days: Annotated[
        int, Field(ge=1, le=90, description="Business days in which standby confirms after a loss")
    ] = 5
    information_days: Annotated[
        int, Field(ge=1, le=90, description="Business days in which a partner answers a question")
    ] = 5
    extension_days: Annotated[
        int, Field(ge=0, le=365, description="By which a protection is extended; 0: not at all")
    ] = 30
    expiring_days: Annotated[
        tuple[Annotated[int, Field(ge=1, le=365)], ...],
        Field(max_length=10, description="Days before its end when a partner is reminded"),
    ] = (30, 14, 7)
    activity_days: Annotated[
        int | None,
        Field(ge=1, le=365, description="Without an update for so long a protection is released"),
    ] = None
    activity_notice_days: Annotated[
        int, Field(ge=0, le=90, description="Between the warning of that and the release")
    ] = 7
    renewal_incumbent: Annotated[
        bool, Field(description="Renewals come from the partner of the last won deal alone")
    ] = True
    appeal_days: Annotated[
        int, Field(ge=0, le=365, description="How long after its end a claim may be appealed")
    ] = 10
    suspension_notice_days: Annotated[int, Field(ge=0, le=365)] = 5
    calendar: Annotated[
        Calendar, Field(description="What business days are; also for ladders without their own")
    ] = Calendar()
    ladder: LadderPolicy = LadderPolicy()
    score_target: Percent = 80
    score_weights: ScoreWeights = ScoreWeights()


class PlanDocument(Section):
    """A whole plan. ``schema`` names the version of this format."""

    schema_id: Annotated[Literal["dealreg.plan/1"], Field(alias="schema")]
    programme: Programme
    regions: tuple[Region, ...] = ()
    segments: tuple[Segment, ...] = ()
    product_lines: tuple[ProductLine, ...]
    tiers: tuple[Tier, ...]
    partners: tuple[Partner, ...] = ()
    territories: tuple[Territory, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    named_accounts: tuple[NamedAccount, ...] = ()
    region_targets: tuple[RegionTarget, ...] = ()
    segment_targets: tuple[SegmentTarget, ...] = ()
    market_data: tuple[MarketData, ...] = ()
    exchange_rates: tuple[ExchangeRate, ...] = ()
    people: tuple[Person, ...] = ()
    policy: Policy = Policy()


SECTIONS: dict[str, type[Section]] = {
    "programme": Programme,
    "regions": Region,
    "segments": Segment,
    "product_lines": ProductLine,
    "tiers": Tier,
    "partners": Partner,
    "territories": Territory,
    "assignments": Assignment,
    "named_accounts": NamedAccount,
    "region_targets": RegionTarget,
    "segment_targets": SegmentTarget,
    "market_data": MarketData,
    "exchange_rates": ExchangeRate,
    "people": Person,
    "policy": Policy,
}
"""Section name -> model of one item; ``programme`` and ``policy`` are single items."""
