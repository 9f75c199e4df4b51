"""The event of the log's growth: a signed root, so that the world outside the database knows it."""

from typing import Annotated

from pydantic import Field

from dealreg_shared.contracts.base import EventData, Instant


class LogSealed(EventData):
    """Key = programme id. The log has ``size`` entries by now, and this root over them."""

    size: Annotated[int, Field(ge=1)]
    root: Annotated[str, Field(description="SHA-256 as in RFC 6962, hexadecimal")]
    sealed_at: Instant
    key_id: str
    ed25519: Annotated[
        str,
        Field(
            description="Signature over programme, size, root and instant; base64url, no padding"
        ),
    ]
