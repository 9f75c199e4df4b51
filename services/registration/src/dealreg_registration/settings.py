"""Settings of registration, beside those that all services share."""

from pydantic import Field

from dealreg_shared.config import DatabaseUrl, SharedSettings


class RegistrationSettings(SharedSettings):
    """What registration alone needs to know: its database."""

    registration_database_url: DatabaseUrl | None = Field(
        None,
        description="Registration's own database; without it `registration.db` (SQLite) in the data "
        "folder.",
    )
