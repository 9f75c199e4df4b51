"""Events that registration emits about plans and partners' standing.

Topic ``dealreg.plan``, key = programme id: parts, then the manifest that completes them, then later
changes, all in one order. A plan larger than one message travels in parts of at most 256 KB.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from dealreg_shared.contracts.base import EventData, Instant


class PlanPart(EventData):
    """Some items of one section of a plan document (``contracts.plan_document``).

    People travel as ids, roles and markets only. ``programme`` and ``policy`` are sections of one item.
    """

    plan_number: Annotated[int, Field(ge=1)]
    part: Annotated[int, Field(ge=1)]
    section: str
    items: tuple[dict[str, Any], ...]


class PlanPublished(EventData):
    """The manifest: with it, all parts have been sent.

    ``content_hash`` is the SHA-256 (hexadecimal) of the canonical JSON of the whole document as sent.
    """

    plan_number: Annotated[int, Field(ge=1)]
    in_force_from: Instant
    published_at: Instant
    parts: Annotated[int, Field(ge=1)]
    content_hash: str


class PartnerStatusChanged(EventData):
    """A partner was suspended or reactivated. Suspended partners' protections end at ``release_at``."""

    partner_id: str
    status: Literal["active", "suspended"]
    at: Instant
    release_at: Instant | None = None
    reason: Annotated[str | None, Field(description="In words of staff; must name no person")] = (
        None
    )
