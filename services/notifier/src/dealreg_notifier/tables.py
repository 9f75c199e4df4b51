"""Notifier's tables. Ids and business facts; a person's name and address stand in ``person`` only."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from dealreg_shared.auth import access_table
from dealreg_shared.db import JsonText, UtcDateTime
from dealreg_shared.heartbeat import heartbeat_table
from dealreg_shared.inbox import inbox_tables
from dealreg_shared.outbox import outbox_tables

Fields = Mapping[Any, Any]
"""A row, or the values of one to come, by column name."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    }
)

outbox = outbox_tables(metadata)
inbox = inbox_tables(metadata)
access = access_table(metadata)
heartbeat = heartbeat_table(metadata)

person = Table(
    "person",
    metadata,
    Column("person_id", String(128), primary_key=True),
    Column("name", Text),
    Column("email", Text),
    Column("roles", JsonText, nullable=False),
    Column("partner_id", String(128), index=True),
    Column("erased", Boolean, nullable=False),
)
"""Projection of ``dealreg.people``. An erased person keeps the id, so that nobody waits for it."""

delegation = Table(
    "delegation",
    metadata,
    Column("person_id", String(128), primary_key=True),
    Column("delegate_id", String(128), primary_key=True),
    Column("begins", UtcDateTime, primary_key=True),
    Column("ends", UtcDateTime, nullable=False),
)
"""Who stands in for whom in [begins, ends), as the person's newest event says."""

preference = Table(
    "preference",
    metadata,
    Column("person_id", String(128), primary_key=True),
    Column("channels", JsonText, nullable=False, doc="Names of channels by group or kind."),
    Column("quiet_hours", JsonText),
    Column("digest", JsonText),
    Column("language", String(16)),
    Column("updated_at", UtcDateTime, nullable=False),
)
"""How a person wants to be told. Goes with the person: erasing deletes the row."""

plan = Table(
    "plan",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("in_force_from", UtcDateTime, nullable=False),
    Column("published_at", UtcDateTime, nullable=False),
    Column("programme_name", Text, nullable=False),
    Column("time_zone", String(64), nullable=False),
)
"""Plans whose manifest has arrived."""

plan_part = Table(
    "plan_part",
    metadata,
    Column("plan_number", Integer, primary_key=True, autoincrement=False),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("section", String(64), nullable=False),
    Column("items", JsonText, nullable=False),
)
"""Parts of the newest plan and of the one before it, for the difference between them."""

plan_name = Table(
    "plan_name",
    metadata,
    Column("plan_number", Integer, primary_key=True, autoincrement=False),
    Column("section", String(64), primary_key=True),
    Column("item_id", String(128), primary_key=True),
    Column("name", Text, nullable=False),
)
"""What product lines, partners, regions and segments are called, per plan, for sentences."""

filing = Table(
    "filing",
    metadata,
    Column("registration_id", String(64), primary_key=True),
    Column("partner_id", String(128), nullable=False),
    Column("account_name", Text, nullable=False),
)
"""The account's name as each partner wrote it: the only spelling that this partner may read."""

conflict_case = Table(
    "conflict_case",
    metadata,
    Column("conflict_id", String(64), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("account_id", String(64), nullable=False),
    Column("account_name", Text, nullable=False),
    Column("region", String(128)),
    Column("segment", String(128)),
    Column("plan_number", Integer, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("course", JsonText, doc="Stamps, raises and pauses; None: a case without a ladder."),
    Column("repeat_hours", Integer, doc="The last level is reminded so often; None: never."),
    Column("level", Integer, doc="The level that was told last; None before the first."),
    Column("breached", JsonText, nullable=False, doc="Levels whose missed deadline is on record."),
    Column("suspect", JsonText, doc="Of a possible duplicate: the other account, what matched."),
    Column("ruling", JsonText, doc="What was decided, in the facts of a notice."),
    Column("correlation_id", String(64), nullable=False),
    Column("closed_at", UtcDateTime),
    Column("closed_state", String(32)),
)
Index(
    "ix_conflict_case_open",
    conflict_case.c.opened_at,
    conflict_case.c.conflict_id,
    sqlite_where=conflict_case.c.closed_at.is_(None),
    postgresql_where=conflict_case.c.closed_at.is_(None),
)

case_claim = Table(
    "case_claim",
    metadata,
    Column("conflict_id", String(64), primary_key=True),
    Column("claim_id", String(64), primary_key=True, index=True),
    Column("registration_id", String(64), nullable=False),
    Column("partner_id", String(128), nullable=False),
    Column("product_line", String(128), nullable=False),
    Column("place", Integer, nullable=False),
    Column("state", String(32), nullable=False),
    Column("joined_at", UtcDateTime, nullable=False),
)
"""No foreign key to the case: its share lock would meet the timers' lock in the other order."""

timer = Table(
    "timer",
    metadata,
    Column("timer_id", String(64), primary_key=True),
    Column("subject", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("step", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("ended_at", UtcDateTime),
    UniqueConstraint("subject", "kind", "step", "generation"),
    CheckConstraint("state IN ('pending', 'fired', 'cancelled')", name="state"),
)
Index(
    "ix_timer_due",
    timer.c.due_at,
    sqlite_where=text("state = 'pending'"),
    postgresql_where=text("state = 'pending'"),
)

notification = Table(
    "notification",
    metadata,
    Column("notification_id", String(64), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("recipient", String(160), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("cause", String(128), nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("facts", JsonText, nullable=False),
    Column("correlation_id", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("read_at", UtcDateTime),
    UniqueConstraint("cause", "kind", "recipient"),
)
"""A notice to one recipient: ``partner:<id>``, or a person's id. Holds no person's name."""
Index(
    "ix_notification_inbox",
    notification.c.recipient,
    notification.c.created_at,
    notification.c.notification_id,
)
Index("ix_notification_subject", notification.c.subject, notification.c.kind)

delivery = Table(
    "delivery",
    metadata,
    Column("delivery_id", String(64), primary_key=True),
    Column(
        "notification_id",
        String(64),
        ForeignKey(notification.c.notification_id, ondelete="CASCADE"),
        nullable=False,
    ),
    Column("channel", String(32), nullable=False),
    Column("recipient", String(128), nullable=False),
    Column("kind_group", String(32), nullable=False, server_default="escalation"),
    Column("digest_at", UtcDateTime, doc="The daily digest that it waits for."),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column(
        "spent",
        Integer,
        nullable=False,
        doc="Attempts before a replay, or not made.",
    ),
    Column("due_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("error", Text),
    Column("begun_at", UtcDateTime, doc="When it was first claimed."),
    Column(
        "carries",
        Integer,
        nullable=False,
        server_default="0",
        doc="Notices in its message; 0 until it is claimed.",
    ),
    Column("carried_by", String(64), doc="The delivery whose message this notice went with."),
    UniqueConstraint("notification_id", "channel", "recipient"),
    CheckConstraint(
        "state IN ('pending', 'sending', 'delivered', 'dead', 'cancelled')", name="state"
    ),
)
"""An intent to tell one person on one channel. ``due_at``: when to try next; while ``sending``, the end
of the lease. ``attempt`` is the fence: a result is written only by the attempt that is the latest.
Several notices may go in one message: then one row carries the others, and they share its fate."""
Index(
    "ix_delivery_due",
    delivery.c.channel,
    delivery.c.due_at,
    sqlite_where=text("state IN ('pending', 'sending')"),
    postgresql_where=text("state IN ('pending', 'sending')"),
)
Index("ix_delivery_state", delivery.c.state, delivery.c.created_at, delivery.c.delivery_id)
Index(
    "ix_delivery_recipient",
    delivery.c.recipient,
    delivery.c.channel,
    delivery.c.kind_group,
    delivery.c.begun_at,
)
Index(
    "ix_delivery_carried",
    delivery.c.carried_by,
    sqlite_where=delivery.c.carried_by.is_not(None),
    postgresql_where=delivery.c.carried_by.is_not(None),
)
Index(
    "ix_delivery_digest",
    delivery.c.recipient,
    delivery.c.channel,
    delivery.c.digest_at,
    unique=True,
    sqlite_where=text("carries > 0 AND digest_at IS NOT NULL"),
    postgresql_where=text("carries > 0 AND digest_at IS NOT NULL"),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("key_id", String(64), primary_key=True),
    Column("private_key", Text, doc="base64url; None: it is given by a setting, or not needed."),
    Column("public_key", Text, nullable=False),
    Column("current", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("valid_until", UtcDateTime, doc="Of a retired key: when its last link has expired."),
)
"""Keys that sign the links in mails. A private half is dropped as soon as it signs no more."""
Index(
    "ix_signing_key_current",
    signing_key.c.current,
    unique=True,
    sqlite_where=signing_key.c.current,
    postgresql_where=signing_key.c.current,
)

endpoint = Table(
    "endpoint",
    metadata,
    Column("endpoint_id", String(64), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("owner", String(160), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("notices", JsonText, doc="Groups and kinds of notices; None: all."),
    Column("private", Boolean, nullable=False, doc="Nobody but its owner, a person, reads there."),
    Column("enabled", Boolean, nullable=False),
    Column("off_reason", Text),
    Column("off_at", UtcDateTime),
    Column("failing_since", UtcDateTime, doc="The first failure after the last success."),
    Column("created_by", String(64), nullable=False, doc="Id of the API key."),
    Column("created_at", UtcDateTime, nullable=False),
)
"""Where notices are posted: a webhook, or a channel of Slack or Teams. ``owner``: a recipient
(``partner:<id>`` or a person's id), ``role:<role>``, or ``programme`` for all that staff are told. The
``recipient`` of its deliveries is its id."""

endpoint_secret = Table(
    "endpoint_secret",
    metadata,
    Column("secret_id", String(64), primary_key=True),
    Column(
        "endpoint_id",
        String(64),
        ForeignKey(endpoint.c.endpoint_id, ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("secret", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, doc="When it signs no longer; None: the newest."),
)
"""Secrets that sign webhooks; two live ones while one replaces the other. Kept as they are: signing
needs them."""

delivery_attempt = Table(
    "delivery_attempt",
    metadata,
    Column("delivery_id", String(64), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("endpoint_id", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("status", Integer, doc="HTTP; None: no answer came."),
    Column("milliseconds", Integer, nullable=False),
    Column("sent_sha256", String(64), nullable=False),
    Column("answer_sha256", String(64)),
    Column("error", Text),
    CheckConstraint("outcome IN ('delivered', 'retry', 'refused')", name="outcome"),
)
"""The delivery log of endpoints. No bodies."""
Index(
    "ix_delivery_attempt_endpoint",
    delivery_attempt.c.endpoint_id,
    delivery_attempt.c.at,
    delivery_attempt.c.delivery_id,
)
Index("ix_delivery_attempt_at", delivery_attempt.c.at)

bounce = Table(
    "bounce",
    metadata,
    Column("person_id", String(128), primary_key=True),
    Column("address_sha256", String(64), nullable=False),
    Column("error", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
"""People whose mail address was refused for good. Holds until the address changes."""
