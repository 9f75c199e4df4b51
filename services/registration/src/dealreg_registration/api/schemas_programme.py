"""Bodies of the programme's API, and how plans, partners, territories, people and keys are shown."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from dealreg_registration.domain.plan_diff import ItemChange
from dealreg_registration.domain.plan_fault import Fault
from dealreg_registration.domain.territory import Territory
from dealreg_registration.handlers.manage_keys import DEFAULT_LIMIT, KeyRequest
from dealreg_registration.plan_validation import PlanReport
from dealreg_registration.plans import ShelvedPlan
from dealreg_registration.programme_store import StandingRow
from dealreg_shared.contracts.base import Instant, format_instant
from dealreg_shared.contracts.people import AccessKeyUpdated, Role
from dealreg_shared.web.bodies import StrictBody
from dealreg_shared.web.problems import Problem

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]

SECTION_NAMES = (
    "regions",
    "segments",
    "product_lines",
    "tiers",
    "partners",
    "territories",
    "assignments",
    "named_accounts",
    "people",
)


class SuspendBody(StrictBody):
    """Why. It is told to the partner and kept in the audit: name no person."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]


class KeyBody(StrictBody):
    """For whom a key is made: a partner, or staff with a role."""

    role: Role
    partner_id: Annotated[Id | None, Field(description="Required for role partner only")] = None
    person_id: Annotated[
        Id | None, Field(description="Required for partner_manager, vp and ceo")
    ] = None
    expires_at: Annotated[Instant | None, Field(description="Default: in 365 days")] = None
    requests_per_minute: Annotated[int, Field(ge=1, le=100_000)] = DEFAULT_LIMIT

    def request(self) -> KeyRequest:
        return KeyRequest(
            self.role, self.partner_id, self.person_id, self.expires_at, self.requests_per_minute
        )


def when(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)


def fault_view(fault: Fault) -> dict[str, Any]:
    return {
        "path": fault.path,
        "code": fault.code,
        "sentence": fault.sentence,
        "allowed": fault.allowed,
    }


def report_view(report: PlanReport) -> dict[str, Any]:
    """What validation found."""
    counts: dict[str, int] = {}
    if report.document is not None:
        counts = {name: len(getattr(report.document, name)) for name in SECTION_NAMES}
    return {
        "publishable": report.publishable,
        "faults": [fault_view(fault) for fault in report.faults],
        "warnings": [fault_view(fault) for fault in report.warnings],
        "items": counts,
    }


def faulty_plan(faults: Sequence[Fault]) -> Problem:
    """422 for a plan that cannot be published."""
    number = f"{len(faults)} faults" if len(faults) != 1 else "one fault"
    return Problem(
        422,
        "plan-has-faults",
        "The plan cannot be published",
        f"The plan has {number}; nothing was stored. Each entry of `errors` names a place in the "
        "document, the rule, and what is allowed. `POST /v1/plans/validate` lists warnings too.",
        [
            {
                "field": fault.path,
                "rule": fault.sentence,
                "code": fault.code,
                **({"allowed": fault.allowed} if fault.allowed else {}),
            }
            for fault in faults
        ],
    )


def plan_view(row: Any, in_force: int | None) -> dict[str, Any]:
    """A published plan (a row, or ``Published``) without its document."""
    return {
        "number": row.number,
        "in_force_from": when(row.in_force_from),
        "published_at": when(row.published_at),
        "published_by": row.published_by,
        "content_hash": row.content_hash,
        "in_force": row.number == in_force,
    }


def diff_view(changes: Iterable[ItemChange], limit: int) -> dict[str, Any]:
    """Changes with their sentences, at most ``limit``, and how many there are by section and kind."""
    shown: list[dict[str, Any]] = []
    counts: dict[str, dict[str, int]] = {}
    for change in changes:
        section = counts.setdefault(change.section, {"added": 0, "removed": 0, "changed": 0})
        section[change.change] += 1
        if len(shown) < limit:
            shown.append(
                {
                    "section": change.section,
                    "id": change.id,
                    "change": change.change,
                    "sentence": change.sentence,
                    "fields": [
                        {"field": field.field, "before": field.before, "after": field.after}
                        for field in change.fields
                    ],
                }
            )
    total = sum(sum(kinds.values()) for kinds in counts.values())
    return {"total": total, "counts": counts, "changes": shown, "complete": total == len(shown)}


def partner_view(partner: Mapping[str, Any], standing: StandingRow) -> dict[str, Any]:
    """A partner of the plan in force, with its standing."""
    return {
        "id": partner["id"],
        "name": partner["name"],
        "kind": partner["kind"],
        "tier": partner["tier"],
        "sites": partner.get("sites", []),
        "segments": partner.get("segments", []),
        "certified": partner.get("certified", []),
        "capacity": partner.get("capacity"),
        "priority_markets": partner.get("priority_markets", []),
        "status": standing.status,
        "since": when(standing.since),
        "release_at": when(standing.release_at),
        "reason": standing.reason,
        "version": standing.version,
    }


def territory_view(
    shelved: ShelvedPlan, territory: Mapping[str, Any], partner_id: str | None
) -> dict[str, Any]:
    """A territory with its assignments; for a partner (``partner_id``) with its own only."""
    assignments = shelved.assignments.get(territory["id"], ())
    return {
        "id": territory["id"],
        "name": territory["name"],
        "kind": kind_of(territory),
        "match": territory.get("match", {}),
        "overlay": territory["overlay"],
        "minimum_tier": territory.get("minimum_tier"),
        "assignments": [
            item for item in assignments if partner_id is None or item.get("partner") == partner_id
        ],
        "plan_number": shelved.number,
    }


def kind_of(territory: Mapping[str, Any]) -> str:
    """geographic, segment, vertical, product, account or hybrid, by the dimensions used."""
    matched: dict[str, Any] = {
        name: tuple(values) for name, values in territory.get("match", {}).items()
    }
    return Territory(territory["id"], territory["name"], **matched).kind


def person_view(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "email": row.email,
        "roles": row.roles,
        "manages": row.manages,
        "partner_id": row.partner_id,
        "erased_at": when(row.erased_at),
    }


def key_view(access: AccessKeyUpdated) -> dict[str, Any]:
    """A key without its secret and without its hash."""
    return {
        "id": access.key_id,
        "role": access.role,
        "partner_id": access.partner_id,
        "person_id": access.person_id,
        "expires_at": when(access.expires_at),
        "revoked_at": when(access.revoked_at),
        "requests_per_minute": access.requests_per_minute,
    }
