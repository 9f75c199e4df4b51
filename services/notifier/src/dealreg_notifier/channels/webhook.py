"""Standard Webhooks 1.0.0: a notice as JSON, signed, to a URL of the recipient's choice.

Headers ``webhook-id`` (the delivery, the same at every attempt), ``webhook-timestamp`` (seconds, of the
attempt) and ``webhook-signature`` (``v1,`` and a base64 HMAC-SHA256 over ``id.timestamp.body``, one per
live secret). Must not send a fact that the notice to this recipient does not hold.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime

import orjson

from dealreg_notifier.channels import posting
from dealreg_notifier.channels.port import Outbound
from dealreg_notifier.channels.posted import JSON, PostedChannel, Written
from dealreg_notifier.domain.retries import STANDARD_WEBHOOKS
from dealreg_notifier.settings import NotifierSettings
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.outbound import OutboundClient

NAME = "webhook"

SECRET_PREFIX = "whsec_"  # noqa: S105  (the standard's prefix, no secret)
SECRET_BYTES = 32
"""The standard asks for 24 to 64."""

NOT_TOLD = ("zone", "programme_name")
"""Facts that only serve the templates."""

VERDICTS = posting.Verdicts(gone=(410,))


def from_settings(_settings: NotifierSettings, outbound: OutboundClient) -> PostedChannel:
    """Always set up: who wants webhooks adds an endpoint."""
    return channel(outbound)


def channel(client: OutboundClient) -> PostedChannel:
    """All endpoints of kind ``webhook``."""
    return PostedChannel(NAME, client, STANDARD_WEBHOOKS, VERDICTS, write, gathers=False)


def write(outbound: Outbound, now: datetime) -> Written:
    """Signed with the endpoint's live secrets, at this instant."""
    content = payload(outbound)
    live = () if outbound.place is None else outbound.place.secrets
    return Written(content, {**JSON, **signed(outbound.delivery_id, now, content, live)})


def payload(outbound: Outbound) -> bytes:
    """The body, the same at every attempt."""
    created_at = format_instant(outbound.created_at)
    facts = {name: value for name, value in outbound.facts.items() if name not in NOT_TOLD}
    return orjson.dumps(
        {
            "type": f"dealreg.notice.{outbound.kind}",
            "timestamp": created_at,
            "data": {
                "id": outbound.notification_id,
                "kind": outbound.kind,
                "recipient": outbound.recipient,
                "subject": outbound.subject,
                "title": outbound.title,
                "text": outbound.body,
                "facts": facts,
                "created_at": created_at,
            },
        }
    )


def signed(
    message_id: str, at: datetime, content: bytes, live_secrets: Iterable[str]
) -> dict[str, str]:
    """The standard's three headers, with a signature for each secret."""
    timestamp = str(int(at.timestamp()))
    signed_part = b".".join((message_id.encode(), timestamp.encode(), content))
    signatures = [
        base64.b64encode(hmac.new(key_of(secret), signed_part, hashlib.sha256).digest()).decode()
        for secret in live_secrets
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def new_secret() -> str:
    """``whsec_`` and 32 random bytes in base64."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """The bytes of a secret. Raises ``ValueError`` for what is none."""
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a secret is whsec_ and base64") from None
