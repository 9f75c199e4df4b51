"""Alembic's entry for registration's database."""

from dealreg_registration import tables_accounts, tables_programme  # noqa: F401  (fill the metadata)
from dealreg_registration.metadata import metadata
from dealreg_shared.db.migrate import run_env

run_env(metadata)
