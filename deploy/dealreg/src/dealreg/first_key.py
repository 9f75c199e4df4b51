"""The first admin key of an installation, made once and shown once."""

from collections.abc import Sequence

from dealreg_shared.runtime import Service


async def ensure_admin_key(services: Sequence[Service]) -> str | None:
    """The secret of a new admin key if no admin key works, else None."""
    [registration] = [service for service in services if service.name == "registration"]
    secret: str | None = await registration.extras["ensure_admin_key"]()
    return secret
