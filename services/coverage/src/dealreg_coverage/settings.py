"""Coverage's settings: what it shares with all services, its database, and how often it looks."""

from pydantic import Field

from dealreg_shared.config import DatabaseUrl, SharedSettings


class CoverageSettings(SharedSettings):
    """What coverage alone needs to know: its database and its tick."""

    coverage_database_url: DatabaseUrl | None = Field(
        None,
        description="Coverage's own database; without it `coverage.db` (SQLite) in the data folder.",
    )
    coverage_tick_seconds: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="How often it is checked whether time alone has changed a score: a new day, "
        "a plan that comes in force, in seconds.",
    )
