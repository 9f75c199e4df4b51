"""A small plan, and the events that coverage reads, for its tests. Everything has a sensible default."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from dealreg_coverage.compiling import compile_plan
from dealreg_coverage.domain.plan import Plan
from dealreg_shared.contracts import conflict as conflict_contract
from dealreg_shared.contracts import plan as plan_contract
from dealreg_shared.contracts import registration as contract
from dealreg_shared.contracts.base import EventData, Market, Money
from dealreg_shared.contracts.catalogue import event_model
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.contracts.people import AccessKeyUpdated

START = datetime(2026, 1, 1, tzinfo=UTC)
PROGRAMME = "test"

Sections = dict[str, list[dict[str, Any]]]


def sections(**changed: list[dict[str, Any]]) -> Sections:
    """Two regions, two segments, two lines; ada covers West, ben and cy the SMB of West, nobody East."""
    base: Sections = {
        "programme": [{"name": "Test", "time_zone": "UTC", "currency": "USD"}],
        "regions": [
            {"id": "west", "name": "West", "subdivisions": ["US-CA", "US-WA"]},
            {"id": "east", "name": "East", "subdivisions": ["US-NY"], "countries": ["CA"]},
        ],
        "segments": [
            {"id": "smb", "name": "SMB", "employees_to": 100},
            {"id": "ent", "name": "Enterprise", "employees_from": 101},
        ],
        "product_lines": [{"id": "core", "name": "Core"}, {"id": "edge", "name": "Edge"}],
        "tiers": [
            {"id": "gold", "name": "Gold", "rank": 1},
            {"id": "base", "name": "B", "rank": 2},
        ],
        "partners": [
            partner("ada", sites=[site("US-CA", office=True, reps=2)], segments=["smb", "ent"]),
            partner("ben", sites=[site("US-WA", reps=1)]),
            partner("cy", sites=[site("US-NY", reps=1)], certified=["core"]),
        ],
        "territories": [
            {"id": "t-west", "name": "West", "match": {"regions": ["west"]}},
            {"id": "t-smb", "name": "SMB", "match": {"regions": ["west"], "segments": ["smb"]}},
        ],
        "assignments": [
            {"id": "a1", "territory": "t-west", "partner": "ada"},
            {"id": "a2", "territory": "t-smb", "partner": "ben"},
            {"id": "a3", "territory": "t-smb", "partner": "cy", "role": "secondary"},
        ],
        "region_targets": [
            {"region": "west", "minimum_partners": 2, "maximum_partners": 6},
            {"region": "east", "minimum_partners": 1, "maximum_partners": 2},
        ],
        "segment_targets": [
            {"segment": "smb", "partner_share": 60, "deal_size": "25000"},
            {"segment": "ent", "partner_share": 40, "deal_size": "500000"},
        ],
        "market_data": [
            {"region": r, "segment": s, "potential": p}
            for r, s, p in (
                ("west", "smb", "100000"),
                ("west", "ent", "300000"),
                ("east", "smb", "200000"),
                ("east", "ent", "400000"),
            )
        ],
        "policy": [{}],
    }
    return {**base, **changed}


def partner(partner_id: str, **changed: Any) -> dict[str, Any]:
    return {
        "id": partner_id,
        "name": partner_id.title(),
        "tier": "gold",
        "sites": [],
        "segments": ["smb"],
        "certified": ["core", "edge"],
        **changed,
    }


def site(place: str, *, office: bool = False, reps: int = 0) -> dict[str, Any]:
    return {
        "country": place[:2],
        "subdivision": place if len(place) > 2 else None,
        "office": office,
        "reps": reps,
    }


def plan(number: int = 1, /, **changed: list[dict[str, Any]]) -> Plan:
    """The small plan, as coverage reads it."""
    return compile_plan(number, START, f"hash-{number}", sections(**changed))


class Log:
    """Makes events with right key versions; holds them per topic key in the order made."""

    def __init__(self, seed: int = 7) -> None:
        self._random = random.Random(seed)  # noqa: S311  (repeatable, not secret)
        self._versions: dict[str, int] = {}
        self.events: list[Event[Any]] = []

    def _id(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)

    def add(self, kind: str, key: str, data: EventData, at: datetime = START) -> Event[Any]:
        version = self._versions[key] = self._versions.get(key, 0) + 1
        event: Event[Any] = event_model(f"dealreg.{kind}.v1")(
            id=self._id(),
            source="/dealreg/registration",
            type=f"dealreg.{kind}.v1",
            subject=key,
            time=at,
            programme=PROGRAMME,
            partitionkey=key,
            keyversion=version,
            correlationid="cor_test",
            data=data,
        )
        self.events.append(event)
        return event

    def plan(
        self,
        number: int = 1,
        in_force_from: datetime = START,
        parts: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        at: datetime = START,
    ) -> list[Event[Any]]:
        """All parts of a plan, then its manifest."""
        first = len(self.events)
        for index, (name, items) in enumerate((parts or sections()).items(), start=1):
            self.add(
                "plan.part",
                PROGRAMME,
                plan_contract.PlanPart(
                    plan_number=number,
                    part=index,
                    section=name,
                    items=tuple(dict(item) for item in items),
                ),
                at,
            )
        self.add(
            "plan.published",
            PROGRAMME,
            plan_contract.PlanPublished(
                plan_number=number,
                in_force_from=in_force_from,
                published_at=at,
                parts=len(self.events) - first,
                content_hash=f"hash-{number}",
            ),
            at,
        )
        return self.events[first:]

    def status(self, partner_id: str, status: Any, at: datetime) -> Event[Any]:
        kind = "partner.suspended" if status == "suspended" else "partner.reactivated"
        data = plan_contract.PartnerStatusChanged(partner_id=partner_id, status=status, at=at)
        return self.add(kind, PROGRAMME, data, at)

    def filed(
        self,
        partner_id: str = "ada",
        market: tuple[str | None, str | None] = ("west", "smb"),
        *,
        account: str = "acc_1",
        at: datetime = START,
        outcomes: Iterable[Any] = ("protected",),
        plan_number: int = 1,
    ) -> Event[Any]:
        return self.add(
            "registration.filed",
            account,
            contract.RegistrationFiled(
                **_fact(partner_id, market, account, plan_number),
                filed_by="partner",
                country="US",
                subdivision="US-CA",
                deal_type="new",
                amount=Money(amount=Decimal("25000"), currency="USD"),
                amount_base=Decimal("25000"),
                close_date=date(2027, 1, 1),
                owner=contract.Owner(kind="none"),
                claims=tuple(
                    contract.ClaimDecided(
                        claim_id=f"clm_{index}", product_line="core", place=index, outcome=outcome
                    )
                    for index, outcome in enumerate(outcomes, start=1)
                ),
            ),
            at,
        )

    def ended(
        self,
        how: str,
        partner_id: str = "ada",
        market: tuple[str | None, str | None] = ("west", "smb"),
        *,
        account: str = "acc_1",
        at: datetime = START,
        amount: str = "25000",
        claims: int = 1,
        plan_number: int = 1,
    ) -> Event[Any]:
        """``how``: won, lost, withdrawn or revoked."""
        return self.add(
            f"registration.{how}",
            account,
            contract.RegistrationEnded(
                **_fact(partner_id, market, account, plan_number),
                at=at,
                amount_base=Decimal(amount),
                protected=True,
                filed_at=at - timedelta(days=1),
                claims=tuple(_change(index, "protected", how) for index in range(1, claims + 1)),
            ),
            at,
        )

    def corrected(self, former: Event[Any], to: Literal["won", "lost"], at: datetime) -> Event[Any]:
        """A ruling puts another result on record than that of ``former``, won or lost."""
        data = former.data
        fact = {name: getattr(data, name) for name in contract.RegistrationFact.model_fields}
        return self.add(
            "registration.corrected",
            data.account_id,
            contract.RegistrationCorrected(
                **fact,
                at=at,
                amount_base=data.amount_base,
                filed_at=data.filed_at,
                conflict_id="cnf_1",
                from_result="lost" if to == "won" else "won",
                from_result_at=data.at,
                to_result=to,
                protected=True,
            ),
            at,
        )

    def moved(
        self,
        kind: str,
        partner_id: str = "ada",
        market: tuple[str | None, str | None] = ("west", "smb"),
        *,
        account: str = "acc_1",
        at: datetime = START,
    ) -> Event[Any]:
        """``kind``: expired, promoted, closed, superseded, revoked, withdrawn or extended."""
        to_state = "protected" if kind == "promoted" else kind
        return self.add(
            f"claim.{kind}",
            account,
            contract.ClaimChanged(
                **_fact(partner_id, market, account, 1),
                claim=_change(1, "protected", to_state),
                at=at,
                cause="term_over",
            ),
            at,
        )

    def met(
        self,
        market: tuple[str | None, str | None] = ("west", "smb"),
        *,
        account: str = "acc_1",
        at: datetime = START,
        kind: Any = "overlap",
    ) -> Event[Any]:
        return self.add(
            "conflict.opened",
            account,
            conflict_contract.ConflictOpened(
                conflict_id="cnf_1",
                kind=kind,
                account_id=account,
                account_name="Example",
                market=Market(region=market[0], segment=market[1]),
                plan_number=1,
                opened_at=at,
                generation=1,
                deadlines=(),
                claims=(),
            ),
            at,
        )

    def key(
        self, key_id: str, key_hash: str, role: Any, partner_id: str | None = None
    ) -> Event[Any]:
        return self.add(
            "access.key-updated",
            key_id,
            AccessKeyUpdated(
                key_id=key_id,
                key_hash=key_hash,
                role=role,
                partner_id=partner_id,
                person_id=None if role == "partner" else f"person-{role}",
                expires_at=datetime(2099, 1, 1, tzinfo=UTC),
                requests_per_minute=100_000,
            ),
        )


def random_log(seed: int, size: int = 60) -> Log:
    """A plan, then a random history of ten accounts over two years."""
    log, chance = Log(seed), random.Random(seed)  # noqa: S311  (repeatable, not secret)
    log.plan()
    markets = [("west", "smb"), ("west", "ent"), ("east", "smb"), ("west", None), (None, None)]
    for _ in range(size):
        who = chance.choice(("ada", "ben", "cy", "nobody"))
        market: tuple[str | None, str | None] = chance.choice(markets)
        account = f"acc_{chance.randrange(10)}"
        at = START + timedelta(seconds=chance.randrange(730 * 86_400))
        step = chance.randrange(9)
        if step < 3:
            outcome = chance.choice(("protected", "contested", "open", "rejected", "duplicate"))
            log.filed(who, market, account=account, at=at, outcomes=("protected", outcome))
        elif step < 6:
            how = ("won", "lost", "withdrawn")[step - 3]
            amount = str(chance.randrange(1, 9_000_000))
            log.ended(how, who, market, account=account, at=at, amount=amount)
        elif step == 6:
            log.moved(chance.choice(("expired", "superseded")), who, market, account=account, at=at)
        elif step == 7:
            log.met(market, account=account, at=at)
        else:
            log.status(who, chance.choice(("suspended", "active")), at)
    return log


def interleaved(events: Sequence[Event[Any]], seed: int) -> Iterator[Event[Any]]:
    """The same events in another order that keeps the order within each key, some of them twice."""
    chance = random.Random(seed)  # noqa: S311  (repeatable, not secret)
    queues: dict[str, list[Event[Any]]] = {}
    for event in events:
        queues.setdefault(event.partitionkey, []).append(event)
    for queue in queues.values():
        queue.reverse()
    seen: list[Event[Any]] = []
    while queues:
        key = chance.choice(sorted(queues))
        seen.append(queues[key].pop())
        if not queues[key]:
            del queues[key]
        yield seen[-1]
        if chance.random() < 0.2:
            yield chance.choice(seen)


def _fact(
    partner_id: str, market: tuple[str | None, str | None], account: str, plan_number: int
) -> dict[str, Any]:
    return {
        "registration_id": "reg_1",
        "partner_id": partner_id,
        "account_id": account,
        "account_name": "Example",
        "market": Market(region=market[0], segment=market[1]),
        "plan_number": plan_number,
    }


def _change(index: int, before: Any, after: Any) -> contract.ClaimChange:
    return contract.ClaimChange(
        claim_id=f"clm_{index}",
        product_line="core",
        place=index,
        from_state=before,
        to_state=after,
    )
