"""Merging accounts in memory: order, protections and places, over random histories of both."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealreg_registration.domain.account import Account, Claim
from dealreg_registration.domain.entries import Decided
from dealreg_registration.domain.facts import Facts
from dealreg_registration.domain.merging import merge_accounts
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
        assert all(account.claims[claim.id].live for claim in held), "nothing is revoked"
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
