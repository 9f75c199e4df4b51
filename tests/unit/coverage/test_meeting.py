"""The buckets find the pairs that comparing every territory with every other finds."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from dealreg_coverage.domain.covering import Cover, Post
from dealreg_coverage.domain.meeting import meeting_pairs
from dealreg_coverage.domain.plan import Assignment, Territory

CODES = {
    "countries": ("US", "DE"),
    "subdivisions": ("US-CA", "US-NY", "DE-BE"),
    "postal_prefixes": ("US:9", "US:94", "US:941", "US:1", "DE:10"),
    "cities": ("US:oakland", "US:albany", "DE:berlin"),
}


@st.composite
def places(draw: st.DrawFn) -> dict[str, frozenset[str]]:
    kind = draw(st.sampled_from((None, *CODES)))
    if kind is None:
        return {}
    return {kind: draw(st.frozensets(st.sampled_from(CODES[kind]), min_size=1, max_size=2))}


DEMANDS = st.fixed_dictionaries(
    {
        "product_lines": st.frozensets(st.sampled_from(("core", "edge")), max_size=2),
        "naics": st.frozensets(st.sampled_from(("5", "51", "62")), max_size=1),
        "sic": st.frozensets(st.sampled_from(("7", "73", "60")), max_size=1),
    }
)
TERRITORIES = st.builds(lambda place, other: Territory("t", **place, **other), places(), DEMANDS)


def cover(partner: str, territories: list[Territory]) -> Cover:
    posts = (
        Post(territory, Assignment("a", partner, True, False), "covering", (), False)
        for territory in territories
    )
    return Cover(partner, "covering", True, tuple(posts))


def prefixes_meet(one: frozenset[str], other: frozenset[str]) -> bool:
    return any(a.startswith(b) or b.startswith(a) for a in one for b in other)


def place(territory: Territory) -> tuple[str, frozenset[str]]:
    for kind in ("postal_prefixes", "cities", "subdivisions", "countries"):
        if codes := getattr(territory, kind):
            return kind, codes
    return "anywhere", frozenset()


def meet(one: Territory, other: Territory) -> bool:
    """The rule, said plainly: nothing that both ask for excludes the other."""
    if one.product_lines and other.product_lines and not one.product_lines & other.product_lines:
        return False
    industries = [
        (one.naics, other.naics, one.sic | other.sic),
        (one.sic, other.sic, one.naics | other.naics),
    ]
    for a, b, others in industries:
        if a and b and not others and not prefixes_meet(a, b):
            return False
    (kind, codes), (other_kind, other_codes) = place(one), place(other)
    if "anywhere" in (kind, other_kind):
        return True
    if kind != other_kind:
        return bool({code[:2] for code in codes} & {code[:2] for code in other_codes})
    if kind == "postal_prefixes":
        return prefixes_meet(codes, other_codes)
    return bool(codes & other_codes)


@given(st.lists(st.lists(TERRITORIES, min_size=1, max_size=3), min_size=2, max_size=5))
def test_buckets_and_plain_comparison_agree(held: list[list[Territory]]) -> None:
    named = {f"p{number}": territories for number, territories in enumerate(held)}
    expected = {
        (a, b)
        for a, b in combinations(sorted(named), 2)
        if any(meet(one, other) for one in named[a] for other in named[b])
    }
    assert meeting_pairs(cover(p, t) for p, t in named.items()) == expected
