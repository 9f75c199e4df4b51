"""Carry out in time what time has done: expiries and promotions, so that their events come in time.

Settling happens before every command anyway; a sweep is a command that does nothing more.
"""

from collections.abc import Callable
from dataclasses import dataclass

from dealreg_registration.commands import SYSTEM, Actor, Answer, Target, Work
from dealreg_registration.store import due_accounts
from dealreg_registration.writer import AccountWriter
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import Database, app_now
from dealreg_shared.ids import new_id

SWEEP_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Sweep:
    """The command: nothing but the settling that precedes every command."""

    account_id: str
    correlation_id: str
    actor: Actor = SYSTEM
    idempotency: None = None

    @property
    def target(self) -> Target:
        return Target(account_id=self.account_id)

    def run(self, work: Work) -> Answer:
        crashpoint("sweep.decided")
        return Answer(204, b"")


async def sweep(
    database: Database, writer: AccountWriter, some_done: Callable[[], None] = lambda: None
) -> int:
    """Sweep every account on which something is overdue. Returns how many.

    ``some_done`` is called after each part of many.
    """
    swept = 0
    while True:
        due = await writer.programme.read(
            database,
            lambda conn: due_accounts(
                conn, app_now(conn), writer.programme.released(conn), SWEEP_LIMIT
            ),
        )
        crashpoint("sweep.found")
        if due:
            correlation_id = new_id("swp")
            await writer.submit_all([Sweep(account_id, correlation_id) for account_id in due])
        swept += len(due)
        some_done()
        if len(due) < SWEEP_LIMIT:
            return swept
