"""Row 6: answers get lost on their way; who asks again with the same key gets the one answer."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import httpx
from sqlalchemy import select

from dealreg_shared.bus.port import Message
from dealreg_shared.contracts.catalogue import REGISTRATION
from tests.faults import log
from tests.faults.installation import Installation, until
from tests.faults.programme import enrol, filing
from tests.faults.proof import Lab, Outcome, Row
from tests.faults.proxy import (
    Proxy,
    as_broker,
    each,
    is_commit,
    is_produce,
    is_registration,
    running,
)

CLIENTS = 8
TRIES = 5


def prove(lab: Lab) -> Outcome:
    """Every call is made again until it is answered, and then up to five times in all."""
    calls = lab.count(120, 10_000)
    with lab.installation() as made, _proxies(lab, made) as proxies:
        process = made.start("registration").ready()
        secrets = enrol(made, 4)
        with running(Proxy(process.port, each(7, is_registration))) as api:
            proxies["our API"] = api
            for proxy in proxies.values():
                proxy.losing = True
            answers = asyncio.run(_call(api.port, secrets, calls))
        until(lambda: made.unsent(["registration"]) == 0, "everything is sent", 300)
        process.stop()
        faults = _effects(made, calls) + _answers(answers, calls)
        faults += _order(made, asyncio.run(log.read(made.bus())))
    lost = ", ".join(f"{proxy.lost} of {name}" for name, proxy in proxies.items())
    none_lost = [name for name, proxy in proxies.items() if proxy.lost == 0]
    return Outcome(
        f"{calls} calls, each made 1 to {TRIES} times or until answered; answers lost: {lost}",
        f"{len(faults)} calls with other than one effect or with unlike answers"
        + "".join(f"; {fault}" for fault in faults[:3]),
        kept=not faults and not none_lost,
    )


ROW = Row("6", "lost answers", "1 effect, same status and bytes", prove)


@contextmanager
def _proxies(lab: Lab, made: Installation) -> Iterator[dict[str, Proxy]]:
    """Between registration and its servers, where it has any."""
    if lab.where == "embedded":
        yield {}
        return
    assert lab.postgres is not None and lab.kafka is not None
    broker = int(lab.kafka.bootstrap.rpartition(":")[2])
    with ExitStack() as stack:
        commit = stack.enter_context(running(Proxy(lab.postgres.port, each(11, is_commit))))
        produce = stack.enter_context(
            running(Proxy(broker, each(5, is_produce), as_broker(broker)))
        )
        url = made.databases["registration"]
        made.environment |= {
            "DEALREG_REGISTRATION_DATABASE_URL": url.replace(
                f":{lab.postgres.port}/", f":{commit.port}/"
            ),
            "DEALREG_KAFKA_BOOTSTRAP": f"127.0.0.1:{produce.port}",
        }
        yield {"COMMIT": commit, "Produce": produce}


async def _call(port: int, secrets: Sequence[str], calls: int) -> dict[int, set[tuple[int, bytes]]]:
    """What each call was answered, all its answers taken together."""
    answers: dict[int, set[tuple[int, bytes]]] = defaultdict(set)
    url = f"http://127.0.0.1:{port}/v1/registrations"
    dice = random.Random(6)  # noqa: S311  (can be repeated, no secret)
    waiting = iter([(call, dice.randint(1, TRIES)) for call in range(calls)])

    async def client(http: httpx.AsyncClient) -> None:
        for call, wanted in waiting:
            tries = 0
            while tries < wanted or not answers[call]:
                tries += 1
                try:
                    answer = await http.post(
                        url,
                        headers={
                            "Authorization": f"Bearer {secrets[call % len(secrets)]}",
                            "Idempotency-Key": f"call-{call}",
                        },
                        json=filing(call),
                    )
                except httpx.TransportError:
                    continue
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    answers[call].add((answer.status_code, answer.content))

    async with httpx.AsyncClient(timeout=60) as http:
        await asyncio.gather(*(client(http) for _ in range(CLIENTS)))
    return answers


def _answers(answers: dict[int, set[tuple[int, bytes]]], calls: int) -> list[str]:
    return [
        f"call {call}: answers {sorted(status for status, _ in answers[call])}"
        for call in range(calls)
        if {status for status, _ in answers[call]} != {201} or len(answers[call]) != 1
    ]


def _effects(made: Installation, calls: int) -> list[str]:
    """Each call is for an account of its own, so that registrations can be counted by it."""
    account = made.table("registration", "account")
    registration = made.table("registration", "registration")
    query = select(account.c.name).join(registration, registration.c.account_id == account.c.id)
    counts = Counter(row.name for row in made.rows("registration", query))
    wrong = [f"{name}: {count} registrations" for name, count in counts.items() if count != 1]
    return wrong if len(counts) == calls else [*wrong, f"{len(counts)} accounts for {calls} calls"]


def _order(made: Installation, messages: Sequence[Message]) -> list[str]:
    """Keys whose first appearances in the log are not 1, 2, 3, ... up to what was written."""
    outbox = made.table("registration", "outbox")
    written: dict[str, int] = defaultdict(int)
    for row in made.rows("registration", select(outbox).where(outbox.c.topic == REGISTRATION)):
        written[row.key] = max(written[row.key], row.version)
    seen: dict[str, list[int]] = defaultdict(list)
    for message in messages:
        version = int(dict(message.headers)["keyversion"])
        if message.topic == REGISTRATION and version not in seen[message.key]:
            seen[message.key].append(version)
    return [
        f"{key}: {seen[key]} of {last}"
        for key, last in written.items()
        if seen[key] != list(range(1, last + 1))
    ]
