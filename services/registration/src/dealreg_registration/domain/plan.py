"""A plan as the decision sees it: immutable, compiled once when it is loaded.

``PlanBook`` answers which plan was in force at an instant, ``Standing`` whether a partner was active.
This module must not know documents, storage or HTTP.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from dealreg_registration.domain.calendar import BusinessCalendar, working_days
from dealreg_registration.domain.facts import Band, Facts, Location
from dealreg_registration.domain.identity import contradicts, strength
from dealreg_registration.domain.ladder_terms import LadderTerms
from dealreg_registration.domain.match import TerritoryIndex

CENT = Decimal("0.01")
_EXACT = Context(prec=100)
"""Holds any product of an amount and a rate; the usual 28 digits are too few for some."""


@dataclass(frozen=True, slots=True)
class Partner:
    """``tier_rank`` 1 is the highest. ``protection_days`` is the tier's, else the policy's."""

    id: str
    name: str
    tier: str
    tier_rank: int
    protection_days: int
    certified: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Segment:
    id: str
    name: str
    employees: tuple[int | None, int | None] | None
    revenue: tuple[int | None, int | None] | None


@dataclass(frozen=True, slots=True)
class NamedAccount:
    id: str
    direct_owner: str | None
    partner_id: str | None
    include_subsidiaries: bool
    excluded: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """What a plan may decide differently (rules.md, marked "policy")."""

    standby: Literal["promote", "off"] = "promote"
    protect_open: bool = False
    minimum_amount: Decimal | None = None
    cooling_off_days: int = 0
    referral_names_target: bool = True
    overlap_cases: Literal["always", "disputed"] = "always"
    precedence_proof: Literal["on", "off"] = "on"
    objection_days: int = 5
    transfer_days: int = 5
    referral_days: int = 2
    referral_exhausted: Literal["in_territory", "open"] = "in_territory"
    owner_idle_days: int = 90
    offer_days: int = 5
    information_days: int = 5
    extension_days: int = 30
    expiring_days: tuple[int, ...] = (30, 14, 7)
    activity_days: int | None = None
    activity_notice_days: int = 7
    renewal_incumbent: bool = True
    appeal_days: int = 10


@dataclass(frozen=True, slots=True)
class Ladder:
    """Who acts at each level. Managers are looked up by market, by region, then the programme's."""

    managers: Mapping[str, str] = field(default_factory=dict)
    programme_manager: str | None = None
    vp: str | None = None
    ceo: str | None = None
    reviewer: str | None = None
    """Reviews the CEO's rulings on appeal."""

    def manager(self, region: str | None, segment: str | None) -> str | None:
        market = f"{region}/{segment}"
        return (
            self.managers.get(market) or self.managers.get(region or "") or self.programme_manager
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """One published plan, ready for decisions. Territories are indexed by ``domain.match``."""

    number: int
    in_force_from: datetime
    currency: str
    partners: Mapping[str, Partner]
    territories: TerritoryIndex
    line_of: Mapping[str, str]
    """Product line id or SKU -> product line id."""
    segments: Sequence[Segment]
    region_of_country: Mapping[str, str]
    region_of_subdivision: Mapping[str, str]
    divided_countries: frozenset[str]
    """Countries of which single subdivisions belong to regions."""
    named_by_key: Mapping[str, NamedAccount]
    rates: Mapping[str, Decimal]
    policy: Policy
    ladder: Ladder
    business_days: BusinessCalendar = field(default_factory=lambda: working_days(ZoneInfo("UTC")))
    """What "business days" means: working days in the programme's zone."""
    ladder_terms: LadderTerms = field(default_factory=LadderTerms)
    line_names: Mapping[str, str] = field(default_factory=dict)
    region_names: Mapping[str, str] = field(default_factory=dict)

    def line_name(self, line_id: str) -> str:
        """What people call a product line; its id, if this plan has no such line."""
        return self.line_names.get(line_id, line_id)

    def market_names(
        self, region: str | None, segment: str | None
    ) -> tuple[str | None, str | None]:
        """What people call a region and a segment; the id of what this plan does not have."""
        segments = {one.id: one.name for one in self.segments}
        return (
            region and self.region_names.get(region, region),
            segment and segments.get(segment, segment),
        )

    def region(self, place: Location) -> str | None:
        """The region of a place; None if unknown or outside every region."""
        if place.subdivision is not None and place.subdivision in self.region_of_subdivision:
            return self.region_of_subdivision[place.subdivision]
        if place.country is None:
            return None
        return self.region_of_country.get(place.country)

    def region_unknown(self, place: Location) -> bool:
        """Whether a better known place could lie in another region."""
        if place.country is None:
            return True
        return (
            place.subdivision is None
            and place.country in self.divided_countries
            and place.country not in self.region_of_country
        )

    def segment(self, facts: Facts) -> str | None:
        """The one segment the account's size lies in; None if unknown or straddling two."""
        for segment in self.segments:
            if facts.employees is not None and segment.employees is not None:
                if facts.employees.within(*segment.employees):
                    return segment.id
            elif (
                facts.revenue is not None
                and segment.revenue is not None
                and facts.revenue.within(*segment.revenue)
            ):
                return segment.id
        return None

    def market(self, place_of_use: Location, facts: Facts) -> tuple[str | None, str | None]:
        """Region and segment of a deal; the place of use counts, else the account's address."""
        return self.region(place_of_use or facts.location), self.segment(facts)

    def possible_segments(self, facts: Facts) -> tuple[str, ...]:
        """The segments the account may lie in, given what is known."""
        return tuple(
            segment.id
            for segment in self.segments
            if _may_lie(facts.employees, segment.employees)
            and _may_lie(facts.revenue, segment.revenue)
        )

    def convert(self, amount: Decimal, currency: str) -> Decimal | None:
        """An amount in the programme's currency, to the cent; None without a rate."""
        if currency == self.currency:
            return amount
        rate = self.rates.get(currency)
        return None if rate is None else _EXACT.quantize(_EXACT.multiply(amount, rate), CENT)

    def named(self, keys: Iterable[str], parent_keys: Iterable[str]) -> NamedAccount | None:
        """The named-account entry of an account, or of its parent unless the plan excludes that."""
        entry = self._entry(frozenset(keys))
        if entry is None and (inherited := self._entry(frozenset(parent_keys))) is not None:
            return inherited if inherited.include_subsidiaries else None
        return entry

    def _entry(self, keys: frozenset[str]) -> NamedAccount | None:
        """By the strongest key, unless a stronger one disagrees, as accounts are found."""
        hits = [key for key in keys if key in self.named_by_key]
        for key in sorted(hits, key=lambda hit: (strength(hit), hit)):
            entry = self.named_by_key[key]
            if strength(key) == 0 or not contradicts(
                keys, (k for k, e in self.named_by_key.items() if e.id == entry.id), key
            ):
                return entry
        return None


def _may_lie(band: Band | None, limits: tuple[int | None, int | None] | None) -> bool:
    return band is None or limits is None or band.meets(*limits)


class PlanBook:
    """All published plans, by the instant from which each is in force."""

    def __init__(self, plans: Iterable[Plan]) -> None:
        self._plans = sorted(plans, key=lambda plan: (plan.in_force_from, plan.number))
        self._starts = [plan.in_force_from for plan in self._plans]
        self._by_number = {plan.number: plan for plan in self._plans}

    @property
    def any_cooling_off(self) -> bool:
        """Whether any plan makes expired claims matter to later filings."""
        return any(plan.policy.cooling_off_days for plan in self._plans)

    def numbered(self, number: int) -> Plan | None:
        """The plan under which something was granted, whatever is in force now."""
        return self._by_number.get(number)

    def at(self, instant: datetime) -> Plan | None:
        """The plan in force at an instant: of those that have begun, the one that began last."""
        index = bisect_right(self._starts, instant)
        return self._plans[index - 1] if index else None


@dataclass(frozen=True, slots=True)
class StatusPeriod:
    """From ``since`` on the partner is suspended (its protections end at ``release_at``) or active."""

    since: datetime
    suspended: bool
    release_at: datetime | None = None


class Standing:
    """When partners were active. A partner without an entry always was."""

    def __init__(self, periods: Mapping[str, Sequence[StatusPeriod]] | None = None) -> None:
        self._periods = {
            partner: sorted(entries, key=lambda entry: entry.since)
            for partner, entries in (periods or {}).items()
        }

    def active(self, partner_id: str, instant: datetime) -> bool:
        if partner_id not in self._periods:
            return True
        period = self._at(partner_id, instant)
        return period is None or not period.suspended

    def witnessed(self) -> "WitnessedStanding":
        """The same, which remembers whom it was asked about and found suspended."""
        return WitnessedStanding(self)

    def releases(self, partner_id: str, after: datetime, until: datetime) -> datetime | None:
        """The first instant in (after, until] at which this partner's protections end."""
        if partner_id not in self._periods:
            return None
        instants = self._effective_releases(partner_id)
        return min((instant for instant in instants if after < instant <= until), default=None)

    def last_releases(self, until: datetime) -> dict[str, datetime]:
        """Partners whose protections have ended by ``until``, and the last instant at which they did."""
        last: dict[str, datetime] = {}
        for partner_id in self._periods:
            instants = [i for i in self._effective_releases(partner_id) if i <= until]
            if instants:
                last[partner_id] = max(instants)
        return last

    def _effective_releases(self, partner_id: str) -> list[datetime]:
        """A reactivation up to the release makes it void."""
        entries = self._periods.get(partner_id, [])
        found: list[datetime] = []
        for index, period in enumerate(entries):
            release = period.release_at
            if not period.suspended or release is None:
                continue
            ended = entries[index + 1].since if index + 1 < len(entries) else None
            if ended is None or ended > release:
                found.append(release)
        return found

    def _at(self, partner_id: str, instant: datetime) -> StatusPeriod | None:
        current: StatusPeriod | None = None
        for period in self._periods.get(partner_id, ()):
            if period.since <= instant:
                current = period
        return current


class WitnessedStanding(Standing):
    """A standing for one decision: ``suspended`` are the partners it was asked for and found so."""

    def __init__(self, standing: Standing) -> None:
        self._periods = standing._periods
        self.suspended: set[str] = set()

    def active(self, partner_id: str, instant: datetime) -> bool:
        if not self._periods or super().active(partner_id, instant):
            return True
        self.suspended.add(partner_id)
        return False


def window(partner: Partner, start: datetime) -> tuple[datetime, datetime]:
    """The protection window [start, end) of a partner, by its tier."""
    return start, start + timedelta(days=partner.protection_days)
