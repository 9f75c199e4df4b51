"""Events on the two compacted topics, where the latest value of a key wins and none deletes it.

``dealreg.people`` is the only topic that carries a person's data; erasing a person is a tombstone.
``dealreg.access`` carries hashes of API keys, never a key.
"""

from typing import Literal

from dealreg_shared.contracts.base import Contract, EventData, Instant

Role = Literal["partner", "partner_manager", "vp", "ceo", "reviewer", "admin", "auditor"]


class Delegation(Contract):
    """In [start, end) ``delegate_id`` acts for the person, and is told what the person is told."""

    delegate_id: str
    start: Instant
    end: Instant


class PersonUpdated(EventData):
    """Key = person id. Whom to reach, and for which partner or markets."""

    person_id: str
    name: str
    email: str | None
    roles: tuple[str, ...]
    markets: tuple[str, ...] = ()
    partner_id: str | None = None
    delegations: tuple[Delegation, ...] = ()


class AccessKeyUpdated(EventData):
    """Key = key id. ``key_hash`` is the SHA-256 (hexadecimal) of the whole key."""

    key_id: str
    key_hash: str
    role: Role
    partner_id: str | None
    person_id: str | None
    expires_at: Instant
    revoked_at: Instant | None = None
    requests_per_minute: int
