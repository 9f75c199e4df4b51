"""Questions about the past, for staff. A partner asks its own registrations for their timeline."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from dealreg_registration.api.callers import STAFF
from dealreg_registration.api.errors import not_found
from dealreg_registration.history_reading import who_was_protected_view
from dealreg_registration.programme import Programme
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.contracts.base import format_instant
from dealreg_shared.db import Database, app_now
from dealreg_shared.web.problems import Problem


def history_router(
    database: Database, programme: Programme, authenticator: Authenticator
) -> APIRouter:
    """Routes under ``/v1/history``."""
    router = APIRouter(prefix="/v1/history", tags=["history"])
    Staff = Annotated[Principal, Depends(authenticator.require(*STAFF))]

    @router.get("/who-was-protected", summary="Who held a product line at an instant")
    async def who_was_protected(
        _caller: Staff,
        account: Annotated[str, Query(description="The account's id", max_length=64)],
        product: Annotated[str, Query(description="A product line, or a SKU", max_length=64)],
        at: Annotated[datetime, Query(description="With zone")],
        known_at: Annotated[
            datetime | None,
            Query(description="With zone; from `at` to now. Left out: as known now"),
        ] = None,
    ) -> dict[str, Any]:
        """The holder, who shared its protection, and the standby behind it, each with the decision that
        put it there. With `known_at` equal to `at` the answer is the one that was given then, under the
        plan and the facts of that time. Later than that, corrections count back to when what they
        correct took effect; they are listed."""
        instants = {"at": _in_utc("at", at)}
        if known_at is not None:
            instants["known_at"] = _in_utc("known_at", known_at)
        now = await database.read(app_now)
        for name, instant in instants.items():
            if instant > now:
                raise _unfit(name, f"must not be after now, {format_instant(now)}")
        known = instants.get("known_at", now)
        if known < instants["at"]:
            raise _unfit("known_at", "must not be before `at`")
        view = await programme.read(
            database,
            lambda conn: who_was_protected_view(
                conn, programme, account, product, instants["at"], known, max(now, app_now(conn))
            ),
        )
        if view is None:
            raise not_found()
        return view

    return router


def _in_utc(name: str, value: datetime) -> datetime:
    try:
        if value.tzinfo is not None:
            return value.astimezone(UTC)
    except OverflowError:
        pass
    raise _unfit(name, "must be a time with a zone, such as ...Z")


def _unfit(name: str, rule: str) -> Problem:
    return Problem(
        422,
        "invalid-request",
        "The request breaks a rule",
        "The question cannot be answered.",
        [{"field": f"?{name}", "rule": rule}],
    )
