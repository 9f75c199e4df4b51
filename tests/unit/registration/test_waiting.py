"""Which waiting commands make the next batch: never what a batch in flight works on, order kept."""

import asyncio
from dataclasses import dataclass

from dealreg_registration.commands import SYSTEM, Actor, Answer, IdempotencyKey, Target, Work
from dealreg_registration.waiting import BATCH_LIMIT, Waiting, next_batch, waiting_for


@dataclass(frozen=True)
class Step:
    target: Target
    idempotency: IdempotencyKey | None = None
    actor: Actor = SYSTEM
    correlation_id: str = "test"

    def run(self, work: Work) -> Answer:
        raise AssertionError("nobody runs it")


async def waiting(*keys: str, repeats: str | None = None) -> Waiting:
    await asyncio.sleep(0)
    key = None if repeats is None else IdempotencyKey("acme", repeats, "hash")
    return waiting_for(Step(Target(keys=keys), key))


async def test_accounts_in_flight_wait_and_so_does_what_came_after_for_them() -> None:
    a, ab, b, c = [await waiting(*keys) for keys in ("a", "ab", "b", "c")]
    assert next_batch([a, ab, b, c], {"a"}) == ([c], [a, ab, b])
    assert next_batch([a, ab, b, c], set()) == ([a, ab, b, c], [])


async def test_a_repetition_waits_for_the_first_and_holds_back_what_shares_with_it() -> None:
    first, again = await waiting("a", repeats="k"), await waiting("b", repeats="k")
    later, other = await waiting("b", repeats="l"), await waiting("c", repeats="m")
    assert next_batch([first, again, later, other], set()) == ([first, other], [again, later])
    assert next_batch([again], set(first.marks)) == ([], [again])


async def test_a_batch_has_a_limit() -> None:
    items = [await waiting(str(number)) for number in range(BATCH_LIMIT + 2)]
    assert next_batch(items, set()) == (items[:BATCH_LIMIT], items[BATCH_LIMIT:])


async def test_registrations_and_accounts_named_by_id_are_marks_too() -> None:
    by_registration = waiting_for(Step(Target(registration_id="reg_1")))
    by_account = waiting_for(Step(Target(account_id="acc_1")))
    assert by_registration.marks == {"reg_1"}
    assert next_batch([by_registration, by_account], {"acc_1"})[0] == [by_registration]
