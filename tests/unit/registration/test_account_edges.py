"""Edges of an account: its named entry, its place, who owns it, and who is promoted on it."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from dealreg_registration.domain.facts import Band, Facts, Source, first, merge
from dealreg_registration.domain.owner import owner_for
from dealreg_registration.domain.plan import NamedAccount, Policy
from tests.factories.registration import START, World, assignment, partner, plan, territory


def entry(id_: str) -> NamedAccount:
    return NamedAccount(id_, "dana", None, include_subsidiaries=True, excluded=False)


def test_the_strongest_key_names_the_account() -> None:
    by_id, by_domain = entry("by-id"), entry("by-domain")
    the_plan = plan(named={"domain:x.com": by_domain, "id:lei:A": by_id})

    assert the_plan.named({"domain:x.com", "id:lei:A"}, ()) is by_id


def test_a_name_names_no_account_whose_domain_is_another() -> None:
    named = entry("n1")
    the_plan = plan(named={"domain:acme.com": named, "name1:acme inc|US|US-CA": named})
    same_name = "name1:acme inc|US|US-CA"

    assert the_plan.named({same_name}, ()) is named
    assert the_plan.named({same_name, "domain:acme.com", "domain:acme.de"}, ()) is named
    assert the_plan.named({same_name, "domain:other.com"}, ()) is None
    assert the_plan.named((), {same_name, "domain:other.com"}) is None


def test_a_filer_that_means_another_place_adds_nothing_to_the_recorded_one() -> None:
    recorded = Facts(country="US", subdivision="US-CA")
    filed = Facts(country="US", subdivision="US-NY", postal_code="10001", city="New York")

    merged, _, disagreements = merge(recorded, filed, by="partner", sources={})

    assert merged == recorded
    assert [item.fact for item in disagreements] == ["subdivision"]


def test_standby_is_not_promoted_where_direct_alone_covers_by_then() -> None:
    direct = assignment("d", "west", None, direct_id="dana")
    later = plan(
        territory("west", direct, countries=["US"]),
        number=2,
        in_force_from=START + timedelta(days=1),
        partners=[partner("a"), partner("b")],
        policy=Policy(protect_open=True),
    )
    world = World(plan(territory("west", "a", "b", countries=["US"])), later)
    world.file("a")
    second = world.file("b")

    world.after(days=90)

    assert world.state(second) == "contested"


def test_a_referred_claim_does_not_make_its_partner_the_owner() -> None:
    world = World(
        plan(territory("west", "a", countries=["US"]), partners=[partner("b")]),
        plan(
            number=2,
            in_force_from=START + timedelta(days=1),
            partners=[partner("a"), partner("b")],
        ),
    )
    referred = world.file("b")
    assert world.state(referred) == "referred"

    world.after(days=2)

    owner = owner_for(world.account, referred, world.context.plan, world.standing, world.now)
    assert owner.kind == "none"


def test_the_largest_amount_is_converted_to_the_cent() -> None:
    the_plan = plan(rates={"JPY": Decimal("123456789012345678.123")})

    converted = the_plan.convert(Decimal(10**15), "JPY")

    assert converted == Decimal("123456789012345678123000000000000.00")


@given(
    st.builds(
        Facts,
        country=st.sampled_from([None, "US", "DE"]),
        subdivision=st.sampled_from([None, "US-CA"]),
        employees=st.sampled_from([None, Band(50, 50)]),
        naics=st.sampled_from([None, "522110"]),
    ),
    st.sampled_from(["staff", "partner"]),
)
def test_the_first_facts_are_what_merging_into_nothing_gives(filed: Facts, by: Source) -> None:
    merged, sources, disagreements = merge(Facts(), filed, by=by, sources={})

    assert first(filed, by) == (merged, sources)
    assert not disagreements
