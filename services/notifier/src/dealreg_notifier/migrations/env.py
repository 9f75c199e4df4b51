"""Alembic's entry point; the runner is ``dealreg_shared.db.migrate``."""

from dealreg_shared.db.migrate import run_env

from dealreg_notifier.tables import metadata

run_env(metadata)
