"""The four factors of a score, from 1.00 to 10.00 (in hundredths), each with its explanation.

The rubric is rules.md, section 5; what it leaves to choose is written at each function and in
docs/coverage.md. Pure: plan, sums and as-of quarter in; number, formula and facts out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from dealreg_coverage.domain.plan import MarketId, Partner, Plan
from dealreg_coverage.domain.quarter import quarter_name
from dealreg_coverage.domain.rounding import half_up, points
from dealreg_coverage.domain.sums import Cell, Sums, event_ids

FACTORS = ("presence", "capability", "track_record", "commitment")

LOWEST, HIGHEST = 100, 1000

MEMORY = 8
"""Quarters that a closed deal counts: in full in its own, an eighth less in each that follows."""

SHRINK = 4
"""How many average deals every cell is given, so that one lucky win is no 10."""

VALUE_CAP = 3
"""A quarter's won value counts up to three planned deal sizes per deal."""


@dataclass(frozen=True, slots=True)
class Fact:
    text: str
    event_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Factor:
    """``value`` in hundredths, 100 to 1000."""

    name: str
    value: int
    formula: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Prior:
    """The programme's share of deals won before a quarter began; frozen while it lasts."""

    quarter: int
    won: Fraction
    closed: Fraction

    @property
    def rate(self) -> Fraction:
        return self.won / self.closed


def prior_for(quarter: int, programme: Mapping[int, Sums]) -> Prior:
    """The share of deals won over the eight quarters before ``quarter``, by recency, beside two won and
    two lost for a programme without history."""
    won, closed = Fraction(2), Fraction(4)
    for before, sums in programme.items():
        weight = _weight(quarter - 1 - before)
        won += weight * sums.won
        closed += weight * (sums.won + sums.lost)
    return Prior(quarter, won, closed)


def presence(plan: Plan, partner: Partner, region_id: str) -> Factor:
    """1 no place at all; 4 places elsewhere only; 7 for a rep in the region, up to 8.60 for five;
    9 for an office; with reps beside the office 9.50 in two places, 10 in three or more."""
    sites = [site for site in partner.sites if site.office or site.reps]
    here = [s for s in sites if plan.region_of(s.country, s.subdivision) == region_id]
    offices = sum(site.office for site in here)
    reps = sum(site.reps for site in here)
    if not sites:
        value = 100
    elif not here:
        value = 400
    elif not offices:
        value = 700 + 40 * (min(reps, 5) - 1)
    elif not reps:
        value = 900
    else:
        value = 900 + 50 * (min(len(here), 3) - 1)
    region = plan.region_by_id[region_id].name
    return Factor(
        "presence",
        value,
        "1 no office or rep; 4 elsewhere only; 7 a rep in the region (+0.40 for each of four more); "
        "9 an office; with reps 9.50 in two places, 10 in three",
        (
            Fact(f"{offices} office(s) and {reps} rep(s) in {len(here)} place(s) of {region}"),
            Fact(f"{len(sites) - len(here)} place(s) elsewhere"),
        ),
    )


def capability(plan: Plan, partner: Partner, market: MarketId, lines: Sequence[str]) -> Factor:
    """Sells to the segment: 4 + 6 x share of the market's lines certified. Else 1 + 3 x share."""
    sells = market.segment in partner.segments
    held = [line for line in lines if line in partner.certified]
    share = Fraction(len(held), len(lines)) if lines else Fraction(0)
    value = half_up(400 + 600 * share if sells else 100 + 300 * share)
    segment = plan.segment_by_id[market.segment].name
    return Factor(
        "capability",
        value,
        "sells to the segment: 4 + 6 x share of the market's product lines certified; "
        "otherwise 1 + 3 x that share",
        (
            Fact(f"{'sells' if sells else 'does not sell'} to {segment}"),
            Fact(f"certified for {len(held)} of {len(lines)} lines: {', '.join(held) or 'none'}"),
        ),
    )


def track_record(cell: Cell, prior: Prior, deal_size: int | None) -> Factor:
    """1 + 9 x (won + 4 x programme's share) / (won + lost + 4).

    Won and lost are deals by recency; where the plan names a deal size, half of a deal's weight is its
    value in deal sizes (at most three per deal of a quarter).
    """
    won = lost = Fraction(0)
    totals = Sums()
    for quarter, sums in cell.quarters.items():
        weight = _weight(prior.quarter - quarter)
        if weight:
            won += weight * _mass(sums.won, sums.won_value, deal_size)
            lost += weight * _mass(sums.lost, sums.lost_value, deal_size)
            totals += sums
    rate = (won + SHRINK * prior.rate) / (won + lost + SHRINK)
    return Factor(
        "track_record",
        half_up(LOWEST + (HIGHEST - LOWEST) * rate),
        "1 + 9 x (W + 4 x P) / (W + L + 4); W and L are deals won and lost, fading over eight "
        "quarters, half by number and half by value; P is the programme's share of deals won",
        (
            Fact(
                f"won {totals.won}, lost {totals.lost} in two years: W {_two(won)}, L {_two(lost)}",
                event_ids(cell.recent, ("won", "lost")),
            ),
            Fact(
                f"P {half_up(prior.rate * 100)} %, frozen at the start of "
                f"{quarter_name(prior.quarter)}"
            ),
        ),
    )


def commitment(partner: Partner, market: MarketId, cell: Cell, quarter: int) -> Factor:
    """Stated: 3, 4.50 with another priority in the region, 6 for the market itself. Behaviour in this
    quarter and the last: up to 1 for claims filed, 1 for the share kept alive, 2 for deals won, and
    down to 2 less for claims let lapse."""
    if str(market) in partner.priority_markets:
        stated, said = 600, "names this market as a priority"
    elif any(name.split("/")[0] == market.region for name in partner.priority_markets):
        stated, said = 450, "names another market of this region as a priority"
    else:
        stated, said = 300, "names no priority in this region"
    sums = cell.over(quarter - 1, quarter)
    filed = max(0, sums.filed - sums.superseded)
    alive = max(0, filed - sums.lapsed)
    value = Fraction(stated + 25 * min(filed, 4) + 50 * min(sums.won, 4))
    if filed:
        value += Fraction(100 * alive, filed)
    if sums.lapsed:
        value -= Fraction(200 * sums.lapsed, sums.lapsed + filed + sums.won)
    return Factor(
        "commitment",
        max(LOWEST, min(HIGHEST, half_up(value))),
        "3 to 6 for stated priority; over two quarters + 0.25 for each of four claims filed "
        "+ share of them kept alive + 0.50 for each of four deals won "
        "- 2 x lapsed / (lapsed + filed + won)",
        (
            Fact(f"{said} ({points(stated)})"),
            Fact(
                f"since {quarter_name(quarter - 1)}: {filed} claim(s) filed, {sums.lapsed} lapsed, "
                f"{sums.won} deal(s) won",
                event_ids(cell.recent, ("filed", "lapsed", "won")),
            ),
        ),
    )


def _weight(age: int) -> Fraction:
    return Fraction(max(0, MEMORY - age), MEMORY) if age >= 0 else Fraction(0)


def _mass(deals: int, value: int, deal_size: int | None) -> Fraction:
    if not deal_size:
        return Fraction(deals)
    return (deals + min(Fraction(max(0, value), deal_size), Fraction(VALUE_CAP * deals))) / 2


def _two(value: Fraction) -> str:
    return points(half_up(value * 100))
