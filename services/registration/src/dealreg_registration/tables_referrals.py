"""Referrals and transfers. Only the account writer writes them."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, text

from dealreg_registration.metadata import metadata
from dealreg_shared.db import JsonText, UtcDateTime

_OFFERED = text("state = 'offered'")

referral = Table(
    "referral",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", String(64), ForeignKey("account.id"), nullable=False, index=True),
    Column(
        "registration_id", String(64), ForeignKey("registration.id"), nullable=False, index=True
    ),
    Column("claim_id", String(64), ForeignKey("claim.id"), nullable=False),
    Column("referrer_id", String(64), nullable=False, index=True),
    Column("product_line", String(64), nullable=False),
    Column("target_kind", String(8), nullable=False),
    Column("target_id", String(64), nullable=False, index=True),
    Column("state", String(10), nullable=False),
    Column("plan_number", Integer, nullable=False),
    Column("offered_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("consent_at", UtcDateTime),
    Column("decided_at", UtcDateTime),
    # What the target got on accepting. No foreign keys: the change is written before what is new.
    Column("taken_registration_id", String(64), index=True),
    Column("taken_claim_id", String(64)),
    Index("ix_referral_offered_at", "offered_at"),
    # A claim is offered to one at a time, whatever the code does.
    Index(
        "uq_referral_offered",
        "claim_id",
        unique=True,
        postgresql_where=_OFFERED,
        sqlite_where=_OFFERED,
    ),
    Index("ix_referral_claim_id", "claim_id"),
)

_PENDING = text("state = 'pending'")

transfer = Table(
    "transfer",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", String(64), ForeignKey("account.id"), nullable=False),
    Column(
        "registration_id", String(64), ForeignKey("registration.id"), nullable=False, index=True
    ),
    Column("from_id", String(64), nullable=False, index=True),
    Column("to_id", String(64), nullable=False, index=True),
    Column("claim_ids", JsonText, nullable=False),
    Column("product_lines", JsonText, nullable=False),
    Column("state", String(10), nullable=False),
    Column("plan_number", Integer, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("holder_accepted_at", UtcDateTime),
    Column("receiver_accepted_at", UtcDateTime),
    Column("decided_at", UtcDateTime),
    # The receiver's own. No foreign key: the change is written before what is new.
    Column("taken_registration_id", String(64)),
    Index("ix_transfer_account_id", "account_id"),
    Index("ix_transfer_opened_at", "opened_at"),
    Index(
        "ix_transfer_pending",
        "account_id",
        postgresql_where=_PENDING,
        sqlite_where=_PENDING,
    ),
)
