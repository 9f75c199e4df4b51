"""Events on the compacted topic of public keys, with which links in mails are checked.

Only public halves travel. A key that was taken back at once is a tombstone.
"""

from typing import Annotated

from pydantic import Field

from dealreg_shared.contracts.base import EventData, Instant


class LinkKeyUpdated(EventData):
    """Key = key id. A key that signs links now, or did until recently."""

    key_id: str
    public_key: Annotated[str, Field(description="Ed25519, 32 bytes, base64url without padding")]
    created_at: Instant
    valid_until: Annotated[
        Instant | None,
        Field(description="Links signed with it count until then; null: it is in use"),
    ] = None
