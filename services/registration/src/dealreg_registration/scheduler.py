"""The ticks of registration: what time alone makes due, and the log over what was decided."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from dealreg_registration.handlers.seal_log import LogSealer
from dealreg_registration.handlers.sweep import sweep
from dealreg_registration.signing_keys import SigningKeys
from dealreg_registration.writer import AccountWriter
from dealreg_shared.db import Database
from dealreg_shared.runtime import Tick
from dealreg_shared.turns import Turns
from dealreg_shared.web.idempotency import forget_old

SWEEP_EVERY = timedelta(seconds=1)

PLANS_EVERY = timedelta(seconds=1)

SEAL_EVERY = timedelta(seconds=1)

FORGET_EVERY = timedelta(hours=1)


def ticks(
    database: Database,
    writer: AccountWriter,
    load_plans: Callable[[], Awaitable[None]],
    keys: SigningKeys,
    sealer: LogSealer,
    keep_answers: timedelta,
) -> list[Tick]:
    """Plans that another process published, compiled ahead of need; expiries and promotions, so that
    their events come in time; the sealing of what was committed; answers too old for a retry."""
    swept, forgotten = Turns(), Turns()

    async def sweep_due() -> None:
        await sweep(database, writer, swept)

    async def seal_log() -> None:
        await keys.refresh(database)
        await sealer.seal()

    return [
        Tick("registration-plans", PLANS_EVERY, load_plans),
        Tick("registration-sweep", SWEEP_EVERY, sweep_due, swept),
        Tick("registration-seal", SEAL_EVERY, seal_log, sealer.turned),
        Tick(
            "registration-answers",
            FORGET_EVERY,
            forget_old(database, keep_answers, forgotten),
            forgotten,
        ),
    ]
