"""All tables of registration, for migrations and for the composition root."""

from dealreg_registration.link_keys import link_key
from dealreg_registration.metadata import metadata
from dealreg_registration.tables_accounts import (
    account,
    account_key,
    case_entry,
    claim,
    conflict,
    conflict_claim,
    decision,
    registration,
    registration_contact,
    ruling,
)
from dealreg_registration.tables_log import (
    log_entry,
    log_gap,
    log_key,
    log_node,
    log_root,
    log_state,
)
from dealreg_registration.tables_programme import (
    access_key,
    audit,
    delegation,
    partner_status,
    person,
    plan,
    programme_state,
)
from dealreg_registration.tables_referrals import referral, transfer
from dealreg_shared.heartbeat import heartbeat_table
from dealreg_shared.inbox import inbox_tables
from dealreg_shared.outbox.tables import outbox_tables
from dealreg_shared.web.idempotency import idempotency_table

outbox = outbox_tables(metadata)
inbox = inbox_tables(metadata)
idempotency = idempotency_table(metadata)
heartbeat = heartbeat_table(metadata)

__all__ = [
    "access_key",
    "account",
    "account_key",
    "audit",
    "case_entry",
    "claim",
    "conflict",
    "conflict_claim",
    "decision",
    "delegation",
    "heartbeat",
    "idempotency",
    "inbox",
    "link_key",
    "log_entry",
    "log_gap",
    "log_key",
    "log_node",
    "log_root",
    "log_state",
    "metadata",
    "outbox",
    "partner_status",
    "person",
    "plan",
    "programme_state",
    "referral",
    "registration",
    "registration_contact",
    "ruling",
    "transfer",
]
