"""Settings of registration, beside those that all services share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from dealreg_shared.config import DatabaseUrl, SharedSettings
from dealreg_shared.links import KEY_BYTES, bytes_of


class RegistrationSettings(SharedSettings):
    """What registration alone needs to know: its database, and how receipts and the log are signed."""

    registration_database_url: DatabaseUrl | None = Field(
        None,
        description="Registration's own database; without it `registration.db` (SQLite) in the data "
        "folder.",
    )
    registration_signing_key: SecretStr | None = Field(
        None,
        description="Private key that signs receipts and the log's roots: 32 bytes in base64url "
        "(`openssl rand -base64 32 | tr '+/' '-_' | tr -d =`). Without it one is made at the first "
        "start and kept in the database.",
    )
    registration_roots_file: Path | None = Field(
        None,
        description="File to which every root of the log is added; without it `log-roots.jsonl` in the "
        "data folder. Best on a disk that the database's keepers cannot write.",
    )

    registration_answers_days: int = Field(
        30,
        ge=1,
        le=3650,
        description="How long answers to requests with an `Idempotency-Key` are kept for retries, in "
        "days; after that the key counts as new.",
    )

    @model_validator(mode="after")
    def _key(self) -> Self:
        if self.registration_signing_key is not None and self.signing_key() is None:
            raise ValueError(
                "DEALREG_REGISTRATION_SIGNING_KEY must be 32 bytes in base64url without padding "
                "(43 characters)"
            )
        return self

    def signing_key(self) -> bytes | None:
        """The private key that is given; None without one, or where it cannot be read."""
        if self.registration_signing_key is None:
            return None
        try:
            key = bytes_of(self.registration_signing_key.get_secret_value())
        except ValueError:
            return None
        return key if len(key) == KEY_BYTES else None

    def folders(self) -> Sequence[tuple[str, Path]]:
        """Also that of the log's roots."""
        return (*super().folders(), ("REGISTRATION_ROOTS_FILE", self.roots_file().parent))

    def roots_file(self) -> Path:
        """Where the log's roots are kept beside the database."""
        return self.registration_roots_file or self.data_dir / "log-roots.jsonl"
