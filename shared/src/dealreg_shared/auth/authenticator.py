"""Turns an ``Authorization: Bearer drk_...`` header into a ``Principal``, or into a 401, 403 or 429.

An absent, mistyped, unknown, wrong, expired or revoked key answers the same 401, so that nothing can be
learned by trying. What was read about a key is trusted for a few seconds; ``forget`` ends that at once.
Rate limits count per key in this process: with several processes behind a balancer a caller gets each
process's limit.
"""

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from time import monotonic
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Table
from starlette.datastructures import Headers

from dealreg_shared.auth.access import find_access
from dealreg_shared.auth.keys import hash_key, key_id_of
from dealreg_shared.auth.principal import Principal
from dealreg_shared.auth.rate import CallCounter
from dealreg_shared.contracts.people import AccessKeyUpdated, Role
from dealreg_shared.db import Database
from dealreg_shared.web.problems import Problem

CACHE_SECONDS = 3.0
CACHE_KEYS = 10_000

_SCHEME = HTTPBearer(auto_error=False, description="An API key, `drk_...`", bearerFormat="API key")


@dataclass(frozen=True, slots=True)
class _Known:
    """A key that was checked, and until when (monotonic seconds) the check holds."""

    principal: Principal
    expires_at: datetime
    calls_per_minute: int
    until: float


class Authenticator:
    """One per service. ``now`` is real time, also where business time is simulated."""

    def __init__(
        self,
        database: Database,
        table: Table,
        now: Callable[[], datetime],
        *,
        cache_seconds: float = CACHE_SECONDS,
    ) -> None:
        self._database = database
        self._table = table
        self._now = now
        self._cache_seconds = cache_seconds
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._looking: dict[str, asyncio.Task[_Known]] = {}
        self._calls = CallCounter()

    async def authenticate(self, headers: Headers, *roles: Role) -> Principal:
        """The caller, if its key is good, its role is among ``roles`` (none given: any role) and it has
        calls left. Raises ``Problem`` 401, 403 or 429. Waits for the database only when the key was
        not seen in the last seconds."""
        known = await self._good(headers)
        self._count(known)
        if roles and known.principal.role not in roles:
            raise Problem(
                403,
                "role-not-allowed",
                "Your role may not do this",
                f"This needs the role {' or '.join(roles)}; your key has {known.principal.role}.",
            )
        return known.principal

    async def still_good(self, headers: Headers) -> bool:
        """Whether the key is good, without counting a call: for what goes on after a request."""
        try:
            await self._good(headers)
        except Problem:
            return False
        return True

    async def _good(self, headers: Headers) -> _Known:
        secret = _bearer(headers)
        if secret is None:
            raise _unauthorized()
        key_hash = hash_key(secret)
        known = self._known.get(key_hash)
        if known is None or known.until <= monotonic():
            known = await self._look_up_once(secret, key_hash)
        if known.expires_at <= self._now():
            raise _unauthorized()
        return known

    def require(self, *roles: Role) -> Callable[..., Awaitable[Principal]]:
        """A FastAPI dependency that gives the caller: ``Depends(authenticator.require("admin"))``."""

        async def caller(
            request: Request,
            _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_SCHEME)],
        ) -> Principal:
            return await self.authenticate(request.headers, *roles)

        return caller

    def forget(self, key_id: str | None = None) -> None:
        """Read this key, or all, anew at its next use. Call it after a change was committed here."""
        for key_hash, known in list(self._known.items()):
            if key_id is None or known.principal.key_id == key_id:
                del self._known[key_hash]
        self._looking.clear()  # what a look-up under way has read may be out of date

    async def _look_up_once(self, secret: str, key_hash: str) -> _Known:
        """One look-up for all callers that wait for the same key: under load six of them do, which
        cost 2 % of the processor's time."""
        task = self._looking.get(key_hash)
        if task is None:
            task = asyncio.create_task(self._look_up(secret, key_hash), name="access-key")
            self._looking[key_hash] = task
            task.add_done_callback(lambda done: self._looked(key_hash, done))
        return await asyncio.shield(task)

    def _looked(self, key_hash: str, task: "asyncio.Task[_Known]") -> None:
        if self._looking.get(key_hash) is task:
            del self._looking[key_hash]

    async def _look_up(self, secret: str, key_hash: str) -> _Known:
        key_id = key_id_of(secret)
        if key_id is None:
            raise _unauthorized()
        access: AccessKeyUpdated | None = await self._database.read(
            lambda conn: find_access(conn, self._table, key_id)
        )
        if (
            access is None
            or not hmac.compare_digest(access.key_hash, key_hash)
            or access.revoked_at is not None
        ):
            self._known.pop(key_hash, None)
            raise _unauthorized()
        known = _Known(
            Principal(access.key_id, access.role, access.partner_id, access.person_id),
            access.expires_at,
            access.requests_per_minute,
            monotonic() + self._cache_seconds,
        )
        self._known[key_hash] = known
        self._known.move_to_end(key_hash)
        if len(self._known) > CACHE_KEYS:
            self._known.popitem(last=False)
        return known

    def _count(self, known: _Known) -> None:
        limit = known.calls_per_minute
        seconds = self._calls.take(known.principal.key_id, limit, monotonic())
        if not seconds:
            return
        wait = max(1, ceil(seconds))
        raise Problem(
            429,
            "too-many-requests",
            "Too many requests",
            f"This key may call {limit} times a minute; try again in {wait} s.",
            headers={
                "retry-after": str(wait),
                "ratelimit-policy": f'"key";q={limit};w=60',
                "ratelimit": f'"key";r=0;t={wait}',
            },
        )


def _bearer(headers: Headers) -> str | None:
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" and secret else None


def _unauthorized() -> Problem:
    return Problem(
        401,
        "unauthorized",
        "A valid API key is needed",
        "Send a current key as `Authorization: Bearer drk_...`.",
        headers={"www-authenticate": 'Bearer realm="dealreg"'},
    )
