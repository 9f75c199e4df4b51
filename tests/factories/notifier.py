"""Events as the other services would send them to notifier, and their side of the bus."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from dealreg_shared.auth import keys
from dealreg_shared.bus.headers import event_headers, tombstone_headers
from dealreg_shared.bus.port import Bus, Message
from dealreg_shared.contracts.base import EventData, Market, Money
from dealreg_shared.contracts.catalogue import ACCESS, CATALOGUE, PEOPLE, encode, event_model
from dealreg_shared.contracts.conflict import (
    ConflictClaim,
    ConflictClosed,
    ConflictJoined,
    ConflictOpened,
    Deadline,
)
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.contracts.people import AccessKeyUpdated, Delegation, PersonUpdated, Role
from dealreg_shared.contracts.plan import PlanPart, PlanPublished
from dealreg_shared.contracts.referral import (
    ReferralAccepted,
    ReferralConsented,
    ReferralEnded,
    ReferralFact,
    ReferralLine,
    ReferralOffered,
    ReferralReturned,
)
from dealreg_shared.contracts.registration import (
    ClaimChange,
    ClaimChanged,
    ClaimDecided,
    ClaimNoted,
    ClaimState,
    Owner,
    ReferralTarget,
    RegistrationEnded,
    RegistrationFiled,
)
from dealreg_shared.ids import new_event_id

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FOUR_HOURS, DAY = timedelta(hours=4), timedelta(hours=24)
MARKET = Market(region="na-west", segment="smb")
MANAGER, VP, CEO = "mia", "vic", "cleo"
SECRET_ACCOUNT = "Rival spelling Ltd"


def plan_sections(**changed: Any) -> dict[str, list[dict[str, Any]]]:
    """A small plan: two partners, one product line, New York time."""
    sections: dict[str, list[dict[str, Any]]] = {
        "programme": [
            {"name": "Northwind Programme", "time_zone": "America/New_York", "currency": "USD"}
        ],
        "regions": [{"id": "na-west", "name": "North America West"}],
        "segments": [
            {"id": "smb", "name": "Small business"},
            {"id": "ent", "name": "Enterprise"},
        ],
        "product_lines": [
            {"id": "platform", "name": "Platform"},
            {"id": "backup", "name": "Backup"},
        ],
        "tiers": [{"id": "gold", "name": "Gold", "rank": 1}],
        "partners": [
            {"id": "acme", "name": "Acme Corp", "tier": "gold", "segments": []},
            {"id": "rival", "name": "Rival Inc", "tier": "gold", "segments": []},
            {"id": "third", "name": "Third Ltd", "tier": "gold", "segments": []},
        ],
        "territories": [{"id": "t-west", "name": "West", "match": {"countries": ["US"]}}],
        "assignments": [
            {"id": "a1", "territory": "t-west", "partner": "acme", "role": "primary"},
        ],
        "policy": [{"protection_days": 90}],
    }
    return {**sections, **changed}


def filed(
    registration_id: str,
    partner_id: str,
    *claims: ClaimDecided,
    account_name: str = "Contoso Ltd",
    **changes: Any,
) -> RegistrationFiled:
    values: dict[str, Any] = {
        "registration_id": registration_id,
        "partner_id": partner_id,
        "account_id": "acc_1",
        "account_name": account_name,
        "market": MARKET,
        "plan_number": 1,
        "filed_by": "partner",
        "country": "US",
        "subdivision": None,
        "deal_type": "new",
        "amount": Money(amount=Decimal("25000.00"), currency="USD"),
        "amount_base": Decimal("25000.00"),
        "close_date": date(2026, 6, 30),
        "owner": Owner(kind="partner", partner_id="acme"),
        "claims": claims or (decided(f"clm_{registration_id}"),),
    }
    return RegistrationFiled(**(values | changes))


def decided(claim_id: str, outcome: ClaimState = "protected", **changes: Any) -> ClaimDecided:
    values: dict[str, Any] = {
        "claim_id": claim_id,
        "product_line": "platform",
        "place": 1,
        "outcome": outcome,
        "reasons": ("Your territory West covers this account.",),
        "protected_from": START if outcome == "protected" else None,
        "protected_until": START + timedelta(days=90) if outcome == "protected" else None,
    }
    return ClaimDecided(**(values | changes))


def referred(step: str, *product_lines: str) -> ReferralFact:
    """Rival's referral to the partner ``third``; returned, the claim is rival's again."""
    at = {"offered": "offered_at", "accepted": "accepted_at", "consented": "consented_at"}
    at |= {"ended": "ended_at", "declined": "returned_at", "lapsed": "returned_at"}
    further: dict[str, Any] = {at[step]: START}
    model: type[ReferralFact] = ReferralReturned
    if step == "offered":
        model, further["due_at"] = ReferralOffered, START + timedelta(days=2)
    elif step == "accepted":
        model, further["taken_registration_id"] = ReferralAccepted, "reg_taken"
    elif step == "consented":
        model = ReferralConsented
    elif step == "ended":
        model = ReferralEnded
    else:
        further["claims"] = tuple(
            decided(f"clm_{line}", product_line=line) for line in product_lines
        )
    return model(
        registration_id="reg_b",
        partner_id="rival",
        account_id="acc_1",
        account_name="Contoso Ltd",
        market=MARKET,
        plan_number=1,
        target=ReferralTarget(kind="partner", id="third"),
        lines=tuple(
            ReferralLine(referral_id=f"ref_{line}", claim_id=f"clm_{line}", product_line=line)
            for line in product_lines
        ),
        **further,
    )


def ended(registration_id: str, partner_id: str, **changes: Any) -> RegistrationEnded:
    values: dict[str, Any] = {
        "registration_id": registration_id,
        "partner_id": partner_id,
        "account_id": "acc_1",
        "account_name": "Contoso Ltd",
        "market": MARKET,
        "plan_number": 1,
        "at": START,
        "amount_base": Decimal("25000.00"),
        "protected": True,
        "filed_at": START,
        "claims": (
            ClaimChange(
                claim_id=f"clm_{registration_id}",
                product_line="platform",
                place=1,
                from_state="protected",
                to_state="won",
            ),
        ),
    }
    return RegistrationEnded(**(values | changes))


def changed(
    registration_id: str, partner_id: str, to_state: ClaimState, **changes: Any
) -> ClaimChanged:
    values: dict[str, Any] = {
        "registration_id": registration_id,
        "partner_id": partner_id,
        "account_id": "acc_1",
        "account_name": "Contoso Ltd",
        "market": MARKET,
        "plan_number": 1,
        "claim": ClaimChange(
            claim_id=f"clm_{registration_id}",
            product_line="platform",
            place=1,
            from_state="protected",
            to_state=to_state,
        ),
        "at": START,
        "cause": "term_over",
    }
    return ClaimChanged(**(values | changes))


def noted(registration_id: str, partner_id: str, **changes: Any) -> ClaimNoted:
    values: dict[str, Any] = {
        "registration_id": registration_id,
        "partner_id": partner_id,
        "account_id": "acc_1",
        "account_name": "Contoso Ltd",
        "market": MARKET,
        "plan_number": 1,
        "claim_id": f"clm_{registration_id}",
        "product_line": "platform",
        "state": "protected",
        "at": START,
        "until": START + timedelta(days=7),
        "manager_id": MANAGER,
    }
    return ClaimNoted(**(values | changes))


def conflict_claim(
    registration_id: str, partner_id: str, place: int, state: ClaimState = "contested"
) -> ConflictClaim:
    return ConflictClaim(
        claim_id=f"clm_{registration_id}",
        registration_id=registration_id,
        partner_id=partner_id,
        product_line="platform",
        place=place,
        state="protected" if place == 1 else state,
    )


def opened(
    conflict_id: str = "cnf_1",
    at: datetime = START,
    people: Sequence[str | None] = (MANAGER, VP, CEO),
    dues: Sequence[timedelta] = (FOUR_HOURS, DAY),
    **changes: Any,
) -> ConflictOpened:
    roles: tuple[Any, ...] = ("partner_manager", "vp", "ceo")
    values: dict[str, Any] = {
        "conflict_id": conflict_id,
        "kind": "overlap",
        "account_id": "acc_1",
        "account_name": SECRET_ACCOUNT,
        "market": MARKET,
        "plan_number": 1,
        "opened_at": at,
        "generation": 1,
        "deadlines": tuple(
            Deadline(
                level=level,
                role=roles[level - 1],
                person_id=people[level - 1],
                due_at=at + dues[level - 1] if level < 3 else None,
            )
            for level in (1, 2, 3)
        ),
        "claims": (conflict_claim("reg_a", "acme", 1), conflict_claim("reg_b", "rival", 2)),
    }
    return ConflictOpened(**(values | changes))


def closed(
    conflict_id: str = "cnf_1", at: datetime = START, level: int = 1, **changes: Any
) -> ConflictClosed:
    values: dict[str, Any] = {
        "conflict_id": conflict_id,
        "account_id": "acc_1",
        "kind": "overlap",
        "state": "withdrawn",
        "closed_at": at,
        "level": level,
    }
    return ConflictClosed(**(values | changes))


def person(
    person_id: str,
    *roles: str,
    partner_id: str | None = None,
    delegations: Sequence[Delegation] = (),
) -> PersonUpdated:
    return PersonUpdated(
        person_id=person_id,
        name=f"{person_id.title()} Example",
        email=f"{person_id}@example.com",
        roles=roles,
        partner_id=partner_id,
        delegations=tuple(delegations),
    )


def joined(
    *claims: ConflictClaim, conflict_id: str = "cnf_1", at: datetime = START
) -> ConflictJoined:
    return ConflictJoined(conflict_id=conflict_id, account_id="acc_1", claims=claims, joined_at=at)


class Events:
    """The events of the other services: counts each key's versions as their outboxes do."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._versions: dict[tuple[str, str], int] = {}

    def event(self, name: str, data: EventData, key: str = "acc_1") -> Event[Any]:
        """The next event of ``key``; ``name`` is such as ``conflict.opened``."""
        type_ = f"dealreg.{name}.v1"
        topic = CATALOGUE[type_].topic
        version = self._versions.get((topic, key), 0) + 1
        self._versions[topic, key] = version
        event: Event[Any] = event_model(type_)(
            id=new_event_id(),
            source="/dealreg/test",
            type=type_,
            subject=key,
            time=self._now(),
            programme="default",
            partitionkey=key,
            keyversion=version,
            correlationid=f"cor-{name}-{version}",
            data=data,
        )
        return event


class Publisher(Events):
    """The other services' side of the bus."""

    def __init__(self, bus: Bus, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self._bus = bus

    async def say(self, name: str, data: EventData, key: str = "acc_1") -> Event[Any]:
        event = self.event(name, data, key)
        await self.send(event)
        return event

    async def send(self, event: Event[Any]) -> None:
        """Publish an event that was made before."""
        topic = CATALOGUE[event.type].topic
        headers = event_headers(event.keyversion)
        await self._bus.publish([Message(topic, event.partitionkey, encode(event), headers)])

    async def plan(self, number: int = 1, **changed: Any) -> None:
        parts = list(plan_sections(**changed).items())
        for part, (section, items) in enumerate(parts, start=1):
            data = PlanPart(plan_number=number, part=part, section=section, items=tuple(items))
            await self.say("plan.part", data, "default")
        manifest = PlanPublished(
            plan_number=number,
            in_force_from=self._now(),
            published_at=self._now(),
            parts=len(parts),
            content_hash="0" * 64,
        )
        await self.say("plan.published", manifest, "default")

    async def people(self) -> None:
        for someone in (
            person(MANAGER, "partner_manager"),
            person(VP, "vp"),
            person(CEO, "ceo"),
            person("anna", "partner_contact", partner_id="acme"),
            person("rob", "partner_contact", partner_id="rival"),
        ):
            await self.say("person.updated", someone, someone.person_id)

    async def erase(self, person_id: str) -> None:
        version = self._versions.get((PEOPLE, person_id), 0) + 1
        self._versions[PEOPLE, person_id] = version
        await self._bus.publish([Message(PEOPLE, person_id, None, tombstone_headers(version))])

    async def forget_keys(self) -> None:
        """Tombstones for every key that was made here."""
        for topic, key_id in [use for use in self._versions if use[0] == ACCESS]:
            await self._bus.publish([Message(topic, key_id, None, tombstone_headers(2))])

    async def key(
        self, role: Role, *, partner_id: str | None = None, person_id: str | None = None
    ) -> dict[str, str]:
        """The request headers of a new API key."""
        new = keys.new_key()
        data = AccessKeyUpdated(
            key_id=new.key_id,
            key_hash=new.key_hash,
            role=role,
            partner_id=partner_id,
            person_id=person_id,
            expires_at=datetime.now(UTC) + timedelta(days=1),
            requests_per_minute=10_000,
        )
        event = self.event("access.key-updated", data, new.key_id)
        await self._bus.publish([Message(ACCESS, new.key_id, encode(event), event_headers(1))])
        return {"authorization": f"Bearer {new.secret}"}
