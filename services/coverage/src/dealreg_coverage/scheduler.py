"""What time alone makes due. The ticking itself is ``dealreg_shared.scheduler``."""

from datetime import timedelta

from dealreg_coverage.handlers.desk import Desk
from dealreg_coverage.handlers.time_passed import time_passed
from dealreg_shared.db import Database
from dealreg_shared.runtime import Tick


def ticks(database: Database, desk: Desk, every: timedelta) -> list[Tick]:
    """One tick: has a day begun, or a plan come in force?"""

    async def look() -> bool:
        return await database.write(lambda conn: time_passed(desk, conn))

    return [Tick("coverage-time", every, look)]
