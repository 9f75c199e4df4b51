"""The seven rules, one by one, as rules.md section 2 words them."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dealreg_registration.domain.decide import LineDecision, decide
from dealreg_registration.domain.facts import Band, Facts, Location
from dealreg_registration.domain.plan import NamedAccount, Plan, Policy, Standing, StatusPeriod
from tests.factories.registration import (
    START,
    World,
    account,
    assignment,
    context,
    filing,
    partner,
    plan,
    territory,
)

US = Facts(country="US")


def decide_one(the_plan: Plan, partner_id: str, facts: Facts = US, **changes: Any) -> LineDecision:
    standing = changes.pop("standing", None)
    lines = changes.pop("lines", ["platform"])
    decision = decide(
        filing(partner_id, **changes), lines, account(facts), context(the_plan, START, standing)
    )
    return decision.lines[0]


def test_a_partner_in_territory_is_protected_for_ninety_days() -> None:
    line = decide_one(plan(territory("west", "acme", countries=["US"])), "acme")
    assert line.outcome == "protected"
    assert line.protected_from == START
    assert line.protected_until == START + timedelta(days=90)
    assert line.territory_id == "west"


def test_the_tier_sets_the_window() -> None:
    the_plan = plan(
        territory("west", "acme", countries=["US"]),
        partners=[partner("acme", protection_days=120)],
    )
    assert decide_one(the_plan, "acme").protected_until == START + timedelta(days=120)


def test_out_of_territory_is_referred_to_the_primary_and_not_protected() -> None:
    the_plan = plan(
        territory("west", "acme", "second", countries=["US"]), partners=[partner("globalsys")]
    )
    line = decide_one(the_plan, "globalsys")
    assert line.outcome == "referred"
    assert (line.referred_kind, line.referred_id) == ("partner", "acme")
    assert line.protected_until is None
    assert "Acme" in line.reasons[0]


def test_the_target_of_a_referral_may_be_kept_from_the_partner() -> None:
    the_plan = plan(
        territory("west", "acme", countries=["US"]),
        partners=[partner("globalsys")],
        policy=Policy(referral_names_target=False),
    )
    assert "Acme" not in " ".join(s.sentence for s in decide_one(the_plan, "globalsys").trace)


def test_a_secondary_gets_the_referral_when_the_primary_is_suspended() -> None:
    the_plan = plan(
        territory("west", "acme", "second", countries=["US"]), partners=[partner("globalsys")]
    )
    suspended = Standing({"acme": [StatusPeriod(START - timedelta(days=1), suspended=True)]})
    assert decide_one(the_plan, "globalsys", standing=suspended).referred_id == "second"


def test_no_coverage_is_open_to_all() -> None:
    the_plan = plan(territory("west", "acme", countries=["DE"]))
    line = decide_one(the_plan, "acme")
    assert (line.outcome, line.protected_until) == ("open", None)


def test_a_plan_may_protect_open_accounts() -> None:
    the_plan = plan(territory("west", "acme", countries=["DE"]), policy=Policy(protect_open=True))
    assert decide_one(the_plan, "acme").outcome == "protected"


def test_direct_alone_gets_the_referral() -> None:
    direct = assignment("d", "house", None, direct_id="dana")
    the_plan = plan(territory("house", direct, countries=["US"]), partners=[partner("acme")])
    line = decide_one(the_plan, "acme")
    assert (line.outcome, line.referred_kind, line.referred_id) == ("referred", "direct", "dana")


def test_an_overlay_gives_standing_but_is_no_coverage() -> None:
    overlay = territory("services", "specialist", countries=["US"], overlay=True)
    the_plan = plan(overlay, partners=[partner("acme")])
    assert decide_one(the_plan, "specialist").outcome == "protected"
    assert decide_one(the_plan, "acme").outcome == "open"


def test_first_to_register_wins_and_the_second_stands_by() -> None:
    world = World(plan(territory("west", "acme", "techstart", countries=["US"])))
    first = world.file("acme")
    second = world.after(seconds=1).file("techstart")
    assert world.state(first) == "protected"
    assert world.state(second) == "contested"
    [case] = world.account.cases.values()
    assert case.kind == "overlap"
    assert len(case.claim_ids) == 2


def test_a_third_claim_joins_the_case_and_the_clocks_do_not_restart() -> None:
    world = World(plan(territory("west", "a", "b", "c", countries=["US"])))
    world.file("a")
    world.after(seconds=1).file("b")
    [opened] = world.account.cases.values()
    world.after(hours=3).file("c")
    [case] = world.account.cases.values()
    assert len(case.claim_ids) == 3
    assert case.deadlines == opened.deadlines


def test_the_same_partner_again_is_a_duplicate_that_points_at_the_live_claim() -> None:
    world = World(plan(territory("west", "acme", countries=["US"])))
    first = world.file("acme")
    again = world.after(days=1).file("acme")
    [claim] = world.account.of_registration(again.id)
    assert claim.state == "duplicate"
    assert claim.duplicate_of == world.account.of_registration(first.id)[0].id


def test_refiling_an_open_claim_supersedes_it_with_a_new_place() -> None:
    world = World(plan(partners=[partner("acme"), partner("other")]))
    first = world.file("acme")
    world.file("other")
    again = world.file("acme")
    assert world.state(first) == "superseded"
    assert world.state(again) == "open"
    assert [c.place for c in world.account.of_registration(again.id)] == [3]


def test_a_reseller_and_its_distributor_naming_each_other_are_one_claim() -> None:
    world = World(plan(territory("west", "reseller", "distributor", countries=["US"])))
    world.file("reseller", distributor_id="distributor")
    mutual = world.file("distributor", reseller_id="reseller")
    assert world.state(mutual) == "duplicate"


def test_a_reseller_named_by_one_side_only_is_no_joint_claim() -> None:
    world = World(plan(territory("west", "reseller", "distributor", countries=["US"])))
    world.file("reseller")
    assert world.state(world.file("distributor", reseller_id="reseller")) == "contested"


@pytest.mark.parametrize(
    ("code", "changes", "policy"),
    [
        ("close_date_past", {"close_date": date(2026, 3, 1)}, Policy()),
        ("no_exchange_rate", {"currency": "EUR"}, Policy()),
        ("below_minimum_amount", {"amount_base": Decimal(10)}, Policy(minimum_amount=Decimal(11))),
        ("unknown_product_line", {"lines": ["nothing"]}, Policy()),
        ("partner_not_in_plan", {"partner_id": "stranger"}, Policy()),
    ],
)
def test_what_is_not_eligible_is_rejected_with_its_code(
    code: str, changes: dict[str, Any], policy: Policy
) -> None:
    the_plan = plan(territory("west", "acme", countries=["US"]), policy=policy)
    line = decide_one(the_plan, changes.pop("partner_id", "acme"), **changes)
    assert line.outcome == "rejected"
    assert line.codes == (code,)


def test_every_reason_of_a_rejection_is_given() -> None:
    the_plan = plan(territory("west", "acme", countries=["US"]))
    line = decide_one(the_plan, "acme", close_date=date(2020, 1, 1), currency="XXX")
    assert set(line.codes) == {"close_date_past", "no_exchange_rate"}


def test_a_close_date_of_today_has_not_passed() -> None:
    the_plan = plan(territory("west", "acme", countries=["US"]))
    assert decide_one(the_plan, "acme", close_date=START.date()).outcome == "protected"


def test_a_suspended_partner_is_rejected() -> None:
    the_plan = plan(territory("west", "acme", countries=["US"]))
    suspended = Standing({"acme": [StatusPeriod(START, suspended=True)]})
    assert decide_one(the_plan, "acme", standing=suspended).codes == ("partner_suspended",)


def test_an_excluded_account_is_rejected() -> None:
    entry = NamedAccount("n1", None, None, include_subsidiaries=True, excluded=True)
    the_plan = plan(
        territory("west", "acme", countries=["US"]), named={"domain:customer.com": entry}
    )
    assert decide_one(the_plan, "acme").codes == ("account_excluded",)


def test_cooling_off_after_expiry_unless_there_is_new_evidence() -> None:
    the_plan = plan(territory("west", "acme", countries=["US"]), policy=Policy(cooling_off_days=30))
    world = World(the_plan)
    world.file("acme")
    soon = world.after(days=100).file("acme")
    assert world.account.of_registration(soon.id)[0].codes == ("cooling_off",)
    assert world.state(world.file("acme", new_evidence=True)) == "protected"
    late = World(the_plan)
    late.file("acme")
    assert late.state(late.after(days=120).file("acme")) == "protected"


def test_a_sku_counts_as_its_product_line_once() -> None:
    world = World(plan(territory("west", "acme", countries=["US"])))
    registration = world.file("acme", "PLT-1", "platform")
    assert world.states(registration) == {"platform": "protected"}


def test_an_exclusive_assignment_removes_the_standing_of_broader_ones() -> None:
    only = assignment("x", "bavaria", "local", exclusive=True)
    the_plan = plan(
        territory("germany", "national", countries=["DE"]),
        territory("bavaria", only, subdivisions=["DE-BY"]),
    )
    munich = Facts(country="DE", subdivision="DE-BY")
    assert decide_one(the_plan, "local", munich).outcome == "protected"
    referred = decide_one(the_plan, "national", munich)
    assert (referred.outcome, referred.referred_id) == ("referred", "local")
    assert decide_one(the_plan, "national", Facts(country="DE")).outcome == "protected"


def test_the_place_of_use_counts_before_the_accounts_address() -> None:
    the_plan = plan(
        territory("us", "american", countries=["US"]), territory("de", "german", countries=["DE"])
    )
    line = decide_one(the_plan, "german", place_of_use=Location(country="DE"))
    assert line.outcome == "protected"


def test_a_straddling_size_matches_only_territories_that_do_not_ask() -> None:
    the_plan = plan(
        territory("mid", "acme", countries=["US"], segments=["mid"]),
        territory("all", "general", countries=["US"]),
    )
    straddling = Facts(country="US", employees=Band(51, 200))
    line = decide_one(the_plan, "acme", straddling)
    assert line.outcome == "referred"
    coverage = next(step for step in line.trace if step.rule == 3)
    assert "segment" in coverage.facts["unknown"]
    assert "as mid you would be in territory" in coverage.sentence
    known = Facts(country="US", employees=Band(150, 200))
    assert decide_one(the_plan, "acme", known).outcome == "protected"


def test_a_minimum_tier_keeps_lower_partners_out() -> None:
    the_plan = plan(
        territory("gold", "acme", "bronze", countries=["US"], minimum_tier_rank=1),
        partners=[partner("bronze", tier_rank=3)],
    )
    assert decide_one(the_plan, "bronze").outcome == "referred"


def test_an_assignment_counts_only_while_it_is_in_force() -> None:
    past = assignment("a", "west", "acme", valid_to=START.date())
    future = assignment("b", "west", "acme", valid_from=START.date() + timedelta(days=1))
    today = assignment("c", "west", "acme", valid_from=START.date())
    for entry, outcome in ((past, "open"), (future, "open"), (today, "protected")):
        the_plan = plan(territory("west", entry, countries=["US"]))
        assert decide_one(the_plan, "acme").outcome == outcome


def test_every_rule_up_to_the_deciding_one_is_in_the_trace() -> None:
    line = decide_one(plan(territory("west", "acme", countries=["US"])), "acme")
    assert [step.rule for step in line.trace] == [1, 2, 3, 4, 5, 6]
    assert [step.held for step in line.trace] == [False] * 5 + [True]


def test_named_accounts_are_owned_by_direct_and_partner_together() -> None:
    entry = NamedAccount("n1", "dana", "acme", include_subsidiaries=True, excluded=False)
    the_plan = plan(
        territory("west", "acme", countries=["US"]), named={"domain:customer.com": entry}
    )
    decision = decide(filing("acme"), ["platform"], account(), context(the_plan))
    assert (decision.owner.kind, decision.owner.partner_id) == ("co_sell", "acme")
    assert decision.owner.seen_by("acme") == "you"
    assert decision.owner.seen_by("other") == "direct"


def test_a_subsidiary_inherits_named_status_unless_the_plan_says_no() -> None:
    for inherits, kind in ((True, "direct"), (False, "none")):
        entry = NamedAccount("n1", "dana", None, include_subsidiaries=inherits, excluded=False)
        uncertified = partner("acme", certified=frozenset())
        the_plan = plan(named={"domain:parent.com": entry}, partners=[uncertified])
        child = account()
        child.parent_keys = frozenset({"domain:parent.com"})
        decision = decide(filing("acme"), ["platform"], child, context(the_plan))
        assert decision.owner.kind == kind


def test_the_owner_in_a_territory_is_the_primary_of_the_most_specific() -> None:
    the_plan = plan(
        territory("us", "national", countries=["US"]),
        territory("california", "local", subdivisions=["US-CA"]),
    )
    facts = Facts(country="US", subdivision="US-CA")
    decision = decide(filing("national"), ["platform"], account(facts), context(the_plan))
    assert decision.owner.partner_id == "local"


def test_an_open_account_belongs_to_the_earliest_qualified_claim() -> None:
    the_plan = plan(partners=[partner("uncertified", certified=frozenset()), partner("acme")])
    world = World(the_plan)
    world.file("uncertified")
    world.file("acme")
    owner = decide(filing("third"), [], world.account, world.context).owner
    assert owner.partner_id == "acme"
    idle = world.after(days=90)
    assert decide(filing("third"), [], idle.account, idle.context).owner.kind == "none"
