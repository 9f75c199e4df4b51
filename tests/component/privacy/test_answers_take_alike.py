"""What is another's answers as what does not exist, in time too, as far as many pairs can tell.

No test here says how long an answer takes. ``DEALREG_TEST_PAIRS`` says how many pairs are compared
(`make alike` takes 10,000 on each database).
"""

import gc
import os
import random
from collections.abc import Iterator
from time import perf_counter_ns

import pytest

from dealreg_shared.ids import new_id
from tests.factories.alike import p_value
from tests.factories.rivals import Rivals

PAIRS = int(os.environ.get("DEALREG_TEST_PAIRS", "400"))
PAIRS_ON_POSTGRES = int(os.environ.get("DEALREG_TEST_PAIRS", "100"))
LEVEL = 0.01
RUNS = 3
"""One in a hundred comparisons of equals falls below the level; three in a row do in a million."""

Route = tuple[str, str, str, str, str]

ROUTES: tuple[Route, ...] = (
    ("registration", "GET", "/v1/registrations/{}", "registration", "reg"),
    ("registration", "GET", "/v1/registrations/{}/timeline", "registration", "reg"),
    ("registration", "GET", "/v1/registrations/{}/proof", "registration", "reg"),
    ("registration", "GET", "/v1/registrations/{}/precedence", "registration", "reg"),
    ("registration", "POST", "/v1/registrations/{}/withdraw", "registration", "reg"),
    ("registration", "GET", "/v1/conflicts/{}", "conflict", "cnf"),
    ("registration", "POST", "/v1/conflicts/{}/answer", "conflict", "cnf"),
    ("registration", "GET", "/v1/referrals/{}", "referral", "ref"),
    ("notifier", "GET", "/v1/notifications/{}", "notification", "ntf"),
    ("notifier", "GET", "/v1/webhooks/{}", "endpoint", "whk"),
)

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def uncollected() -> Iterator[None]:
    """The collector's pauses are nobody's."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("route", ROUTES)
async def test_absent_and_forbidden_take_alike(
    met: Rivals, uncollected: None, route: Route
) -> None:
    await take_alike(met, PAIRS, *route)


@pytest.mark.devstack
@pytest.mark.parametrize("route", ROUTES)
async def test_absent_and_forbidden_take_alike_on_postgresql(
    met_on_postgres: Rivals, uncollected: None, route: Route
) -> None:
    await take_alike(met_on_postgres, PAIRS_ON_POSTGRES, *route)


async def take_alike(
    met: Rivals, pairs: int, service: str, method: str, path: str, kind: str, prefix: str
) -> None:
    who = "pinegate"
    mine = met.ids[kind].get(who, set())
    theirs = sorted({id_ for ids in met.ids[kind].values() for id_ in ids} - mine)[:4]
    absent = [new_id(prefix) for _ in theirs]
    found = []
    for _ in range(RUNS):
        found.append(await compare(met, pairs, who, service, method, path, theirs, absent))
        if found[-1] >= LEVEL:
            return
    pytest.fail(f"{method} {path} tells what exists by how long it takes: p = {found}")


async def compare(
    it: Rivals,
    pairs: int,
    who: str,
    service: str,
    method: str,
    path: str,
    theirs: list[str],
    absent: list[str],
) -> float:
    order = random.Random(pairs)  # noqa: S311  (no secret hangs on it)
    client, headers = it.clients[service], {"authorization": f"Bearer {it.keys[who]}"}
    body = {"text": "Since May."} if path.endswith("answer") else None
    taken: dict[bool, list[float]] = {False: [], True: []}
    for pair in range(pairs + 50):
        turn = [False, True]
        order.shuffle(turn)
        for exists in turn:
            ids = theirs if exists else absent
            address = path.format(ids[pair % len(ids)])
            start = perf_counter_ns()
            answer = await client.request(method, address, headers=headers, json=body)
            duration = perf_counter_ns() - start
            assert answer.status_code == 404
            if pair >= 50:  # the first ones warm caches
                taken[exists].append(duration)
    return p_value(taken[True], taken[False])


def test_the_comparison_tells_what_differs_and_not_what_does_not() -> None:
    rolled = random.Random(7)  # noqa: S311  (no secret hangs on it)
    same = [[rolled.lognormvariate(1, 0.3) for _ in range(1000)] for _ in range(2)]
    slower = [value + 0.2 for value in same[1]]
    assert p_value(same[0], same[1]) > LEVEL
    assert p_value(same[0], slower) < LEVEL
    assert p_value([1.0] * 30, [1.0] * 30) == 1.0
    assert p_value([1.0, 2.0] * 20, [2.0, 1.0] * 20) == 1.0
    false_alarms = sum(
        p_value([rolled.random() for _ in range(60)], [rolled.random() for _ in range(60)]) < LEVEL
        for _ in range(500)
    )
    assert false_alarms < 20, "about one in a hundred"
