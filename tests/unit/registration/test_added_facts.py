"""A fact becomes known: open and referred claims are decided again, each filer hears of its own."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from dealreg_registration.domain.account import Acted, ClaimMoved
from dealreg_registration.domain.amending import amend
from dealreg_registration.domain.errors import BelowMinimumAmount, CloseDatePast
from dealreg_registration.domain.facts import Band, Facts
from dealreg_registration.domain.plan import Policy
from tests.factories.registration import START, World, plan, territory

SMALL = Facts(employees=Band(50, 50))
FOR_SMALL = plan(territory("small", "reseller", "distributor", countries=["US"], segments=["smb"]))


def test_a_reseller_and_its_distributor_become_one_claim_when_a_fact_protects_them() -> None:
    world = World(FOR_SMALL)
    first = world.file("reseller", distributor_id="distributor")
    second = world.file("distributor", reseller_id="reseller")
    assert (world.state(first), world.state(second)) == ("open", "open")

    amend(world.account, first, world.context, world.new_id, facts=SMALL)

    assert (world.state(first), world.state(second)) == ("protected", "duplicate")
    [held] = world.account.of_registration(first.id)
    [joint] = world.account.of_registration(second.id)
    assert (joint.duplicate_of, joint.ended_at) == (held.id, world.now)
    assert not world.account.cases


def test_two_partners_that_do_not_name_each_other_meet_when_a_fact_is_added() -> None:
    world = World(FOR_SMALL)
    first, second = world.file("reseller"), world.file("distributor")

    amend(world.account, first, world.context, world.new_id, facts=SMALL)

    assert (world.state(first), world.state(second)) == ("protected", "contested")


def test_a_contested_step_names_its_case() -> None:
    """Whether the claim was filed against a holder or was decided again."""
    world = World(FOR_SMALL)
    first = world.file("reseller")
    world.file("distributor")
    amend(world.account, first, world.context, world.new_id, facts=SMALL)
    world.file("distributor", "backup")
    world.file("reseller", "backup")

    contested = [
        entry.after
        for entry in world.account.journal
        if isinstance(entry, ClaimMoved) and entry.after.state == "contested"
    ]
    assert len(contested) == 2
    assert {claim.case_id for claim in contested} == {c.id for c in world.account.cases.values()}


def test_a_changed_market_is_told_even_if_no_claim_changes() -> None:
    """The protected one's too: coverage counts deals by market."""
    world = World(plan(territory("all", "reseller", "distributor", countries=["US"])))
    held, waiting = world.file("reseller"), world.file("distributor", "platform", "backup")
    start = len(world.account.journal)

    amend(world.account, waiting, world.context, world.new_id, facts=SMALL)

    acts = [entry for entry in world.account.journal[start:] if isinstance(entry, Acted)]
    assert [(act.registration_id, act.changed) for act in acts] == [
        (waiting.id, ("employees",)),
        (held.id, ("account_facts",)),
    ]
    assert acts[1].owner.partner_id == "reseller"
    assert world.current(held).market_segment == "smb"


MINIMUM = plan(
    territory("all", "a", countries=["US"]),
    policy=Policy(minimum_amount=Decimal(20_000)),
    rates={"EUR": Decimal("1.1")},
)


def test_an_edit_keeps_to_the_minimum_amount_and_to_the_future() -> None:
    world = World(MINIMUM)
    first = world.file("a")
    with pytest.raises(BelowMinimumAmount, match="at least 20000 USD"):
        amend(world.account, first, world.context, world.new_id, amount=(Decimal(18_181), "EUR"))
    with pytest.raises(CloseDatePast):
        amend(world.account, first, world.context, world.new_id, close_date=date(2026, 3, 1))
    assert world.current(first) == first
    today = amend(
        world.account,
        first,
        world.context,
        world.new_id,
        amount=(Decimal(18_182), "EUR"),
        close_date=date(2026, 3, 2),
    )
    assert (today.amount_base, today.close_date) == (Decimal("20000.20"), date(2026, 3, 2))


def test_what_an_edit_repeats_is_no_fault_of_its() -> None:
    world = World(
        plan(territory("all", "a", countries=["US"])),
        replace(MINIMUM, number=2, in_force_from=START + timedelta(days=1)),
    )
    first = world.file("a", amount=Decimal(5), amount_base=Decimal(5), close_date=date(2026, 3, 2))
    world.after(days=2).settle()
    same = amend(
        world.account,
        world.current(first),
        world.context,
        world.new_id,
        amount=(Decimal("5.00"), "USD"),
        close_date=date(2026, 3, 2),
    )
    assert (same.amount, same.version) == (Decimal(5), 2)
