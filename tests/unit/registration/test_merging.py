"""Merging accounts in memory: order, protections and places, over random histories of both."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealreg_registration.domain.account import ACTIVE, Account, Claim
from dealreg_registration.domain.case import CaseMoved
from dealreg_registration.domain.ending import report_result
from dealreg_registration.domain.entries import AccountEdited, Decided
from dealreg_registration.domain.facts import Facts
from dealreg_registration.domain.merging import merge_accounts
from dealreg_registration.domain.plan import NamedAccount
from dealreg_registration.domain.replay import replay
from dealreg_registration.domain.settle import settle
from tests.factories.registration import World, plan, territory

FILINGS = st.lists(
    st.tuples(st.sampled_from(["one", "two"]), st.sampled_from("abcx"), st.integers(1, 900)),
    max_size=9,
)


def worlds() -> tuple[World, World]:
    """Two accounts under one plan, with one count of ids; ``x`` covers nothing."""
    the_plan = plan(
        territory("us", "a", "b", "c", countries=["US"]), territory("de", "x", countries=["DE"])
    )
    one, two = World(the_plan), World(the_plan, keys=("domain:other.com",))
    two.account = Account(
        "acc_2", "Other", Facts(country="US"), {}, frozenset(["domain:other.com"])
    )
    two.new_id = one.new_id
    two._filed = one._filed
    return one, two


def filed(story: list[tuple[str, str, int]]) -> tuple[World, World, list[str]]:
    """Both worlds after the story, and the claims in the order in which they were filed."""
    one, two = worlds()
    order: list[str] = []
    for which, who, hours in story:
        one.after(hours=hours)
        two.at(one.now)
        world = one if which == "one" else two
        registration = world.file(who, "platform")
        order += [claim.id for claim in world.account.of_registration(registration.id)]
    one.settle()
    two.settle()
    return one, two, order


@settings(max_examples=100)
@given(FILINGS, st.lists(st.tuples(st.sampled_from("abcx"), st.integers(1, 900)), max_size=4))
def test_nothing_is_lost_renumbered_or_revoked_and_the_order_is_true(
    story: list[tuple[str, str, int]], later: list[tuple[str, int]]
) -> None:
    one, two, order = filed(story)
    before: dict[str, Claim] = one.account.claims | two.account.claims
    held = [claim for claim in before.values() if claim.holds]
    merge_accounts(one.account, two.account, one.context, one.new_id)
    account = one.account
    assert two.account.claims == {}
    assert {id_: claim.place for id_, claim in account.claims.items()} == {
        id_: claim.place for id_, claim in before.items()
    }
    assert sorted(account.claims.values(), key=lambda claim: claim.turn) == [
        account.claims[id_] for id_ in order
    ]
    holder = account.holder("platform")
    assert sum(claim.holds for claim in account.claims.values()) == min(len(held), 1)
    if held:
        assert holder is not None
        assert holder.protected_from == min(
            claim.protected_from for claim in held if claim.protected_from
        )
    for partner_id in {claim.partner_id for claim in before.values()}:
        mine = [claim for claim in before.values() if claim.partner_id == partner_id]
        active = [c for c in account.active() if c.partner_id == partner_id]
        assert len(active) == any(c.state in ACTIVE for c in mine), "one claim goes on for all"
        if active and not active[0].holds:
            live = [c for c in mine if c.live] or [c for c in mine if c.state in ACTIVE]
            assert active[0].id == min(live, key=lambda c: order.index(c.id)).id, (
                "in its first place"
            )
        if active and active[0].holds:
            assert active[0].protected_until == max(
                c.protected_until for c in mine if c.holds and c.protected_until
            ), "a protection runs as long as it ran on either account"
    for case in account.cases.values():
        if case.kind == "overlap" and case.pending:
            assert len({account.claims[id_].partner_id for id_ in case.claim_ids}) > 1
    for who, hours in later:
        registration = one.after(hours=hours).file(who, "platform")
        order += [claim.id for claim in account.of_registration(registration.id)]
    one.after(days=400).settle()
    assert [c.id for c in sorted(account.claims.values(), key=lambda claim: claim.turn)] == order
    for numbering in (None, "acc_2"):
        places = sorted(c.place for c in account.claims.values() if c.numbered_by == numbering)
        assert places == list(range(1, len(places) + 1))
    for entry in account.journal:
        if isinstance(entry, Decided):
            in_force = one.book.at(entry.at)
            assert in_force is not None
            assert replay(entry.inputs, in_force) == entry.result


def test_the_oldest_of_both_is_promoted_when_the_holder_ends() -> None:
    one, two = worlds()
    one.file("a")
    two.at(one.after(hours=1).now).file("b")
    waiting = one.after(hours=1).file("c")
    two.at(one.now)
    merge_accounts(one.account, two.account, one.context, one.new_id)
    settle(one.account, one.book, one.standing, one.now + timedelta(days=91))
    holder = one.account.holder("platform")
    assert holder is not None
    assert holder.partner_id == "b", "it was filed before c, though its place is 1 as a's is"
    assert one.account.of_registration(waiting.id)[0].state == "contested"


def test_who_held_the_line_on_both_goes_on_with_one_claim_for_both() -> None:
    one, two = worlds()
    first = one.file("a")
    two.at(one.after(days=20).now)
    second = two.file("a")
    [later] = two.account.of_registration(second.id)
    waiting = two.after(hours=1).file("b")
    one.at(two.now)
    merge_accounts(one.account, two.account, one.context, one.new_id)
    [kept] = one.account.of_registration(first.id)
    [ended] = one.account.of_registration(second.id)
    assert (kept.state, kept.protected_until) == ("protected", later.protected_until)
    assert (ended.state, ended.place) == ("superseded", later.place)
    one.after(days=115).settle()
    [holder] = [claim for claim in one.account.claims.values() if claim.holds]
    assert holder.registration_id == waiting.id, "nobody waits behind itself"


def test_who_waited_on_both_waits_in_its_first_place() -> None:
    one, two = worlds()
    one.file("a")
    two.at(one.after(hours=1).now).file("c")
    early = two.after(hours=1).file("b")
    late = one.at(two.now).after(hours=1).file("b")
    merge_accounts(one.account, two.account, one.context, one.new_id)
    assert [one.account.of_registration(r.id)[0].state for r in (early, late)] == [
        "contested",
        "superseded",
    ]


def test_a_reseller_and_its_distributor_have_one_claim_after_a_merge_too() -> None:
    one, two = worlds()
    first = one.file("a", reseller_id="b")
    second = two.at(one.after(hours=1).now).file("b", distributor_id="a")
    one.at(two.now)
    merge_accounts(one.account, two.account, one.context, one.new_id)
    states = [one.account.of_registration(r.id)[0].state for r in (first, second)]
    assert states == ["protected", "superseded"]
    assert one.account.cases == {}


def test_a_line_that_was_offered_on_both_is_offered_once() -> None:
    one, two = worlds()
    for world, holder, waits in ((one, "a", "b"), (two, "b", "c")):
        world.at(max(one.now, two.now) + timedelta(hours=1))
        held = world.file(holder)
        world.file(waits)
        report_result(world.account, held, world.book, world.context, "lost")
    one.at(two.now)
    merge_accounts(one.account, two.account, one.context, one.new_id)
    offered = [claim for claim in one.account.claims.values() if claim.offered]
    assert [claim.partner_id for claim in offered] == ["b"]


def test_all_lines_that_clash_in_a_merge_are_one_case_told_once() -> None:
    one, two = worlds()
    one.file("a", "platform", "backup")
    two.at(one.after(hours=1).now).file("b", "platform", "backup")
    one.at(two.now)
    start = len(one.account.journal)
    merge_accounts(one.account, two.account, one.context, one.new_id)
    [opened] = [entry for entry in one.account.journal[start:] if isinstance(entry, CaseMoved)]
    assert (opened.step, len(opened.case.claim_ids)) == ("opened", 4)


def test_subsidiaries_go_with_their_parent_and_are_decided_again() -> None:
    named = NamedAccount("group", None, "b", include_subsidiaries=True, excluded=False)
    the_plan = plan(territory("named", "b", accounts=["group"]), named={"domain:group.com": named})
    one = World(the_plan, keys=("domain:group.com",))
    two = World(the_plan, keys=("domain:other.com",))
    child = World(the_plan, keys=("domain:child.com",))
    two.account.id = "acc_2"
    child.account.id, child.account.parent_id = "acc_3", "acc_2"
    child.new_id = two.new_id = one.new_id
    registration = child.file("b")
    assert child.state(registration) == "open"
    merge_accounts(one.account, two.account, one.context, one.new_id, children=[child.account])
    assert (child.account.parent_id, child.account.version) == ("acc_1", 2)
    [edited] = [e for e in child.account.journal if isinstance(e, AccountEdited)]
    assert edited.parent_id == "acc_1"
    assert child.state(registration) == "protected", "its parent is a named account now"


def test_the_survivor_takes_the_parent_that_it_lacks_and_is_never_its_own() -> None:
    one, two = worlds()
    two.account.parent_id, two.account.parent_keys = "acc_9", frozenset({"domain:group.com"})
    merge_accounts(one.account, two.account, one.context, one.new_id)
    assert (one.account.parent_id, set(one.account.parent_keys)) == ("acc_9", {"domain:group.com"})
    three, four = worlds()
    three.account.parent_id = "acc_2"
    merge_accounts(three.account, four.account, three.context, three.new_id)
    assert three.account.parent_id is None
    five, six = worlds()
    six.account.parent_id = "acc_1"
    merge_accounts(five.account, six.account, five.context, five.new_id)
    assert five.account.parent_id is None


@pytest.mark.parametrize("again", [False, True])
def test_an_account_that_absorbed_one_can_be_merged_too(again: bool) -> None:
    one, two = worlds()
    first = one.file("a")
    two.at(one.after(hours=1).now).file("b")
    merge_accounts(two.account, one.account, two.context, two.new_id)
    three, _ = worlds()
    three.new_id, three._filed = one.new_id, one._filed
    three.account.id = "acc_3"
    three.at(one.after(hours=1).now).file("c")
    survivor, other = (three, two) if again else (two, three)
    survivor.at(three.now)
    merge_accounts(survivor.account, other.account, survivor.context, one.new_id)
    order = sorted(survivor.account.claims.values(), key=lambda claim: claim.turn)
    assert [claim.partner_id for claim in order] == ["a", "b", "c"]
    assert order[0].registration_id == first.id
    assert order[0].numbered_by == "acc_1"
