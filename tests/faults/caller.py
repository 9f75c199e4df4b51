"""Somebody who calls the services and does not give up: what got no answer is asked again.

A call goes with an idempotency key of its own and is repeated with it, word by word, until an answer
comes. Every acknowledged call is kept, so that a proof can ask for it once more at the end.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

PATIENCE = 90.0
"""Seconds for which a call is repeated: a killed process comes back within them."""

KEYED = tuple(
    f"/v1/{name}" for name in ("registrations", "conflicts", "referrals", "transfers", "plans")
)
"""Paths of registration whose POST and PATCH heed an idempotency key."""


class Refused(AssertionError):
    """An answer that the story does not expect, or none at all."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A call with its key and the answer that was given."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]
    status: int
    answer: bytes


@dataclass(slots=True)
class Caller:
    """Calls as each of ``keys``. ``urls``: service -> where it answers."""

    urls: Mapping[str, str]
    keys: dict[str, str]
    client: httpx.AsyncClient
    acknowledged: list[Acknowledged] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    repeated: int = 0

    async def call(
        self,
        who: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        service: str = "registration",
        version: str | None = None,
        done: Collection[int] = (),
    ) -> httpx.Response:
        """One call, until it is answered. ``version`` goes as If-Match.

        ``done``: statuses that say, to a repetition, that the first try was carried out; for calls that
        no key protects. Raises ``Refused``.
        """
        headers = {"authorization": f"Bearer {self.keys[who]}"}
        if version is not None:
            headers["if-match"] = version
        keyed = method in ("POST", "PATCH") and service == "registration"
        if keyed:
            headers["idempotency-key"] = uuid4().hex
        raw = b"" if body is None else json.dumps(body).encode()
        if raw:
            headers["content-type"] = "application/json"
        answer, repeated = await self._answered(method, self.urls[service] + path, headers, raw)
        if answer.is_success:
            if keyed and (path.startswith(KEYED) or path.endswith("/merge")):
                self.acknowledged.append(
                    Acknowledged(
                        method,
                        path,
                        raw,
                        headers,
                        answer.status_code,
                        answer.content,
                    )
                )
        elif not (repeated and answer.status_code in done):
            raise Refused(f"{who} {method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer

    async def again(self, call: Acknowledged) -> httpx.Response:
        """An acknowledged call once more, with its key."""
        url = self.urls["registration"] + call.path
        answer, _ = await self._answered(call.method, url, call.headers, call.body)
        return answer

    async def _answered(
        self, method: str, url: str, headers: Mapping[str, str], raw: bytes
    ) -> tuple[httpx.Response, bool]:
        began, repeated = time.monotonic(), False
        while True:
            try:
                answer = await self.client.request(method, url, headers=headers, content=raw)
            except httpx.TransportError as error:
                if time.monotonic() - began > PATIENCE:
                    raise Refused(f"{method} {url} got no answer: {error!r}") from error
                self.repeated += 1
                repeated = True
                await asyncio.sleep(0.1)
                continue
            self.statuses[answer.status_code] += 1
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return answer, repeated
            if time.monotonic() - began > PATIENCE:
                raise Refused(f"{method} {url}: {answer.status_code} {answer.text[:300]}")
            await asyncio.sleep(0.2)
