"""What the account writer runs: commands on one account, and what they are given.

Each use case in ``handlers`` is a command. A command must refuse (raise a domain error) before it
changes anything: the account it works on is shared with the other commands of its batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from dealreg_registration.domain.account import Account, Registration
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.facts import Facts, Source
from dealreg_registration.domain.identity import Resolution
from dealreg_registration.domain.merging import Moved
from dealreg_registration.domain.plan import PlanBook
from dealreg_registration.domain.precedents import Precedent
from dealreg_shared.receipts import Seal
from dealreg_shared.web.idempotency import IdempotencyKey as IdempotencyKey


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller is told: an HTTP status and the very bytes, kept for its idempotency key.

    ``version`` is the registration's after the command, for its ETag.
    """

    status: int
    body: bytes
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who commands: an API key of a partner or of staff, or the system itself. Staff have a role, and a
    person if the key is bound to one."""

    id: str
    kind: str
    partner_id: str | None = None
    role: str | None = None
    person_id: str | None = None

    @property
    def staff(self) -> bool:
        return self.kind == "staff"


SYSTEM = Actor("system", "system")


@dataclass(frozen=True, slots=True)
class Target:
    """Which account a command is for: named by its id, by a registration, by a case, or by keys.

    With keys the account is found or made; ``name`` and ``facts`` are then the filer's. ``parent_id`` is
    a further account that the command reads: it is locked with the others. A ``renewal`` is decided by
    who won before. What is done ``by_office`` depends on whom the actor's person may act for.
    """

    account_id: str | None = None
    registration_id: str | None = None
    conflict_id: str | None = None
    keys: Sequence[str] = ()
    name: str = ""
    facts: Facts = field(default_factory=Facts)
    said_by: Source = "partner"
    parent_id: str | None = None
    merged_id: str | None = None
    """The account that is merged into the one named by ``account_id``."""
    whole: bool = False
    """Whether every claim of the account is read, ended ones too."""
    renewal: bool = False
    by_office: bool = False
    rules: bool = False
    """Whether it rules on the case: precedents are read for it."""


@dataclass(slots=True)
class Work:
    """What a command works on.

    ``details`` takes the columns of a new registration that no rule looks at, by its id; ``new_rows``
    further rows by table name, ``replaced_contacts`` the contacts of a registration that replace its
    former ones. All are written in the same transaction. ``created_at`` is the account's, ``reasons``
    the sentences that its claims carry, by claim id, as they were read. ``parent_keys`` are those of the
    account that the command's target names as parent. ``suspected`` are the pairs of accounts about
    which a person is asked already whether they are one.
    """

    account: Account
    context: Context
    book: PlanBook
    actor: Actor
    resolution: Resolution | None
    details: dict[str, Mapping[str, Any]]
    new_rows: dict[str, list[dict[str, Any]]]
    replaced_contacts: dict[str, Sequence[Mapping[str, str | None]]]
    created_at: datetime
    reasons: Mapping[str, Sequence[str]]
    parent_keys: frozenset[str] = frozenset()
    suspected: set[frozenset[str]] = field(default_factory=set)
    also_name: str | None = None
    """The name of the second account that the filing's keys name."""
    other: Account | None = None
    """The account named by the target's ``merged_id``, settled."""
    children: Sequence[Account] = ()
    """Its other subsidiaries, settled."""
    merges: list[tuple[str, str, Moved]] = field(default_factory=list)
    stands_for: frozenset[str] = frozenset()
    """Persons for whom the actor's person may act now; only for commands on a case or by office."""
    seals: Mapping[str, Seal] = field(default_factory=dict)
    """By registration id, the signatures of the receipts that the batch's commands carry."""
    precedents: Mapping[str, Sequence[Precedent]] = field(default_factory=dict)
    """By kind of case, those in force in this transaction; only for rulings."""

    @property
    def persons(self) -> frozenset[str]:
        """Whom the actor may act for now: its own person, and those that it stands in for."""
        own = self.actor.person_id
        return self.stands_for if own is None else self.stands_for | {own}

    def registration(self, registration_id: str) -> Registration:
        return self.account.registrations[registration_id]


class Command(Protocol):
    """One use case on one account. One that makes a registration also carries ``receipt``, the draft of
    what its receipt will say."""

    @property
    def target(self) -> Target: ...

    @property
    def actor(self) -> Actor: ...

    @property
    def idempotency(self) -> IdempotencyKey | None: ...

    @property
    def correlation_id(self) -> str: ...

    def run(self, work: Work) -> Answer:
        """Change the account and answer. Raises a domain error before changing anything."""
