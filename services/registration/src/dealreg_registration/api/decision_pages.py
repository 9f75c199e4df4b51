"""Decisions from a mail: a page that asks, a form that does it. The link is the credential.

GET and HEAD change nothing, so that mail scanners, which follow every link, decide no case. The form
posts to the link's own address, and its command is the API's own, for the link's person, on the version
of the case that the page showed.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import HTMLResponse, Response

from dealreg_registration import decision_view, decision_words, naming
from dealreg_registration.case_store import other_account_of
from dealreg_registration.commands import Actor, Command
from dealreg_registration.decision_view import Confirmation, Told
from dealreg_registration.domain import errors
from dealreg_registration.domain.errors import DomainError
from dealreg_registration.domain.ruling import Ruling
from dealreg_registration.handlers.decide_case import DecideCase
from dealreg_registration.handlers.sweep import sweep
from dealreg_registration.handlers.work_on_case import ReviewCase, TakeCase
from dealreg_registration.writer import AccountWriter
from dealreg_shared.db import Database
from dealreg_shared.links import Link
from dealreg_shared.telemetry import current
from dealreg_shared.web.bodies import MAX_TEXT
from dealreg_shared.web.idempotency import no_key
from dealreg_shared.web.texts import storable

Token = Annotated[str, Path(description="From a mail")]

HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "x-frame-options": "DENY",
}

DONE = {
    "take": ("You have taken the case", "It is recorded that you are at it."),
    "review": ("You have passed the case up", "The next level is told."),
    "decide": ("The case is decided", "Your ruling is carried out, and both sides are told."),
}


def decision_router(database: Database, writer: AccountWriter) -> APIRouter:
    """The pages under ``/decide``."""
    routes = APIRouter(tags=["decisions from a mail"])
    programme = writer.programme

    async def look(token: str) -> Confirmation | Told:
        link = await database.read(lambda conn: decision_view.opened(conn, token))
        if isinstance(link, Told):
            return link
        await sweep(database, writer)
        return await programme.read(
            database, lambda conn: decision_view.look(conn, programme, token)
        )

    @routes.get("/decide/{token}", summary="Look before you decide", response_class=HTMLResponse)
    async def show(token: Token) -> Response:
        """The case in short, and a form that asks for confirmation. Changes nothing."""
        shown = await look(token)
        if isinstance(shown, Told):
            return _page(decision_words.told_page(shown), shown.status)
        return _page(decision_words.confirmation_page(shown), 200)

    @routes.head("/decide/{token}", include_in_schema=False)
    async def head(token: Token) -> Response:
        answer = await show(token)
        return Response(status_code=answer.status_code, headers=dict(answer.headers))

    @routes.post(
        "/decide/{token}",
        summary="Confirm it",
        response_class=HTMLResponse,
        openapi_extra=no_key("the form carries the case's version, so that it acts once."),
    )
    async def confirm(token: Token, request: Request) -> Response:
        """Does what the page asked about, if the case is still as the page showed it. The form has
        `version` and, for a ruling or a recommendation, `reason`."""
        shown = await look(token)
        if isinstance(shown, Told):
            return _page(decision_words.told_page(shown), shown.status)
        version, reason = await _form(request)
        if decision_words.wants_reason(shown.link) and (fault := _unfit(reason)):
            page = decision_words.confirmation_page(shown, reason=reason, fault=fault)
            return _page(page, 422)
        try:
            if shown.link.action == "decide":
                await programme.read(
                    database,
                    lambda conn: naming.check_names_nobody(
                        conn, programme, shown.link.conflict_id, reason
                    ),
                )
            other = await database.read(lambda conn: other_account_of(conn, shown.link.conflict_id))
            await writer.submit(_command(shown.link, shown.actor, version, reason, other))
        except errors.NamesAPerson as error:
            page = decision_words.confirmation_page(shown, reason=reason, fault=str(error))
            return _page(page, 422)
        except DomainError as error:
            return await _refused(token, error)
        title, sentence = DONE[shown.link.action]
        return _page(
            decision_words.told_page(Told("done", 200, {"title": title, "sentence": sentence})), 200
        )

    async def _refused(token: str, error: DomainError) -> Response:
        """What happened between the page and its confirmation."""
        after = await look(token)
        if isinstance(after, Told):
            return _page(decision_words.told_page(after), after.status)
        changed = isinstance(error, errors.CaseChanged)
        told = Told("changed" if changed else "refused", 412 if changed else 409, {})
        told.facts["reason"] = str(error)
        return _page(decision_words.told_page(told, again=True), told.status)

    return routes


def _command(
    link: Link,
    actor: Actor,
    version: int,
    reason: str,
    other: str | None,
) -> Command:
    seen = frozenset({version})
    if link.action == "take":
        return TakeCase(link.conflict_id, actor, current(), seen)
    if link.action == "review":
        return ReviewCase(link.conflict_id, actor, current(), seen, text=reason)
    ruling = Ruling(decision_view.ruling_kind(link), claim_id=next(iter(link.claims), None))
    return DecideCase(link.conflict_id, actor, current(), ruling, reason, seen, other)


async def _form(request: Request) -> tuple[int, str]:
    """Version and reason. A version that is no number is none that anybody has seen."""
    async with request.form(max_files=0, max_fields=10) as form:
        version, reason = form.get("version"), form.get("reason")
    number = version if isinstance(version, str) else ""
    text = reason if isinstance(reason, str) else ""
    seen = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
    return seen, text.replace("\r\n", "\n").strip()


def _unfit(reason: str) -> str | None:
    """What is wrong with a reason."""
    if not reason:
        return "A reason is needed; it is kept with the case."
    if len(reason) > MAX_TEXT:
        return f"The reason is too long; {MAX_TEXT} characters are the most."
    return None if storable(reason) else "The reason has characters that cannot be stored."


def _page(html: str, status: int) -> HTMLResponse:
    return HTMLResponse(
        html, status, {**HEADERS, "content-security-policy": decision_words.policy()}
    )
