"""Row 5: the whole log, consumed three times and shuffled across keys, makes the same state."""

import asyncio
from collections.abc import Sequence

from dealreg_shared.bus.port import Message
from tests.faults import log
from tests.faults.installation import Installation
from tests.faults.proof import Lab, Outcome, Row

TIMES = 3


def prove(lab: Lab) -> Outcome:
    """Make a log, then consume it once as it is, and three times in shuffled orders."""
    events = log.make_log(lab, lab.count(40, 2000))
    hashes = []
    for copies in ([events], [log.shuffled(events, seed) for seed in range(TIMES)]):
        with lab.installation() as target:
            hashes.append(asyncio.run(_consume(target, copies)))
    once, shuffled = hashes
    return Outcome(
        f"{len(events)} events, once and {TIMES} times shuffled across keys",
        f"coverage {'the same' if once[0] == shuffled[0] else 'DIFFERENT'}, "
        f"notifier {'the same' if once[1] == shuffled[1] else 'DIFFERENT'} ({once[1][:12]})",
        kept=once == shuffled,
    )


ROW = Row("5", "replay", "the state's hash is the same", prove)


async def _consume(target: Installation, copies: Sequence[Sequence[Message]]) -> tuple[str, str]:
    """New services on a new log: the hashes of coverage's and notifier's state."""
    bus = target.bus()
    for copy in copies:
        await log.publish(bus, copy)
    async with log.coverage_on(target, bus) as service:
        await log.drained(service)
        of_coverage = await log.coverage_hash(service)
    async with log.notifier_on(target, bus) as service:
        await log.drained(service)
        of_notifier = await log.notifier_hash(service)
    await bus.close()
    return of_coverage, of_notifier
