"""What can be refused about plans, standing, people and keys, each with a stable code."""

from dealreg_registration.domain.errors import DomainError


class InForceTooEarly(DomainError):
    """A plan cannot be in force before it is published: what was decided stays decided."""

    code = "in_force_too_early"


class PersonErased(DomainError):
    """The plan names a person who was erased; the id stays taken."""

    code = "person_erased"


class PersonNotFound(DomainError):
    code = "person_not_found"


class KeyNotFound(DomainError):
    code = "key_not_found"


class AlreadySuspended(DomainError):
    code = "already_suspended"


class AlreadyActive(DomainError):
    code = "already_active"


class KeyNotAllowed(DomainError):
    """A key for this role cannot be bound like this."""

    code = "key_not_allowed"


class LastAdminKey(DomainError):
    """Without it nobody could manage the programme any more."""

    code = "last_admin_key"


class BadDelegation(DomainError):
    """Such a delegation cannot be made."""

    code = "bad_delegation"


class DelegationNotFound(DomainError):
    code = "delegation_not_found"
