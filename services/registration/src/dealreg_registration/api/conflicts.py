"""Reading conflicts; accounts, for staff. What people do with a conflict is in ``case_acts``."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from dealreg_registration import case_reading, reading
from dealreg_registration.api.acting import Acting, respond
from dealreg_registration.api.callers import DECIDERS, READERS, STAFF, actor_of
from dealreg_registration.api.errors import not_found
from dealreg_registration.api.schemas import AccountEditBody
from dealreg_registration.api.schemas_handover import MergeBody
from dealreg_registration.case_statistics import statistics
from dealreg_registration.domain.case import CaseKind, CaseState
from dealreg_registration.handlers.edit_account import EditAccount
from dealreg_registration.handlers.merge_accounts import MergeAccounts
from dealreg_registration.handlers.sweep import sweep
from dealreg_registration.writer import AccountWriter
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import Database
from dealreg_shared.telemetry import current
from dealreg_shared.web import etag
from dealreg_shared.web.bodies import JsonBody
from dealreg_shared.web.paging import DEFAULT_LIMIT, After, Limit
from dealreg_shared.web.problems import Problem


def _no_parent() -> Problem:
    return Problem(
        422,
        "invalid-request",
        "The request breaks a rule",
        "An account's parent is another account.",
        [{"field": "/parent_id", "rule": "must be the id of another account"}],
    )


def conflicts_router(
    database: Database, writer: AccountWriter, authenticator: Authenticator
) -> APIRouter:
    """Routes under ``/v1/conflicts`` and ``/v1/accounts``."""
    router = APIRouter(prefix="/v1")
    programme = writer.programme
    acting = Acting(database, writer)
    Staff = Annotated[Principal, Depends(authenticator.require(*STAFF))]
    Reader = Annotated[Principal, Depends(authenticator.require(*READERS))]
    Decider = Annotated[Principal, Depends(authenticator.require(*DECIDERS))]

    @router.get("/conflicts", tags=["conflicts"], summary="Conflicts, the newest first")
    async def list_conflicts(
        _caller: Staff,
        state: CaseState | None = None,
        kind: CaseKind | None = None,
        limit: Limit = DEFAULT_LIMIT,
        after: After = None,
    ) -> dict[str, Any]:
        """Each with its level and the time left, as they are now."""
        await sweep(database, writer)
        items, following = await database.read(
            lambda conn: case_reading.conflict_page(conn, state, kind, after, limit)
        )
        return {"items": items, "next": following}

    @router.get(
        "/conflicts/statistics",
        tags=["conflicts"],
        summary="How conflicts were settled, by quarter",
    )
    async def read_statistics(
        _caller: Staff,
        quarters: Annotated[int, Query(ge=1, le=40, description="How many, up to now")] = 4,
    ) -> dict[str, Any]:
        """Opened, decided by level, ruled against similar cases, and how long it took: median and worst.
        Quarters of the calendar in UTC, the present one last."""
        await sweep(database, writer)
        return await database.read(lambda conn: statistics(conn, quarters))

    @router.get("/conflicts/{conflict_id}", tags=["conflicts"], summary="One conflict")
    async def read_conflict(conflict_id: str, caller: Reader, response: Response) -> dict[str, Any]:
        """For staff: the claims in true order, what each side filed, how the rules came to it, who may
        act by when, and its history. A partner that is a party sees its own claims and what it is
        asked."""
        await sweep(database, writer)
        if not caller.is_staff:
            partner_id = caller.partner_id or ""
            view = await database.read(
                lambda conn: case_reading.party_detail(conn, conflict_id, partner_id)
            )
        else:
            view = await programme.read(
                database, lambda conn: case_reading.conflict_detail(conn, programme, conflict_id)
            )
        if view is None:
            raise not_found()
        if caller.is_staff:
            response.headers["etag"] = etag.etag(view["version"])
        return view

    @router.get("/accounts", tags=["accounts"], summary="Accounts, the oldest first")
    async def list_accounts(
        _caller: Staff,
        key: str | None = None,
        limit: Limit = DEFAULT_LIMIT,
        after: After = None,
    ) -> dict[str, Any]:
        """`key` finds the account that holds a key, such as `domain:example.com`."""
        items, following = await programme.read(
            database, lambda conn: reading.account_page(conn, programme, key, after, limit)
        )
        return {"items": items, "next": following}

    @router.get("/accounts/{account_id}", tags=["accounts"], summary="One account")
    async def read_account(account_id: str, _caller: Staff, response: Response) -> dict[str, Any]:
        views = await programme.read(
            database, lambda conn: reading.account_detail(conn, programme, [account_id])
        )
        if not views:
            raise not_found()
        response.headers["etag"] = etag.etag(views[0]["version"])
        return views[0]

    @router.patch("/accounts/{account_id}", tags=["accounts"], summary="Correct an account")
    async def edit_account(
        request: Request,
        account_id: str,
        body: JsonBody[AccountEditBody],
        principal: Decider,
    ) -> Response:
        """Staff's word on an account's facts counts over partners'. Open and referred claims are decided
        again; a running protection is never taken away. For the partner manager of the account's
        market, or above, or an admin. Needs `If-Match`."""
        key = await acting.key_of(request, principal)
        if (earlier := await acting.repeated(key)) is not None:
            return earlier
        views = await programme.read(
            database, lambda conn: reading.account_detail(conn, programme, [account_id])
        )
        if not views:
            raise not_found()
        etag.check_if_match(request, views[0]["version"])
        if (parent := body.parent_id) is not None:
            known = await programme.read(
                database, lambda conn: reading.account_detail(conn, programme, [parent])
            )
            if not known or parent == account_id:
                raise _no_parent()
        answer = await writer.submit(
            EditAccount(
                account_id,
                actor_of(principal),
                current(),
                body.facts.facts() if body.facts is not None else None,
                body.parent_id,
                views[0]["version"],
                key,
            )
        )
        crashpoint("account.committed")
        return respond(answer)

    @router.post(
        "/accounts/{account_id}/merge", tags=["accounts"], summary="Say that two accounts are one"
    )
    async def merge(
        request: Request, account_id: str, body: JsonBody[MergeBody], principal: Decider
    ) -> Response:
        """The other account becomes part of this one. Nothing is renumbered or revoked; where
        protections clash the earlier stays, the later goes on standby and a conflict opens. For the
        partner manager of both markets, or above. Needs `If-Match` with this account's version; a retry
        with the same `Idempotency-Key` gets the first answer."""
        key = await acting.key_of(request, principal)
        seen, actor = etag.versions_seen(request), actor_of(principal)
        answer = await writer.submit(
            MergeAccounts(
                account_id, body.other_account_id, actor, current(), body.reason, seen, key
            )
        )
        crashpoint("merge.committed")
        return respond(answer)

    return router
