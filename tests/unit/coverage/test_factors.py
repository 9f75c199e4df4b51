"""The rubric of rules.md, section 5, point by point, and its properties."""

from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dealreg_coverage.domain.factors import (
    Prior,
    capability,
    commitment,
    presence,
    prior_for,
    track_record,
)
from dealreg_coverage.domain.plan import MarketId, Partner, Plan, Site, Weights
from dealreg_coverage.domain.quarter import quarter_name, quarter_of
from dealreg_coverage.domain.score import weigh
from dealreg_coverage.domain.sums import LARGEST_DEAL, Cell, Sums, cents, remember
from tests.factories.coverage import plan

PLAN = plan()
NOW = quarter_of(date(2026, 5, 5))
MARKET = MarketId("west", "smb")
COUNTS = st.integers(0, 40)
MONEY = st.integers(0, 10**10)


def make(*sites: Site, **changed: Any) -> Partner:
    return Partner(id="p", name="P", tier_rank=1, sites=sites, **changed)


def sums_of(draw: st.DrawFn) -> Sums:
    return Sums(
        filed=draw(COUNTS),
        superseded=draw(st.integers(0, 5)),
        lapsed=draw(COUNTS),
        won=draw(COUNTS),
        lost=draw(COUNTS),
        won_value=draw(MONEY),
        lost_value=draw(MONEY),
    )


@st.composite
def histories(draw: st.DrawFn) -> dict[int, Sums]:
    return {NOW - age: sums_of(draw) for age in draw(st.sets(st.integers(0, 12), max_size=6))}


def test_presence_follows_the_rubric() -> None:
    ca_rep, wa_rep = Site("US", "US-CA", False, 1), Site("US", "US-WA", False, 1)
    office, office_rep = Site("US", "US-CA", True, 0), Site("US", "US-CA", True, 1)
    elsewhere, empty = Site("US", "US-NY", True, 3), Site("US", "US-CA", False, 0)
    unplaced = Site("US", None, True, 3)
    for sites, expected in (
        ((), 100),
        ((empty,), 100),
        ((elsewhere,), 400),
        ((unplaced,), 400),
        ((ca_rep,), 700),
        ((ca_rep, wa_rep), 740),
        ((Site("US", "US-CA", False, 5),), 860),
        ((Site("US", "US-CA", False, 50),), 860),
        ((office,), 900),
        ((office, office), 900),
        ((office_rep,), 900),
        ((office_rep, wa_rep), 950),
        ((office_rep, wa_rep, ca_rep), 1000),
        ((office_rep, wa_rep, ca_rep, elsewhere), 1000),
    ):
        assert presence(PLAN, make(*sites), "west").value == expected, sites


def test_capability_follows_the_rubric() -> None:
    lines = ("core", "edge")
    smb = frozenset({"smb"})
    for segments, certified, expected in (
        ((), (), 100),
        (smb, (), 400),
        (smb, ("core",), 700),
        (smb, ("core", "edge"), 1000),
        (smb, ("core", "edge", "other"), 1000),
        ((), ("core", "edge"), 400),
    ):
        partner = make(segments=frozenset(segments), certified=frozenset(certified))
        assert capability(PLAN, partner, MARKET, lines).value == expected
    assert capability(PLAN, make(segments=smb), MARKET, ()).value == 400


def test_one_lucky_win_is_no_ten_and_many_come_near() -> None:
    prior = prior_for(NOW, {})
    none = track_record(Cell(), prior, 2_500_000).value
    one = track_record(Cell({NOW: Sums(won=1, won_value=2_500_000)}), prior, 2_500_000).value
    many = track_record(Cell({NOW: Sums(won=90, won_value=90 * 2_500_000)}), prior, 2_500_000).value
    assert (none, one, many) == (550, 640, 981)


def test_old_deals_fade_and_the_present_quarter_does_not_move_the_prior() -> None:
    prior = prior_for(NOW, {NOW: Sums(won=50), NOW + 1: Sums(lost=50)})
    assert prior == Prior(NOW, prior.won, prior.closed)
    assert prior.rate == prior_for(NOW, {}).rate
    values = [track_record(Cell({NOW - age: Sums(won=4)}), prior, None).value for age in range(10)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[7] > values[8] == values[9] == 550
    assert prior_for(NOW, {NOW - 1: Sums(won=4)}).rate > prior.rate


def test_value_counts_beside_number_but_one_whale_does_not_decide() -> None:
    prior = prior_for(NOW, {})

    def with_value(value: int) -> int:
        return track_record(Cell({NOW: Sums(won=1, won_value=value)}), prior, 100).value

    assert with_value(50) < with_value(100) < with_value(300) == with_value(10**12)


def test_commitment_starts_from_what_is_stated() -> None:
    for names, expected in (((), 300), (("west/ent",), 450), (("west/smb", "east/smb"), 600)):
        partner = make(priority_markets=frozenset(names))
        assert commitment(partner, MARKET, Cell(), NOW).value == expected


def test_behaviour_of_two_quarters_adds_up_to_four_and_takes_at_most_two() -> None:
    stated = make(priority_markets=frozenset({"west/smb"}))

    def value(partner: Partner, sums: Sums, age: int = 0) -> int:
        return commitment(partner, MARKET, Cell({NOW - age: sums}), NOW).value

    busy = Sums(filed=4, won=4)
    assert value(stated, busy) == value(stated, busy, 1) == 1000
    assert value(stated, busy, 2) == 600
    assert value(make(), Sums(lapsed=3)) == 100
    assert value(make(), Sums(filed=2, lapsed=1)) == 300 + 50 + 50 - 67
    assert value(make(), Sums(filed=2, superseded=1)) == value(make(), Sums(filed=1))


@given(histories(), st.sampled_from((None, 100, 2_500_000)), st.integers(0, 12), MONEY)
def test_one_more_win_never_lowers_and_all_stay_in_bounds(
    history: dict[int, Sums], deal_size: int | None, age: int, value: int
) -> None:
    more = dict(history)
    more[NOW - age] = more.get(NOW - age, Sums()) + Sums(won=1, won_value=value)
    results = []
    for quarters in (history, more):
        prior = prior_for(NOW, quarters)
        cell = Cell(quarters)
        record = track_record(cell, prior, deal_size).value
        will = commitment(make(), MARKET, cell, NOW).value
        assert 100 <= record <= 1000
        assert 100 <= will <= 1000
        results.append((record, will))
    assert results[0][0] <= results[1][0]
    assert results[0][1] <= results[1][1]


@given(histories())
def test_the_order_of_quarters_does_not_matter(history: dict[int, Sums]) -> None:
    turned = dict(reversed(list(history.items())))
    prior = prior_for(NOW, history)
    assert prior == prior_for(NOW, turned)
    one, other = (track_record(Cell(q), prior, 100) for q in (history, turned))
    assert one == other


def test_ten_nine_seven_seven_is_85_per_cent() -> None:
    values = {"presence": 1000, "capability": 900, "track_record": 700, "commitment": 700}
    assert weigh(Weights(), values) == 850


@given(
    st.fixed_dictionaries(
        {
            n: st.integers(100, 1000)
            for n in ("presence", "capability", "track_record", "commitment")
        }
    )
)
def test_scores_lie_between_10_and_100_per_cent(values: dict[str, int]) -> None:
    assert 100 <= weigh(Weights(), values) <= 1000
    assert (
        weigh(Weights(presence=1, capability=0, track_record=0, commitment=0), values)
        == (values["presence"])
    )


@given(st.permutations([(f"2026-01-0{i}", f"e{i}") for i in range(1, 9)]))
def test_remembered_events_do_not_depend_on_the_order(entries: list[tuple[str, str]]) -> None:
    recent: dict[str, tuple[tuple[str, str], ...]] = {}
    for instant, event_id in entries:
        recent = remember(recent, "won", instant, event_id)
    assert [event_id for _, event_id in recent["won"]] == ["e8", "e7", "e6", "e5", "e4"]


def test_cents_round_half_up_and_are_bounded() -> None:
    assert cents(Decimal("10.005")) == 1001
    assert cents(Decimal("1E+40")) == LARGEST_DEAL
    assert cents(Decimal("-1E+40")) == -LARGEST_DEAL


def test_every_factor_explains_itself() -> None:
    cell = Cell({NOW: Sums(won=1)}, {"won": (("2026-05-01", "ev-1"),)})
    record = track_record(cell, prior_for(NOW, {}), None)
    assert "W" in record.formula
    assert record.facts[0].event_ids == ("ev-1",)
    assert "won 1, lost 0" in record.facts[0].text
    assert quarter_name(NOW) == "2026 Q2"
    assert "2026 Q2" in record.facts[1].text


def test_plan_names_unknown_things_by_their_id() -> None:
    assert isinstance(PLAN, Plan)
    assert PLAN.market_name(MARKET) == "West SMB"
    assert PLAN.market_name(MarketId("-", "-")) == "- -"
    assert PLAN.partner_name("who") == "who"
