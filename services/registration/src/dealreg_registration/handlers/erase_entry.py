"""Erase what somebody wrote on a case: a row of its own, which nothing else repeats."""

from sqlalchemy import Connection, select, update

from dealreg_registration.programme_store import write_audit
from dealreg_registration.tables_accounts import case_entry
from dealreg_shared.db import app_now


def erase_entry(conn: Connection, conflict_id: str, entry_id: str, actor: str) -> bool:
    """Take the text out of the entry. False if the case has no such entry."""
    mine = (case_entry.c.id == entry_id) & (case_entry.c.conflict_id == conflict_id)
    row = conn.execute(select(case_entry.c.text).where(mine)).first()
    if row is None:
        return False
    if row.text is not None:
        conn.execute(update(case_entry).where(mine).values(text=None))
        detail = {"erased": entry_id}
        write_audit(conn, app_now(conn), actor, "conflict.erased", conflict_id, detail)
    return True
