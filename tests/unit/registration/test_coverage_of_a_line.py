"""What covers one product line follows from what covers any, exclusives and direct sales included."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from dealreg_registration.domain.coverage import covers, covers_line
from dealreg_registration.domain.match import Target
from dealreg_registration.domain.plan import Standing
from tests.factories.registration import START, assignment, plan, territory

LINES = ("platform", "backup")


@st.composite
def covered(draw: st.DrawFn) -> list[tuple[str, bool, frozenset[str], frozenset[str], bool]]:
    return [
        (
            partner,
            draw(st.booleans()),
            draw(st.frozensets(st.sampled_from(LINES))),
            draw(st.frozensets(st.sampled_from(("US-CA", "US-NY")))),
            draw(st.booleans()),
        )
        for partner in draw(
            st.lists(st.sampled_from(("acme", "bolt", "core", "")), unique=True, max_size=4)
        )
    ]


@settings(max_examples=300, deadline=None)
@given(covered(), st.sampled_from(LINES))
def test_a_line_is_covered_as_if_it_had_been_asked_for_alone(
    entries: list[tuple[str, bool, frozenset[str], frozenset[str], bool]], line: str
) -> None:
    the_plan = plan(
        *(
            territory(
                f"t{number}",
                assignment(
                    f"a{number}",
                    f"t{number}",
                    partner or None,
                    direct_id=None if partner else "direct",
                    exclusive=exclusive,
                ),
                product_lines=lines,
                subdivisions=subdivisions,
                overlay=overlay and bool(partner),
            )
            for number, (partner, exclusive, lines, subdivisions, overlay) in enumerate(entries)
        )
    )
    target = Target(country="US", subdivision="US-CA", any_line=True)
    any_line = covers(the_plan, Standing(), target, START)

    alone = covers(the_plan, Standing(), replace(target, product_line=line, any_line=False), START)

    assert covers_line(any_line, the_plan, Standing(), line, START) == alone
