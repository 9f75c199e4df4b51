"""Accounts, registrations, claims, conflicts and decisions. Only the account writer writes these.

Two rules live here as well as in the domain, because they must hold whatever the code does: one live
protection for each account and product line, and no two claims with one place.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from dealreg_registration.metadata import metadata
from dealreg_shared.db import JsonText, UtcDateTime
from dealreg_shared.db.bulk import LONG_VALUES

_HOLDS = text("state IN ('protected', 'extended')")
_ACTIVE = text("state IN ('protected', 'extended', 'contested', 'open', 'referred')")
_FLAGGED = text("flags IS NOT NULL")
_IS_DUE = text("next_due_at IS NOT NULL")
_SUBSIDIARY = text("parent_id IS NOT NULL")
_PENDING = text("state IN ('open', 'reviewed')")
_QUESTION = text("kind = 'question'")
_PRECEDENT = text("outcome IS NOT NULL")
_APPEAL = text("appeal_of IS NOT NULL")

BigId = BigInteger().with_variant(Integer, "sqlite")

account = Table(
    "account",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("facts", JsonText, nullable=False),
    Column("sources", JsonText, nullable=False),
    Column("parent_id", String(64), ForeignKey("account.id")),
    Column("last_place", Integer, nullable=False),
    Column("event_version", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # When time next changes the account, written whenever the account is: the sweep goes by it.
    Column("next_due_at", UtcDateTime),
    # The account that it is part of now; and whether another one is part of it.
    Column("merged_into", String(64)),
    Column("absorbs", Boolean, nullable=False, server_default=false()),
    Index(
        "ix_account_next_due_at",
        "next_due_at",
        postgresql_where=_IS_DUE,
        sqlite_where=_IS_DUE,
    ),
    Index(
        "ix_account_parent_id",
        "parent_id",
        postgresql_where=_SUBSIDIARY,
        sqlite_where=_SUBSIDIARY,
    ),
)

account_key = Table(
    "account_key",
    metadata,
    # No foreign key: keys are claimed before their account is inserted (see the account writer).
    Column("key", Text, primary_key=True),
    Column("account_id", String(64), nullable=False, index=True),
)

registration = Table(
    "registration",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", String(64), ForeignKey("account.id"), nullable=False, index=True),
    Column("partner_id", String(64), nullable=False),
    Column("filed_by", String(8), nullable=False),
    Column("filed_at", UtcDateTime, nullable=False),
    Column("account_name", Text, nullable=False),
    Column("amount", String(40), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount_base", String(40), nullable=False),
    Column("close_date", Date, nullable=False),
    Column("deal_type", String(10), nullable=False),
    Column("place_of_use", JsonText, nullable=False),
    Column("tags", JsonText, nullable=False),
    Column("reseller_id", String(64)),
    Column("distributor_id", String(64)),
    Column("external_reference", Text),
    Column("evidence", JsonText, nullable=False),
    Column("matched_by", Text),
    Column("market_region", String(64)),
    Column("market_segment", String(64)),
    Column("owner", JsonText, nullable=False),
    Column("receipt_number", String(64), nullable=False, unique=True),
    # The receipt's signature and the hash of the filed body, and the salt without which the hash says
    # nothing: it goes when a person of the body is erased. NULL for receipts that were never signed.
    Column("receipt_seal", LargeBinary),
    Column("receipt_salt", String(32)),
    Column("plan_number", Integer, nullable=False),
    Column("last_activity_at", UtcDateTime, nullable=False),
    Column("version", Integer, nullable=False),
    Column("result", String(4)),
    Column("result_at", UtcDateTime),
    # The partner whose referral this registration came from.
    Column("referred_by", String(64)),
    Index("ix_registration_partner_id_filed_at", "partner_id", "filed_at"),
)

registration_contact = Table(
    "registration_contact",
    metadata,
    # Persons' data stand here alone, so that erasing them touches nothing else.
    Column("registration_id", String(64), ForeignKey("registration.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text),
    Column("email", Text),
    Column("phone", Text),
)

correspondence = Table(
    "correspondence",
    metadata,
    # What staff and a partner wrote to each other about a registration. Rows are only added.
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column(
        "registration_id", String(64), ForeignKey("registration.id"), nullable=False, index=True
    ),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(24), nullable=False),
    Column("side", String(8), nullable=False),
    Column("actor", String(160), nullable=False),
    Column("product_lines", JsonText, nullable=False),
    Column("text", Text),
    Column("evidence", JsonText, nullable=False),
    Column("due_at", UtcDateTime),
)

claim = Table(
    "claim",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("registration_id", String(64), ForeignKey("registration.id"), nullable=False),
    Column("account_id", String(64), ForeignKey("account.id"), nullable=False),
    Column("partner_id", String(64), nullable=False),
    Column("product_line", String(64), nullable=False),
    Column("place", Integer, nullable=False),
    Column("outcome", String(12), nullable=False),
    Column("state", String(12), nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
    Column("plan_number", Integer, nullable=False),
    Column("protected_from", UtcDateTime),
    Column("protected_until", UtcDateTime),
    Column("territory_id", String(64)),
    Column("assignment_id", String(64)),
    Column("referred_kind", String(8)),
    Column("referred_id", String(64)),
    Column("duplicate_of", String(64)),
    Column("case_id", String(64)),
    Column("appeal_id", String(64)),
    Column("co_holds", String(64)),
    Column("codes", JsonText, nullable=False),
    Column("reasons", JsonText, nullable=False),
    Column("ended_at", UtcDateTime),
    # The account that numbered it, which may have been merged since; then also when it took its place.
    Column("numbered_by", String(64), nullable=False),
    Column("taken_at", UtcDateTime),
    # What is under way beside the state; NULL for nearly all.
    Column("flags", JsonText),
    UniqueConstraint("numbered_by", "place"),
    Index("ix_claim_registration_id", "registration_id"),
    Index("ix_claim_account_id", "account_id"),
    Index(
        "uq_claim_holder",
        "account_id",
        "product_line",
        unique=True,
        postgresql_where=_HOLDS,
        sqlite_where=_HOLDS,
    ),
    Index("ix_claim_active", "account_id", postgresql_where=_ACTIVE, sqlite_where=_ACTIVE),
    Index(
        "ix_claim_flagged",
        "registration_id",
        postgresql_where=_FLAGGED,
        sqlite_where=_FLAGGED,
    ),
    Index("ix_claim_holding", "partner_id", postgresql_where=_HOLDS, sqlite_where=_HOLDS),
)

conflict = Table(
    "conflict",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", String(64), ForeignKey("account.id"), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("state", String(10), nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("version", Integer, nullable=False),
    # The ladder: stamps, raises and pauses; the terms they are made from; what else rules look at.
    Column("course", JsonText, nullable=False),
    Column("terms", JsonText, nullable=False),
    Column("details", JsonText, nullable=False),
    Column("market_region", String(64)),
    Column("market_segment", String(64)),
    Column("plan_number", Integer, nullable=False),
    Column("closed_at", UtcDateTime),
    Column("closed_level", Integer),
    # In a possible duplicate, the account that may be the same one.
    Column("other_account_id", String(64), index=True),
    Index("ix_conflict_opened_at", "opened_at"),
    Index("ix_conflict_pending", "account_id", postgresql_where=_PENDING, sqlite_where=_PENDING),
)

conflict_claim = Table(
    "conflict_claim",
    metadata,
    Column("conflict_id", String(64), ForeignKey("conflict.id"), primary_key=True),
    Column("claim_id", String(64), ForeignKey("claim.id"), primary_key=True),
    Column("position", Integer, nullable=False),
)

case_entry = Table(
    "case_entry",
    metadata,
    # What people wrote on a case. Free text stands here alone, so that erasing it touches nothing else.
    Column("id", String(64), primary_key=True),
    Column("conflict_id", String(64), ForeignKey("conflict.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("actor", String(160), nullable=False),
    Column("registration_id", String(64), ForeignKey("registration.id")),
    Column("text", Text),
    # That of the registration: whom a question asks.
    Column("partner_id", String(64)),
    Index("ix_case_entry_conflict_id_at", "conflict_id", "at"),
    Index(
        "ix_case_entry_question",
        "partner_id",
        "at",
        "id",
        postgresql_where=_QUESTION,
        sqlite_where=_QUESTION,
    ),
)

ruling = Table(
    "ruling",
    metadata,
    # One per decided case: what was ruled, by which level, and what became of whom. Ids and facts only;
    # the reason is an entry of the case.
    Column("conflict_id", String(64), ForeignKey("conflict.id"), primary_key=True),
    Column("account_id", String(64), ForeignKey("account.id"), nullable=False, index=True),
    Column("case_kind", String(20), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("level", Integer, nullable=False),
    Column("person_id", String(64)),
    Column("decided_at", UtcDateTime, nullable=False),
    Column("breached", Boolean, nullable=False),
    Column("plan_number", Integer, nullable=False),
    Column("parts", JsonText, nullable=False),
    Column("departs", JsonText, nullable=False),
    Column("reason_entry", String(64), nullable=False),
    # The facts of the case by which later ones are compared, and what the ruling came to. They name
    # nobody. NULL for rulings that were made before there were precedents.
    Column("features", JsonText),
    Column("outcome", String(20)),
    # The case whose ruling was appealed; only for rulings on appeals.
    Column("appeal_of", String(64)),
    Index("ix_ruling_decided_at", "decided_at"),
    Index(
        "ix_ruling_precedent",
        "case_kind",
        "decided_at",
        "conflict_id",
        postgresql_where=_PRECEDENT,
        sqlite_where=_PRECEDENT,
    ),
    Index("ix_ruling_appeal_of", "appeal_of", postgresql_where=_APPEAL, sqlite_where=_APPEAL),
)

decision = Table(
    "decision",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("account_id", String(64), ForeignKey("account.id"), nullable=False),
    Column(
        "registration_id", String(64), ForeignKey("registration.id"), nullable=False, index=True
    ),
    Column("decided_at", UtcDateTime, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("plan_number", Integer, nullable=False),
    Column("rule_book", String(16), nullable=False),
    Column("inputs", JsonText, nullable=False),
    Column("result", JsonText, nullable=False),
    info=LONG_VALUES,
)
