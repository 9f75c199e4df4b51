"""The load generator: keep-alive connections that always have one request in flight.

A process of its own on raw sockets, cheap enough not to be what is measured; it says what share of a
processor it took. It prints one JSON object (``Load`` as a dictionary) and fails on any answer that is
not a success, so that a refused request can never count as a fast one.
"""

import asyncio
import json
import resource
import secrets
import sys
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, cast

import uvicorn

HOT_ACCOUNTS = 10
PATH = "/v1/registrations"
STATES = ("US-CA", "US-NY", "US-TX", "US-WA")
"""Where customers are; partner number n works in the n-th, counted round."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to send. Every ``hot_every``-th request names one of ten hot accounts (0: none does)."""

    port: int
    keys: tuple[str, ...]
    connections: int
    warm_up: float
    seconds: float
    hot_every: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """What came back, after the warm-up: rate per second, milliseconds, share of one processor."""

    rate: float
    answers: int
    p50: float
    p99: float
    cpu: float
    body_bytes: int
    answer_bytes: int


class _Requests:
    """Distinct requests, one after the other."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._run = secrets.token_hex(4)
        self._count = 0

    def next(self) -> bytes:
        """A request of one of the partners, for a customer in its own state."""
        self._count += 1
        count, every = self._count, self._order.hot_every
        partner, name = count, f"c{self._run}{count}"
        if every and count % every == 0:
            turn, hot = divmod(count // every, HOT_ACCOUNTS)
            partner, name = hot % len(STATES) + len(STATES) * (turn % 2), f"hot{hot}"
        body = body_of(name, STATES[partner % len(self._order.keys) % len(STATES)])
        key = self._order.keys[partner % len(self._order.keys)]
        return (
            f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
            f"content-type: application/json\r\nidempotency-key: {self._run}-{self._count}\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode() + body


def body_of(name: str, state: str) -> bytes:
    """A filing for a new customer of this name."""
    return (
        f'{{"account":{{"name":"Customer {name} Inc","domain":"{name}.com","country":"US",'
        f'"subdivision":"{state}","postal_code":"94105","city":"San Francisco","employees":250,'
        '"naics":"522110"},"product_lines":["platform"],"amount":{"amount":"25000.00",'
        '"currency":"USD"},"close_date":"2099-12-31","deal_type":"new","tags":["cloud"],'
        f'"external_reference":"CRM-{name}","contacts":[{{"name":"Kim Doe",'
        '"email":"kim@example.com"}]}'
    ).encode()


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as an answer is complete."""

    def __init__(self, requests: _Requests, load: "_Measure") -> None:
        self._requests = requests
        self._load = load
        self._buffer = b""
        self._needed = 0
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._needed:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            start = self._buffer.find(b"content-length: ") + 16
            self._needed = end + 4 + int(self._buffer[start : self._buffer.find(b"\r", start)])
        if len(self._buffer) < self._needed:
            return
        if self._buffer[9:11] != b"20":
            self._load.failed(self._buffer.decode())
            return
        self._load.answered(perf_counter() - self._sent, self._needed)
        self._buffer, self._needed = b"", 0
        if not self._load.over:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.failed(f"the server closed a connection: {exc}")

    def _send(self) -> None:
        self._sent = perf_counter()
        self._transport.write(self._requests.next())


class _Measure:
    def __init__(self) -> None:
        self.over = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.times: list[float] = []
        self.answer_bytes = 0

    def answered(self, seconds: float, size: int) -> None:
        self.times.append(seconds)
        self.answer_bytes = size

    def failed(self, why: str) -> None:
        if not self.over and not self.done.done():
            self.done.set_exception(RuntimeError(why))


async def run(order: Order) -> Load:
    """Send until the time is over. Raises RuntimeError at the first answer that is no success."""
    loop = asyncio.get_running_loop()
    requests, load = _Requests(order), _Measure()
    for _ in range(order.connections):
        await loop.create_connection(lambda: _Connection(requests, load), "127.0.0.1", order.port)
    await _wait(load, order.warm_up)
    load.times.clear()
    started, cpu = perf_counter(), _cpu()
    await _wait(load, order.seconds)
    elapsed, cpu = perf_counter() - started, _cpu() - cpu
    times = sorted(load.times)
    load.over = True
    if not times:
        raise RuntimeError("no answer came in time")
    return Load(
        rate=len(times) / elapsed,
        answers=len(times),
        p50=1000 * times[len(times) // 2],
        p99=1000 * times[len(times) * 99 // 100],
        cpu=cpu / elapsed,
        body_bytes=len(body_of("c00000000000", STATES[0])),
        answer_bytes=load.answer_bytes,
    )


async def _wait(load: _Measure, seconds: float) -> None:
    await asyncio.wait([load.done], timeout=seconds)
    if load.done.done():
        load.done.result()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Read an ``Order`` as JSON from standard input, print the ``Load``."""
    asked: dict[str, Any] = json.loads(sys.stdin.read())
    order = Order(**asked | {"keys": tuple(asked["keys"])})
    factory = uvicorn.Config(app="", loop="auto", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        print(json.dumps(asdict(runner.run(run(order)))))


if __name__ == "__main__":
    main()
