"""Turns a plan document into the plan that decisions use, with its territory index.

Runs once per published plan and process. The document was validated before it was published; this
module must not check it again.
"""

from collections.abc import Callable
from datetime import datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from dealreg_registration.domain.calendar import (
    WALL_CLOCK,
    BusinessCalendar,
    Clock,
    Opening,
)
from dealreg_registration.domain.identity import domain_key, external_key, name_keys
from dealreg_registration.domain.ladder_terms import HOUR, LadderTerms, LevelTerms
from dealreg_registration.domain.match import TerritoryIndex
from dealreg_registration.domain.plan import (
    Ladder,
    NamedAccount,
    Partner,
    Plan,
    Policy,
    Segment,
)
from dealreg_registration.domain.territory import Assignment, Territory
from dealreg_registration.holiday_dates import holiday_dates
from dealreg_shared.contracts import plan_document as doc
from dealreg_shared.contracts.plan_ladder import Calendar, LevelClock

RegistrableDomain = Callable[[str], str | None]


def compile_plan(
    document: doc.PlanDocument,
    number: int,
    in_force_from: datetime,
    registrable_domain: RegistrableDomain,
) -> Plan:
    """The plan as decisions see it."""
    policy, zone = document.policy, document.programme.time_zone
    tiers = {tier.id: tier for tier in document.tiers}
    return Plan(
        number=number,
        in_force_from=in_force_from,
        currency=document.programme.currency,
        partners={
            partner.id: Partner(
                id=partner.id,
                name=partner.name,
                tier=partner.tier,
                tier_rank=tiers[partner.tier].rank,
                protection_days=tiers[partner.tier].protection_days or policy.protection_days,
                certified=frozenset(partner.certified),
                segments=frozenset(partner.segments),
            )
            for partner in document.partners
        },
        territories=_territories(document, {tier.id: tier.rank for tier in document.tiers}),
        line_of={
            name: line.id for line in document.product_lines for name in (line.id, *line.skus)
        },
        segments=tuple(_segment(segment) for segment in document.segments),
        region_of_country={
            country: region.id for region in document.regions for country in region.countries
        },
        region_of_subdivision={
            code: region.id for region in document.regions for code in region.subdivisions
        },
        divided_countries=frozenset(
            code[:2] for region in document.regions for code in region.subdivisions
        ),
        named_by_key=_named_by_key(document, registrable_domain),
        rates={rate.currency: rate.rate for rate in document.exchange_rates},
        policy=Policy(
            standby=policy.standby,
            protect_open=policy.protect_open,
            minimum_amount=policy.minimum_amount,
            cooling_off_days=policy.cooling_off_days,
            referral_names_target=policy.referral_names_target,
            overlap_cases=policy.overlap_cases,
            precedence_proof=policy.precedence_proof,
            objection_days=policy.objection_days,
            transfer_days=policy.transfer_days,
            referral_days=policy.referral_days,
            referral_exhausted=policy.referral_exhausted,
            owner_idle_days=policy.owner_idle_days,
            offer_days=policy.offer_days,
            information_days=policy.information_days,
            extension_days=policy.extension_days,
            expiring_days=policy.expiring_days,
            activity_days=policy.activity_days,
            activity_notice_days=policy.activity_notice_days,
            renewal_incumbent=policy.renewal_incumbent,
            appeal_days=policy.appeal_days,
        ),
        ladder=_ladder(document),
        business_days=_calendar(document.policy.calendar, zone, in_force_from.year),
        ladder_terms=_ladder_terms(policy, zone, in_force_from.year),
        region_names={region.id: region.name for region in document.regions},
        line_names={line.id: line.name for line in document.product_lines},
    )


def _segment(segment: doc.Segment) -> Segment:
    def whole(value: Decimal | None) -> int | None:
        return None if value is None else int(value)

    employees = (segment.employees_from, segment.employees_to)
    revenue = (whole(segment.revenue_from), whole(segment.revenue_to))
    return Segment(
        id=segment.id,
        name=segment.name,
        employees=None if employees == (None, None) else employees,
        revenue=None if revenue == (None, None) else revenue,
    )


def _territories(document: doc.PlanDocument, ranks: dict[str, int]) -> TerritoryIndex:
    assignments: dict[str, list[Assignment]] = {}
    for entry in document.assignments:
        assignments.setdefault(entry.territory, []).append(
            Assignment(
                id=entry.id,
                territory_id=entry.territory,
                partner_id=entry.partner,
                direct_id=entry.direct,
                primary=entry.role == "primary",
                exclusive=entry.exclusive,
                valid_from=entry.valid_from,
                valid_to=entry.valid_to,
                goal=entry.goal,
            )
        )
    return TerritoryIndex(
        Territory(
            id=territory.id,
            name=territory.name,
            regions=frozenset(territory.match.regions),
            countries=frozenset(territory.match.countries),
            subdivisions=frozenset(territory.match.subdivisions),
            postal_prefixes=territory.match.postal_prefixes,
            cities=frozenset(_city(city) for city in territory.match.cities),
            segments=frozenset(territory.match.segments),
            naics=territory.match.naics,
            sic=territory.match.sic,
            product_lines=frozenset(territory.match.product_lines),
            accounts=frozenset(territory.match.accounts),
            tags=frozenset(territory.match.tags),
            overlay=territory.overlay,
            minimum_tier_rank=ranks.get(territory.minimum_tier or ""),
            assignments=tuple(assignments.get(territory.id, ())),
        )
        for territory in document.territories
    )


def _city(text: str) -> str:
    country, _, city = text.partition(":")
    return f"{country.upper()}:{city.casefold().strip()}"


def _named_by_key(
    document: doc.PlanDocument, registrable_domain: RegistrableDomain
) -> dict[str, NamedAccount]:
    by_key: dict[str, NamedAccount] = {}
    for entry in document.named_accounts:
        account = NamedAccount(
            id=entry.id,
            direct_owner=entry.direct_owner,
            partner_id=entry.partner,
            include_subsidiaries=entry.include_subsidiaries,
            excluded=entry.excluded,
        )
        keys = [external_key(external.issuer, external.value) for external in entry.external_ids]
        domain = registrable_domain(entry.domain) if entry.domain else None
        if domain:
            keys.append(domain_key(domain))
        keys += name_keys(entry.name, entry.country, entry.subdivision, entry.postal_code)
        for key in keys:
            by_key.setdefault(key, account)
    return by_key


def _ladder_terms(policy: doc.Policy, zone: str, year: int) -> LadderTerms:
    ladder = policy.ladder

    def clock(kind: LevelClock, own: Calendar | None) -> Clock:
        return WALL_CLOCK if kind == "wall" else _calendar(own or policy.calendar, zone, year)

    manager = clock(ladder.partner_manager_clock, ladder.partner_manager_calendar)
    vp = clock(ladder.vp_clock, ladder.vp_calendar)
    return LadderTerms(
        levels=(
            LevelTerms(1, "partner_manager", ladder.partner_manager_hours * HOUR, manager),
            LevelTerms(2, "vp", ladder.vp_hours * HOUR, vp),
            LevelTerms(3, "ceo", None),
        ),
        reminders=ladder.reminders,
        vp_clock_from=ladder.vp_clock_from,
        repeat_hours=ladder.ceo_repeat_hours,
        pause_for_information=ladder.pause_for_information,
        pause_limit=ladder.pause_limit_hours * HOUR,
        manager_may_decide=ladder.manager_may_decide,
    )


def _calendar(calendar: Calendar, zone: str, year: int) -> BusinessCalendar:
    hours, place = calendar.hours, calendar.holidays_of
    week = (
        hours.monday,
        hours.tuesday,
        hours.wednesday,
        hours.thursday,
        hours.friday,
        hours.saturday,
        hours.sunday,
    )
    public = frozenset() if place is None else holiday_dates(place, year)
    return BusinessCalendar(
        zone=ZoneInfo(calendar.time_zone or zone),
        week=tuple(tuple(_opening(text) for text in day) for day in week),
        holidays=public | frozenset(calendar.days_off),
    )


def _opening(text: str) -> Opening:
    start, end = text.split("-")
    return Opening(time.fromisoformat(start), time.fromisoformat(end.replace("24:00", "00:00")))


def _ladder(document: doc.PlanDocument) -> Ladder:
    managers: dict[str, str] = {}
    holders: dict[str, str] = {}
    for person in document.people:
        for role in person.roles:
            if role == "partner_manager" and person.manages:
                for market in person.manages:
                    managers.setdefault(market, person.id)
            else:
                holders.setdefault(role, person.id)
    return Ladder(
        managers=managers,
        programme_manager=holders.get("partner_manager"),
        vp=holders.get("vp"),
        ceo=holders.get("ceo"),
        reviewer=holders.get("reviewer"),
    )
