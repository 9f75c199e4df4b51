"""Alembic's entry point; the runner is ``dealreg_shared.db.migrate``."""

from dealreg_notifier.tables import metadata
from dealreg_shared.db.migrate import run_env

run_env(metadata)
