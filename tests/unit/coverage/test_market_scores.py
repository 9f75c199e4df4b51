"""Markets, regions and the programme: bounded, monotone, and rounded as written."""

from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dealreg_coverage.domain.covering import Cover, Kind, posts_on
from dealreg_coverage.domain.factors import prior_for
from dealreg_coverage.domain.market import market_score, plain_mean, roll_up
from dealreg_coverage.domain.picture import CellKey, Known, market_picture, picture
from dealreg_coverage.domain.plan import MarketId
from dealreg_coverage.domain.quarter import quarter_of
from dealreg_coverage.domain.rounding import half_up, per_cent, points
from dealreg_coverage.domain.score import Score
from dealreg_coverage.domain.sums import Cell, Sums
from tests.factories.coverage import plan

TENTHS = st.integers(100, 1000)
AT = datetime(2026, 5, 5, tzinfo=UTC)
NOW = quarter_of(AT)
WEST_SMB = MarketId("west", "smb")


def entry(partner: str, tenths: int, kind: Kind = "covering", market: str = "smb") -> Score:
    return Score(Cover(partner, kind, True, ()), MarketId("west", market), (), tenths)


def test_a_market_is_its_best_partner_raised_by_the_others() -> None:
    assert market_score([]) == 0
    assert market_score([700]) == 700
    assert market_score([600, 700]) == market_score([700, 600]) == 745
    assert market_score([700, 700, 700]) == 774
    assert market_score([700] * 10) < 800
    assert market_score([1000, 100]) == 1000


@given(st.lists(TENTHS, min_size=1, max_size=14), st.data())
def test_a_market_score_is_bounded_and_monotone(scores: list[int], data: st.DataObject) -> None:
    value = market_score(scores)
    assert max(scores) <= value <= 1000
    index = data.draw(st.integers(0, len(scores) - 1))
    raised = list(scores)
    raised[index] = data.draw(st.integers(scores[index], 1000))
    assert market_score(raised) >= value
    assert market_score([*scores, data.draw(TENTHS)]) >= value
    assert market_score(list(reversed(scores))) == value


@given(TENTHS, TENTHS)
def test_each_further_partner_adds_less(best: int, other: int) -> None:
    scores = [max(best, other)]
    gains = []
    for _ in range(5):
        before = market_score(scores)
        scores.append(min(best, other))
        gains.append(market_score(scores) - before)
    assert all(later <= earlier + 1 for earlier, later in pairwise(gains))


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(("ada", "ben", "cy")), st.integers(NOW - 9, NOW)),
        st.builds(Sums, won=st.integers(0, 9), lost=st.integers(0, 9), lapsed=st.integers(0, 9)),
        max_size=8,
    ),
    st.sampled_from(("ada", "ben", "cy")),
    st.integers(0, 10**9),
)
def test_one_more_win_never_lowers_a_market(
    history: dict[tuple[str, int], Sums], winner: str, value: int
) -> None:
    def market(sums: dict[tuple[str, int], Sums]) -> int:
        cells: dict[CellKey, Cell] = {}
        for (partner, quarter), each in sums.items():
            key = CellKey(partner, WEST_SMB)
            cells[key] = Cell({**cells.get(key, Cell()).quarters, quarter: each})
        known = Known(prior_for(NOW, {}), cells=cells)
        posts = posts_on(plan(), AT.date())
        seen = market_picture(plan(), WEST_SMB, posts[WEST_SMB], known, AT)
        return market_score(s.tenths for s in seen.scores if s.counts)

    more = dict(history)
    more[winner, NOW] = more.get((winner, NOW), Sums()) + Sums(won=1, won_value=value)
    assert market(more) >= market(history)


def test_85_70_and_60_give_72() -> None:
    scores = [entry("acme", 850), entry("techstart", 700), entry("globalsys", 600)]
    assert plain_mean(scores) == Fraction(2150, 3)
    rolled = roll_up(plan(), [WEST_SMB], {WEST_SMB: scores})
    assert (rolled.mean, rolled.mean_per_cent) == (717, 72)


def test_the_plain_mean_counts_each_partner_once_and_no_overlay() -> None:
    scores = [
        entry("ada", 900),
        entry("ada", 700, market="ent"),
        entry("ben", 600),
        entry("cy", 100, kind="overlay"),
    ]
    assert plain_mean(scores) == 700
    assert plain_mean([entry("cy", 100, kind="narrow")]) is None


def test_regions_are_weighted_by_potential_and_empty_markets_count_as_nothing() -> None:
    west_ent = MarketId("west", "ent")
    scores = {WEST_SMB: [entry("ada", 800)]}
    assert roll_up(plan(), [WEST_SMB, west_ent], scores).weighted == 200
    equal = roll_up(plan(market_data=[]), [WEST_SMB, west_ent], scores)
    assert equal.weighted == 400
    nothing = roll_up(plan(), [west_ent], {})
    assert (nothing.weighted, nothing.mean, nothing.mean_per_cent) == (0, None, None)


def test_nobody_inactive_or_unassigned_has_a_score() -> None:
    made = plan()
    posts = posts_on(made, AT.date())
    seen = picture(made, posts, Known(prior_for(NOW, {}), suspended=frozenset({"ben"})), AT)
    assert [s.partner_id for s in seen[WEST_SMB].scores] == ["ada", "cy"]
    assert seen[MarketId("east", "smb")].scores == ()
    outside = market_picture(made, MarketId("-", "smb"), (), Known(prior_for(NOW, {})), AT)
    assert (outside.scores, outside.gap) == ((), None)


def test_rounding_and_spelling() -> None:
    assert [half_up(Fraction(n, 2)) for n in (1, 2, 3, -1, -3)] == [1, 1, 2, 0, -1]
    assert (per_cent(850), per_cent(7), points(1000), points(705)) == (
        "85.0 %",
        "0.7 %",
        "10.00",
        "7.05",
    )
