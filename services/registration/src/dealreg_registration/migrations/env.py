"""Alembic's entry for registration's database."""

from dealreg_registration.tables import metadata
from dealreg_shared.db.migrate import run_env

run_env(metadata)
