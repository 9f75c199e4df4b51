"""Plans, accounts and filings for tests of registration: small, readable, overridable."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from dealreg_registration.domain.account import Account, Registration
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.facts import Facts, Location
from dealreg_registration.domain.ladder_terms import LadderTerms
from dealreg_registration.domain.match import TerritoryIndex
from dealreg_registration.domain.plan import (
    Ladder,
    NamedAccount,
    Partner,
    Plan,
    PlanBook,
    Policy,
    Segment,
    Standing,
)
from dealreg_registration.domain.territory import Assignment, Territory

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SEGMENTS = (
    Segment("smb", "SMB", (1, 100), None),
    Segment("mid", "Mid-market", (101, 499), None),
    Segment("enterprise", "Enterprise", (500, None), None),
)


def partner(id_: str, **changes: Any) -> Partner:
    values: dict[str, Any] = {
        "id": id_,
        "name": id_.title(),
        "tier": "gold",
        "tier_rank": 1,
        "protection_days": 90,
        "certified": frozenset({"platform", "backup"}),
        "segments": frozenset({"smb", "mid", "enterprise"}),
    }
    return Partner(**(values | changes))


def territory(id_: str, *partners: str | Assignment, **dimensions: Any) -> Territory:
    """A territory with its partners assigned: the first primary, the others secondary."""
    assignments = tuple(
        entry
        if isinstance(entry, Assignment)
        else assignment(f"{id_}-{entry}", id_, entry, primary=position == 0)
        for position, entry in enumerate(partners)
    )
    sets = ("regions", "countries", "subdivisions", "cities", "segments", "product_lines")
    for name in (*sets, "accounts", "tags"):
        if name in dimensions:
            dimensions[name] = frozenset(dimensions[name])
    return Territory(id=id_, name=id_.title(), assignments=assignments, **dimensions)


def assignment(id_: str, territory_id: str, partner_id: str | None, **changes: Any) -> Assignment:
    values = {
        "id": id_,
        "territory_id": territory_id,
        "partner_id": partner_id,
        "direct_id": None,
        "primary": True,
        "exclusive": False,
    }
    return Assignment(**(values | changes))


def plan(
    *territories: Territory,
    number: int = 1,
    in_force_from: datetime = START - timedelta(days=1),
    partners: Sequence[Partner] = (),
    policy: Policy | None = None,
    named: Mapping[str, NamedAccount] | None = None,
    rates: Mapping[str, Decimal] | None = None,
    regions: Mapping[str, str] | None = None,
    ladder: Ladder | None = None,
    ladder_terms: LadderTerms | None = None,
) -> Plan:
    """A plan of some territories; every partner named in them is in it."""
    named_in = {
        a.partner_id for t in territories for a in t.assignments if a.partner_id is not None
    }
    known = {p.id: p for p in partners}
    return Plan(
        number=number,
        in_force_from=in_force_from,
        currency="USD",
        partners={id_: partner(id_) for id_ in named_in} | known,
        territories=TerritoryIndex(territories),
        line_of={"platform": "platform", "PLT-1": "platform", "backup": "backup"},
        segments=SEGMENTS,
        region_of_country=regions or {"US": "na", "DE": "emea", "FR": "emea"},
        region_of_subdivision={},
        divided_countries=frozenset(),
        named_by_key=named or {},
        rates=rates or {},
        policy=policy or Policy(),
        ladder=ladder or Ladder({}, "manager", "vp", "ceo"),
        ladder_terms=ladder_terms or LadderTerms(),
    )


def account(facts: Facts | None = None, keys: Sequence[str] = ("domain:customer.com",)) -> Account:
    return Account("acc_1", "Customer", facts or Facts(country="US"), {}, frozenset(keys))


def filing(partner_id: str, **changes: Any) -> Registration:
    values: dict[str, Any] = {
        "id": f"reg_{partner_id}",
        "partner_id": partner_id,
        "account_name": "Customer",
        "filed_at": START,
        "amount": Decimal(25_000),
        "currency": "USD",
        "amount_base": Decimal(25_000),
        "close_date": date(2026, 12, 31),
        "deal_type": "new",
        "place_of_use": Location(),
        "tags": frozenset(),
        "reseller_id": None,
        "distributor_id": None,
        "market_region": None,
        "market_segment": None,
        "last_activity_at": START,
    }
    return Registration(**(values | changes))


def context(the_plan: Plan, now: datetime = START, standing: Standing | None = None) -> Context:
    return Context(the_plan, standing or Standing(), now)


class Ids:
    """Counted ids, so that the same story gives the same ids."""

    def __init__(self) -> None:
        self._count = count(1)

    def __call__(self, prefix: str) -> str:
        return f"{prefix}_{next(self._count)}"


class World:
    """One account under some plans, driven as the account writer does it: settle, then the command."""

    def __init__(
        self,
        *plans: Plan,
        facts: Facts | None = None,
        keys: Sequence[str] = ("domain:customer.com",),
        standing: Standing | None = None,
    ) -> None:
        self.book = PlanBook(plans)
        self.account = account(facts, keys)
        self.standing = standing or Standing()
        self.now = START
        self.new_id = Ids()
        self._filed = count(1)

    def at(self, now: datetime) -> "World":
        assert now >= self.now, "time does not run backwards"
        self.now = now
        return self

    def after(self, **elapsed: float) -> "World":
        return self.at(self.now + timedelta(**elapsed))

    @property
    def context(self) -> Context:
        in_force = self.book.at(self.now)
        assert in_force is not None
        return Context(in_force, self.standing, self.now)

    def settle(self) -> None:
        from dealreg_registration.domain.settle import settle

        settle(self.account, self.book, self.standing, self.now)

    def file(self, partner_id: str, *lines: str, **changes: Any) -> Registration:
        """File, after settling. ``new_evidence`` and ``disagreements`` may stand beside the fields."""
        from dealreg_registration.domain import filing as domain_filing

        self.settle()
        evidence = changes.pop("new_evidence", False)
        disagreements = changes.pop("disagreements", ())
        place = changes.get("place_of_use", Location())
        region, segment = self.context.plan.market(place, self.account.facts)
        registration = filing(
            partner_id,
            id=f"reg_{partner_id}_{next(self._filed)}",
            filed_at=self.now,
            last_activity_at=self.now,
            market_region=region,
            market_segment=segment,
            **changes,
        )
        domain_filing.file(
            self.account,
            registration,
            domain_filing.resolve_lines(self.context, lines or ("platform",)),
            self.context,
            self.new_id,
            new_evidence=evidence,
            disagreements=disagreements,
        )
        return registration

    def states(self, registration: Registration) -> dict[str, str]:
        """Product line -> state, as it is now."""
        self.settle()
        return {
            claim.product_line: claim.state
            for claim in self.account.of_registration(registration.id)
        }

    def state(self, registration: Registration) -> str:
        [state] = self.states(registration).values()
        return state

    def current(self, registration: Registration) -> Registration:
        return replace(self.account.registrations[registration.id])
