"""The caller of a request, as far as its key says."""

from dataclasses import dataclass
from typing import get_args

from dealreg_shared.contracts.people import Role

ROLES: tuple[Role, ...] = get_args(Role)

STAFF_ROLES: frozenset[Role] = frozenset(ROLES) - {"partner"}


@dataclass(frozen=True, slots=True)
class Principal:
    """``partner_id`` is set for partners, ``person_id`` for staff who act in their own name."""

    key_id: str
    role: Role
    partner_id: str | None = None
    person_id: str | None = None

    @property
    def is_staff(self) -> bool:
        """Whether the caller works for the vendor. An auditor does, but may only read."""
        return self.role in STAFF_ROLES
