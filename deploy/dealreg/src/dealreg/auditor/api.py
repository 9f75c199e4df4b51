"""The auditor's one question: is everything as it must be?"""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from dealreg.auditor.auditor import Auditor
from dealreg.auditor.report import AuditHealth
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.contracts.people import Role
from dealreg_shared.db.faults import is_transient
from dealreg_shared.web.problems import Problem

ROLES: tuple[Role, ...] = ("admin", "auditor", "partner_manager", "vp", "ceo")

LOOK_UP_SECONDS = 3.0


def router(auditor: Auditor, authenticators: Sequence[Authenticator]) -> APIRouter:
    """``authenticators``: one per service, for a key is known to all and any database may be away."""
    routes = APIRouter(tags=["audit"])
    scheme = HTTPBearer(auto_error=False, description="An API key, `drk_...`")

    async def caller(
        request: Request,
        _documented: Annotated[HTTPAuthorizationCredentials | None, Security(scheme)],
    ) -> Principal:
        for authenticator in authenticators:
            try:
                async with asyncio.timeout(LOOK_UP_SECONDS):
                    return await authenticator.authenticate(request.headers, *ROLES)
            except Exception as error:
                if not is_transient(error):
                    raise
        raise Problem(
            503,
            "keys-not-reachable",
            "No key can be checked",
            "None of the databases that know keys answers; see the log and /metrics.",
        )

    @routes.get("/v1/audit/health", response_model=AuditHealth)
    async def health(_caller: Annotated[Principal, Depends(caller)]) -> AuditHealth:
        """What the auditor knows: every check, every fault with a sentence and ids, and when all was
        last clean."""
        return auditor.health()

    return routes
