"""The shape of endpoints over HTTP. A URL that is itself a key (Slack, Teams) is never shown again."""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field

from dealreg_notifier.channels.webhook import NAME as WEBHOOK
from dealreg_notifier.domain.preferences import GROUPS
from dealreg_notifier.tables import Fields
from dealreg_shared.contracts.base import Instant
from dealreg_shared.outbound import UnusableUrl, checked_url
from dealreg_shared.web.bodies import StrictBody
from dealreg_shared.web.problems import invalid

OWNER = r"^(partner:.{1,128}|role:(partner_manager|vp|ceo|admin|auditor)|programme|[^:]{1,128})$"
Kind = Literal["webhook", "slack", "teams"]
Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2000,
        description="Where to post: https, a host on the public internet",
        examples=["https://hooks.example.com/dealreg"],
    ),
]
Description = Annotated[
    str, Field(max_length=200, description="For people, such as a channel's name")
]
Notices = Annotated[
    list[str] | None,
    Field(
        min_length=1,
        max_length=64,
        description="Groups or kinds of notices that go there; null: all",
        examples=[["escalation", "decision"]],
    ),
]


class EndpointBody(StrictBody):
    """An endpoint to be made."""

    kind: Kind
    url: Url
    description: Description = ""
    notices: Notices = None
    private: Annotated[
        bool,
        Field(
            description="Slack and Teams, of a person: nobody else reads there, so messages may carry "
            "the links with which this person decides a case"
        ),
    ] = False
    owner: Annotated[
        str | None,
        Field(
            pattern=OWNER,
            description="Whose notices: without it your own. Staff: also `programme` (all that staff "
            "are told) and `role:<role>`. Admins: anybody, `partner:<id>` or a person's id",
        ),
    ] = None


class EndpointChange(StrictBody):
    """What is to be changed; what is left out stays."""

    url: Url | None = None
    description: Description | None = None
    notices: Notices = None
    enabled: Annotated[
        bool | None, Field(description="true switches on again and forgets former failures")
    ] = None


class RotateBody(StrictBody):
    overlap_hours: Annotated[
        int,
        Field(
            ge=0,
            le=168,
            description="How long the secret that is replaced signs beside the new one",
        ),
    ] = 24


class ReplayBody(StrictBody):
    delivery_ids: Annotated[
        list[Annotated[str, Field(max_length=64)]] | None,
        Field(min_length=1, max_length=200, description="Which; null: all that were put aside"),
    ] = None


class Endpoint(BaseModel):
    """An endpoint as its owner sees it."""

    id: str
    kind: Kind
    owner: str
    url: Annotated[str, Field(description="Of Slack and Teams the host only: the rest is a key")]
    description: str
    notices: list[str] | None
    private: bool
    enabled: bool
    off_reason: Annotated[str | None, Field(description="Why it was switched off, if by itself")]
    off_at: Instant | None
    failing_since: Annotated[
        Instant | None, Field(description="First failure after the last success; null: all is well")
    ]
    old_secret_ends_at: Annotated[
        Instant | None, Field(description="Until then two secrets sign, after a rotation")
    ]
    created_at: Instant

    @classmethod
    def of(cls, row: Fields, ends: datetime | None, now: datetime) -> "Endpoint":
        return cls(
            id=row["endpoint_id"],
            kind=row["kind"],
            owner=row["owner"],
            url=shown(row["kind"], row["url"]),
            description=row["description"],
            notices=row["notices"],
            private=row["private"],
            enabled=row["enabled"],
            off_reason=row["off_reason"],
            off_at=row["off_at"],
            failing_since=row["failing_since"],
            old_secret_ends_at=ends if ends is not None and ends > now else None,
            created_at=row["created_at"],
        )


class CreatedEndpoint(Endpoint):
    """The only answers that hold a secret."""

    secret: Annotated[
        str | None, Field(description="Of a webhook: `whsec_` and base64. Shown this once")
    ]


class Attempt(BaseModel):
    """A line of the delivery log. Bodies are not kept, only their SHA-256 in hexadecimal."""

    delivery_id: Annotated[str, Field(description="The `webhook-id` of every attempt")]
    notification_id: str
    kind: str
    attempt: int
    at: Instant
    outcome: Literal["delivered", "retry", "refused"]
    status: Annotated[int | None, Field(description="HTTP status; null: no answer came")]
    milliseconds: int
    sent_sha256: str
    answer_sha256: str | None
    error: str | None
    state: Annotated[
        Literal["pending", "sending", "delivered", "dead", "cancelled"],
        Field(description="What became of the delivery by now"),
    ]
    next_attempt_at: Instant | None

    @classmethod
    def of(cls, row: Fields) -> "Attempt":
        return cls(
            delivery_id=row["delivery_id"],
            notification_id=row["notification_id"],
            kind=row["notice_kind"],
            attempt=row["attempt"],
            at=row["at"],
            outcome=row["outcome"],
            status=row["status"],
            milliseconds=row["milliseconds"],
            sent_sha256=row["sent_sha256"],
            answer_sha256=row["answer_sha256"],
            error=row["error"],
            state=row["state"],
            next_attempt_at=row["due_at"] if row["state"] == "pending" else None,
        )


class Tested(BaseModel):
    """What a test message met."""

    outcome: Literal["delivered", "retry", "refused"]
    status: int | None
    milliseconds: int | None
    error: str | None


class Replayed(BaseModel):
    deliveries: Annotated[int, Field(description="How many are sent again")]


def usable(url: str, *, loopback: bool) -> str:
    """The URL. Raises ``Problem`` 422 with the rule that it breaks."""
    try:
        return checked_url(url, loopback=loopback).url
    except UnusableUrl as error:
        raise invalid([{"type": "url", "loc": ("url",), "msg": str(error)}]) from None


def known(notices: list[str] | None, kinds: Collection[str]) -> tuple[str, ...] | None:
    """Groups and kinds that there are. Raises ``Problem`` 422."""
    faults = [
        {"type": "notice", "loc": ("notices", place), "msg": "must be a group or a kind of notice"}
        for place, name in enumerate(notices or ())
        if name not in GROUPS and name not in kinds
    ]
    if faults:
        raise invalid(faults)
    return None if notices is None else tuple(dict.fromkeys(notices))


def private(body: EndpointBody, owner: str) -> bool:
    """Whether links that decide may go there. Raises ``Problem`` 422 where others read along."""
    if body.private and (body.kind == WEBHOOK or ":" in owner or owner == "programme"):
        rule = "must be false, except for Slack or Teams of one person"
        raise invalid([{"type": "private", "loc": ("private",), "msg": rule}])
    return body.private


def shown(kind: str, url: str) -> str:
    return url if kind == WEBHOOK else f"https://{urlsplit(url).netloc}/…"
