"""Notifier's settings: its database, how it delivers, and the mail server."""

from email.utils import parseaddr
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from dealreg_shared.config import DatabaseUrl, SharedSettings
from dealreg_shared.links import KEY_BYTES, bytes_of


class NotifierSettings(SharedSettings):
    """What notifier alone needs to know: its database, its deliveries and the mail server."""

    notifier_database_url: DatabaseUrl | None = Field(
        None,
        description="Notifier's own database; without it `notifier.db` (SQLite) in the data folder.",
    )
    notifier_language: Literal["en"] = Field(
        "en", description="Language of notices; a folder of templates."
    )
    notifier_tick_seconds: float = Field(
        1.0, gt=0, le=60, description="How often timers and deliveries are looked for, in seconds."
    )
    notifier_delivery_attempts: int = Field(
        10,
        ge=1,
        le=100,
        description="Attempts on one channel before a notice is put aside as dead.",
    )
    notifier_delivery_workers: int = Field(
        4, ge=1, le=64, description="Messages of one channel that are sent at the same time."
    )
    notifier_storm_limit: int = Field(
        10,
        ge=0,
        le=1000,
        description="Messages of one group of notices that a person gets on one channel within a "
        "minute; what is more goes in one message with a list. 0: no limit.",
    )
    notifier_lease_seconds: float = Field(
        10.0,
        ge=3,
        le=3600,
        description="How long a delivery whose sender is dead or paused is left alone before another "
        "process sends it, in seconds. A sender that is alive keeps its deliveries.",
    )
    notifier_delivery_log_days: int = Field(
        90,
        ge=7,
        le=3650,
        description="How long the attempts at endpoints are kept in their delivery log, in days; longer "
        "than the 75 hours over which an attempt is made again.",
    )
    notifier_stream_connections: int = Field(
        500, ge=1, le=10_000, description="Open streams of notices per process."
    )
    notifier_stream_heartbeat_seconds: float = Field(
        15.0,
        gt=0,
        le=60,
        description="How often a stream says that it is alive, and looks whether its key still counts.",
    )
    notifier_public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$",
        description="Where people reach registration, such as `https://deals.example.com`. With it, "
        "mails that ask for a decision carry links that lead to `/decide/...` there.",
    )
    notifier_link_hours: float = Field(
        24.0,
        gt=0,
        le=24,
        description="Longest life of a link in a mail, in hours; it ends with the level's deadline.",
    )
    notifier_link_key: SecretStr | None = Field(
        None,
        description="Private key that signs links: 32 bytes in base64url (`openssl rand -base64 32 | "
        "tr '+/' '-_' | tr -d =`). Without it one is made at the first start and kept in the database.",
    )
    notifier_outbound_seconds: float = Field(
        15.0,
        gt=0,
        le=30,
        description="Longest time for one post to an endpoint, from looking its name up to the end of "
        "its answer, in seconds.",
    )
    notifier_outbound_ca_file: Path | None = Field(
        None,
        description="Certificates (PEM) that endpoints are trusted by besides the public ones.",
    )
    notifier_outbound_loopback: bool = Field(
        False,
        description="For development only: endpoints may be on this machine, also over plain HTTP.",
    )
    notifier_smtp_host: str | None = Field(
        None,
        description="Mail server. Without it no mail is sent and the inbox alone tells people.",
    )
    notifier_smtp_port: int = Field(25, ge=1, le=65535, description="Port of the mail server.")
    notifier_smtp_tls: Literal["none", "starttls", "tls"] = Field(
        "none", description="How the connection to the mail server is encrypted."
    )
    notifier_smtp_from: str | None = Field(
        None, description="Sender, such as `Partner desk <partners@example.com>`; needed for mail."
    )
    notifier_smtp_user: str | None = Field(None, description="Login at the mail server.")
    notifier_smtp_password: SecretStr | None = Field(
        None, description="Password at the mail server."
    )
    notifier_smtp_timeout_seconds: float = Field(
        20.0,
        gt=0,
        le=120,
        description="Longest wait for one answer of the mail server, in seconds.",
    )

    @model_validator(mode="after")
    def _key(self) -> Self:
        if self.notifier_link_key is not None and self.link_key() is None:
            raise ValueError(
                "DEALREG_NOTIFIER_LINK_KEY must be 32 bytes in base64url without padding (43 characters)"
            )
        return self

    @model_validator(mode="after")
    def _mail(self) -> Self:
        if self.notifier_smtp_host is None:
            if self.notifier_smtp_from is not None or self.notifier_smtp_user is not None:
                raise ValueError(
                    "DEALREG_NOTIFIER_SMTP_FROM or _USER is set but no mail server is named; "
                    "set DEALREG_NOTIFIER_SMTP_HOST, or unset them"
                )
            return self
        address = parseaddr(self.notifier_smtp_from or "")[1]
        if not address.isascii() or not all(address.partition("@")):
            raise ValueError(
                "DEALREG_NOTIFIER_SMTP_HOST names a mail server, so DEALREG_NOTIFIER_SMTP_FROM must "
                "be an address, such as Partner desk <partners@example.com>"
            )
        if (self.notifier_smtp_user is None) != (self.notifier_smtp_password is None):
            raise ValueError(
                "DEALREG_NOTIFIER_SMTP_USER and DEALREG_NOTIFIER_SMTP_PASSWORD go together; "
                "set both or none"
            )
        return self

    def link_key(self) -> bytes | None:
        """The private key that is given; None without one, or where it cannot be read."""
        if self.notifier_link_key is None:
            return None
        try:
            key = bytes_of(self.notifier_link_key.get_secret_value())
        except ValueError:
            return None
        return key if len(key) == KEY_BYTES else None

    def sender_address(self) -> str:
        """The sender of mails. Only to be asked for when a mail server is named."""
        if self.notifier_smtp_from is None:
            raise ValueError("no mail server is set up")
        return self.notifier_smtp_from
