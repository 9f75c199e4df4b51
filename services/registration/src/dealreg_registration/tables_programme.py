"""Plans, the partners' standing, people, API keys and the audit.

Plans and audit rows hold ids of people only; whatever tells who a person is stands in ``person``
alone, so that erasing it touches nothing else.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint

from dealreg_registration.metadata import metadata
from dealreg_shared.auth import access_table
from dealreg_shared.db import JsonText, UtcDateTime

BigId = BigInteger().with_variant(Integer, "sqlite")

programme_state = Table(
    "programme_state",
    metadata,
    # One row. Locked by whoever publishes a plan or changes a partner's standing; ``version`` counts
    # these changes, so that a process sees at a glance whether what it keeps in memory is current.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("last_plan_number", Integer, nullable=False),
)

plan = Table(
    "plan",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("in_force_from", UtcDateTime, nullable=False, index=True),
    Column("published_at", UtcDateTime, nullable=False),
    Column("published_by", String(128), nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("parts", Integer, nullable=False),
    # Canonical JSON, as text: what was hashed and sent. Without people's names and addresses.
    Column("document", Text, nullable=False),
)

partner_status = Table(
    "partner_status",
    metadata,
    # Rows are added, never changed: the history says who was active when.
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("partner_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("release_at", UtcDateTime),
    Column("reason", Text),
    UniqueConstraint("partner_id", "version"),
)

person = Table(
    "person",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text),
    Column("email", Text),
    Column("roles", JsonText, nullable=False),
    Column("manages", JsonText, nullable=False),
    Column("partner_id", String(64)),
    Column("updated_at", UtcDateTime, nullable=False),
    # An erased person's row stays, without name, address and roles, so that its id stays taken.
    Column("erased_at", UtcDateTime),
)

delegation = Table(
    "delegation",
    metadata,
    # Who may act for whom, in [begins, ends). Ended early, its ``ends`` is brought forward.
    Column("id", String(64), primary_key=True),
    Column("person_id", String(64), nullable=False, index=True),
    Column("delegate_id", String(64), nullable=False, index=True),
    Column("begins", UtcDateTime, nullable=False),
    Column("ends", UtcDateTime, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("made_by", String(160), nullable=False),
    Column("ended_at", UtcDateTime),
)

access_key = access_table(metadata)

audit = Table(
    "audit",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(160), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("detail", JsonText, nullable=False),
    # Where they differ from ``at``: when the row was written (time's steps, swept late), and since when
    # it counts (a ruling that corrects what was recorded). Rows are only added.
    Column("recorded_at", UtcDateTime),
    Column("counts_from", UtcDateTime),
    Index("ix_audit_subject_id", "subject", "id"),
)
