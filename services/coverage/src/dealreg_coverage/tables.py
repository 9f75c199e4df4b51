"""Coverage's own tables: what is kept of plans and of the past, what staff set, what was last told.

Everything but ``hand_set`` can be made again from the log. ``announced_*`` says what the world was last
told, so that only real changes become events, also after a rebuild.
"""

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, Text

from dealreg_shared.auth import access_table
from dealreg_shared.db import JsonText, UtcDateTime
from dealreg_shared.heartbeat import heartbeat_table
from dealreg_shared.inbox import inbox_tables
from dealreg_shared.outbox import outbox_tables

metadata = MetaData()

ACCESS = access_table(metadata)
INBOX = inbox_tables(metadata)
OUTBOX = outbox_tables(metadata)
HEARTBEAT = heartbeat_table(metadata)

ID = String(128)

PLAN = Table(
    "plan",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("in_force_from", UtcDateTime, nullable=False, index=True),
    Column("published_at", UtcDateTime, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("content_hash", String(128), nullable=False),
)

PLAN_PART = Table(
    "plan_part",
    metadata,
    Column("plan_number", Integer, primary_key=True, autoincrement=False),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("section", String(64), nullable=False),
    Column("items", JsonText, nullable=False),
)

PARTNER_STATUS = Table(
    "partner_status",
    metadata,
    Column("partner_id", ID, primary_key=True),
    Column("at", UtcDateTime, primary_key=True),
    Column("suspended", Integer, nullable=False),
)

CELL_QUARTER = Table(
    "cell_quarter",
    metadata,
    Column("region", ID, primary_key=True),
    Column("segment", ID, primary_key=True),
    Column("quarter", Integer, primary_key=True, autoincrement=False),
    Column("partner_id", ID, primary_key=True),
    *(
        Column(name, BigInteger, nullable=False)
        for name in (
            "filed",
            "superseded",
            "lapsed",
            "won",
            "lost",
            "won_value",
            "lost_value",
        )
    ),
)

CELL_RECENT = Table(
    "cell_recent",
    metadata,
    Column("region", ID, primary_key=True),
    Column("segment", ID, primary_key=True),
    Column("partner_id", ID, primary_key=True),
    Column("recent", JsonText, nullable=False),
)

PROGRAMME_QUARTER = Table(
    "programme_quarter",
    metadata,
    Column("quarter", Integer, primary_key=True, autoincrement=False),
    Column("won", BigInteger, nullable=False),
    Column("lost", BigInteger, nullable=False),
)

MARKET_QUARTER = Table(
    "market_quarter",
    metadata,
    Column("region", ID, primary_key=True),
    Column("segment", ID, primary_key=True),
    Column("quarter", Integer, primary_key=True, autoincrement=False),
    Column("met", BigInteger, nullable=False),
)

HAND_SET = Table(
    "hand_set",
    metadata,
    Column("partner_id", ID, primary_key=True),
    Column("region", ID, primary_key=True),
    Column("segment", ID, primary_key=True),
    Column("factor", String(32), primary_key=True),
    Column("value", Integer, comment="hundredths; null: taken back"),
    Column("reason", Text, nullable=False),
    Column("set_by", ID, nullable=False),
    Column("set_at", UtcDateTime, nullable=False),
    Column("until_day", String(10), nullable=False, comment="first day without it"),
    Column("version", Integer, nullable=False),
)

ANNOUNCED_SCORE = Table(
    "announced_score",
    metadata,
    Column("region", ID, primary_key=True),
    Column("segment", ID, primary_key=True),
    Column("partner_id", ID, primary_key=True),
    Column("tenths", Integer, nullable=False),
)

ANNOUNCED_GAP = Table(
    "announced_gap",
    metadata,
    Column("region", ID, primary_key=True),
    Column("segment", ID, primary_key=True),
    Column("gap_class", String(8), nullable=False),
)

REFRESHED = Table(
    "refreshed",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("day", String(10), comment="null: something past has changed, look at everything again"),
    Column("plan_number", Integer),
)

FROM_THE_LOG = (
    PLAN,
    PLAN_PART,
    PARTNER_STATUS,
    CELL_QUARTER,
    CELL_RECENT,
    PROGRAMME_QUARTER,
    MARKET_QUARTER,
)
"""Tables that a rebuild empties and fills again."""
