"""The version of the rules names what they decide: who changes a decision changes the version."""

import hashlib
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from dealreg_registration.domain.decide import RULE_BOOK
from dealreg_registration.domain.ending import report_result, withdraw
from dealreg_registration.domain.entries import Decided
from dealreg_registration.domain.facts import Band, Facts
from dealreg_registration.domain.filing import decide_again
from dealreg_registration.domain.plan import NamedAccount, Policy
from dealreg_shared.db.types import canonical_json
from tests.factories.registration import World, partner, plan, territory

DIGESTS = {
    "2026-11.2": "1890a8f0128a057c",
}
"""Of what each version decides in the stories below. A version that was used once is never edited: a
change of the rules takes the next number, and its digest is noted here."""

POLICIES = (
    Policy(),
    Policy(standby="off", overlap_cases="disputed", referral_names_target=False),
    Policy(protect_open=True, cooling_off_days=30, minimum_amount=Decimal(30_000)),
)


def stories(policy: Policy) -> Iterator[World]:
    """Accounts on which every rule decides something."""
    the_plan = plan(
        territory("west", "a", "b", countries=["US"], segments=["smb"]),
        territory("backup", "c", countries=["US"], segments=["smb"], product_lines=["backup"]),
        territory("tagged", "d", tags=["cloud"], overlay=True),
        territory("list", "a", accounts=["named"]),
        partners=[partner("far"), partner("b", protection_days=30)],
        named={"domain:parent.com": NamedAccount("named", None, "a", True, False)},
        rates={"EUR": Decimal("1.1")},
        policy=policy,
    )
    small = Facts(country="US", employees=Band(1, 50))
    for facts, keys in (
        (small, ("domain:customer.com",)),
        (Facts(country="DE"), ("domain:customer.com",)),
        (Facts(country="US", employees=Band(50, 200)), ("domain:parent.com",)),
    ):
        world = World(the_plan, facts=facts, keys=keys)
        world.file("a", "platform", "backup")
        world.file("b", "platform", "backup")
        world.after(hours=1).file("far", "platform", "nothing")
        world.file("a", "platform", currency="XXX")
        world.after(days=1).file("d", "backup", tags=frozenset({"cloud"}))
        world.after(days=1).file("c", "backup", reseller_id="a")
        world.file("unknown")
        world.file("b", deal_type="renewal")
        world.settle()
        for claim in world.account.active()[:1]:
            first = world.account.registrations[claim.registration_id]
            withdraw(world.account, first, world.book, world.context)
        world.after(days=10).settle()
        world.account.facts = small
        decide_again(world.account, world.context, world.new_id, amended=None)
        if (holder := world.account.holder("platform")) is not None:
            registration = world.account.registrations[holder.registration_id]
            report_result(world.account, registration, world.book, world.context, "won")
        world.after(days=100).file("b", "platform", deal_type="renewal")
        world.after(days=100).file("a", "platform", amount_base=Decimal(1))
        world.now += timedelta(days=400)
        world.settle()
        world.file("a", "backup")
        yield world


def decided() -> str:
    digest = hashlib.sha256()
    for policy in POLICIES:
        for world in stories(policy):
            for entry in world.account.journal:
                if isinstance(entry, Decided):
                    result = {k: v for k, v in entry.result.items() if k != "rule_book"}
                    digest.update(canonical_json([entry.kind, result]).encode())
    return digest.hexdigest()[:16]


def test_the_version_of_the_rules_changes_when_they_decide_otherwise() -> None:
    found = decided()
    assert DIGESTS.get(RULE_BOOK) == found, (
        f"What is decided has changed. Give RULE_BOOK its next number and note it here: {found}"
    )


def test_the_stories_meet_every_outcome() -> None:
    outcomes: set[str] = set()
    kinds: set[str] = set()
    for policy in POLICIES:
        for world in stories(policy):
            outcomes |= {m.after.state for m in world.account.moves() if m.before is None}
            kinds |= {e.kind for e in world.account.journal if isinstance(e, Decided)}
    assert outcomes == {"protected", "contested", "referred", "open", "rejected", "duplicate"}
    assert kinds == {"filing", "facts", "promotion", "referral"}


def test_the_version_is_a_month_and_a_number_and_the_newest_of_all() -> None:
    versions = [(*map(int, re.split(r"[-.]", version)),) for version in DIGESTS]
    assert all(re.fullmatch(r"20\d\d-\d\d\.\d+", version) for version in DIGESTS)
    assert versions == sorted(versions)
    assert list(DIGESTS)[-1] == RULE_BOOK
    assert len(set(DIGESTS.values())) == len(DIGESTS)
