"""A fact becomes known: open and referred claims are decided again, each filer hears of its own."""

from dealreg_registration.domain.account import ClaimMoved
from dealreg_registration.domain.amending import amend
from dealreg_registration.domain.facts import Band, Facts
from tests.factories.registration import World, plan, territory

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
