"""Who may do what with registrations, and how a caller becomes an actor."""

from starlette.datastructures import Headers

from dealreg_registration.commands import Actor, IdempotencyKey
from dealreg_registration.handlers.known_partner import may_be_filed_for
from dealreg_registration.programme import Programme
from dealreg_shared.auth import Principal
from dealreg_shared.contracts.people import Role
from dealreg_shared.db import Database
from dealreg_shared.web import idempotency
from dealreg_shared.web.problems import Problem

FILERS: tuple[Role, ...] = ("partner", "partner_manager", "vp", "ceo", "admin")
DECIDERS: tuple[Role, ...] = ("partner_manager", "vp", "ceo", "admin")
CASE_WORKERS: tuple[Role, ...] = (*DECIDERS, "reviewer")
"""The reviewer of the CEO's rulings works on cases and reads; everything else is not a reviewer's."""
STAFF: tuple[Role, ...] = (*CASE_WORKERS, "auditor")
READERS: tuple[Role, ...] = ("partner", *STAFF)


def actor_of(principal: Principal) -> Actor:
    """Staff act in a person's name where the key has one."""
    if principal.is_staff:
        name = f"person:{principal.person_id}" if principal.person_id else f"key:{principal.key_id}"
        return Actor(name, "staff", role=principal.role, person_id=principal.person_id)
    return Actor(f"partner:{principal.partner_id}", "partner", principal.partner_id)


def idempotency_of(
    principal: Principal, headers: Headers, method: str, path: str, raw: bytes, *, required: bool
) -> IdempotencyKey | None:
    """The request's idempotency key in the caller's own scope."""
    key = idempotency.key_from(headers, required=required)
    if key is None:
        return None
    scope = f"partner:{principal.partner_id}" if not principal.is_staff else principal.key_id
    return IdempotencyKey(scope, key, idempotency.request_hash(method, path, raw))


def filing_partner(principal: Principal, named: str | None) -> str:
    """For whom is filed: a partner for itself, staff for the partner that the body names."""
    if principal.is_staff:
        if named is None:
            raise Problem(
                422,
                "invalid-request",
                "The request breaks a rule",
                "Staff file for a partner: name it.",
                [{"field": "/partner_id", "rule": "is required of staff"}],
            )
        return named
    if principal.partner_id is None:
        raise Problem(
            403, "no-partner", "This key files for nobody", "The key is bound to no partner."
        )
    if named is not None and named != principal.partner_id:
        raise Problem(
            403,
            "not-your-partner",
            "Not your partner id",
            "Your key files for your own company only; leave `partner_id` out.",
            [{"field": "/partner_id", "rule": "must be your own or left out"}],
        )
    return principal.partner_id


async def require_known(
    database: Database,
    programme: Programme,
    principal: Principal,
    partner_id: str,
    key: IdempotencyKey | None = None,
) -> None:
    """Staff name partners of the plan in force. A retry under ``key`` gets its answer all the same."""
    if not principal.is_staff:
        return
    if await programme.read(
        database, lambda conn: may_be_filed_for(conn, programme, partner_id, key)
    ):
        return
    raise Problem(
        422,
        "invalid-request",
        "The request breaks a rule",
        "The plan in force has no such partner.",
        [{"field": "/partner_id", "rule": "must be the id of a partner in the plan in force"}],
    )
