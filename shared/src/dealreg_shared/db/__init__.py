"""Databases: one class over SQLite and PostgreSQL, types, migrations."""

from dealreg_shared.db.engine import Database, app_now
from dealreg_shared.db.types import JsonText, UtcDateTime

__all__ = ["Database", "JsonText", "UtcDateTime", "app_now"]
