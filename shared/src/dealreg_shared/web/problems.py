"""Every error as ``application/problem+json`` (RFC 9457), the framework's own included.

A problem names the rule that was broken, and for a body each field as a JSON pointer (RFC 6901). It
never repeats what the caller sent and never tells how the program is made. An unforeseen exception
becomes a 500 that carries nothing but the correlation id, and a database that is away a 503; the
traceback goes to the log.
"""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dealreg_shared.db.faults import is_transient, of_database
from dealreg_shared.telemetry import correlation_id, get_logger

MEDIA_TYPE = "application/problem+json"

MAX_ERRORS = 100
"""Faults listed in one answer; the rest comes when these are mended."""

_FRAMEWORK: Final[Mapping[int, tuple[str, str, str]]] = {
    400: ("bad-request", "The request cannot be read", "The request is not well-formed."),
    404: ("not-found", "There is nothing here", "No such resource, or none that you may see."),
    405: ("method-not-allowed", "Not this method", "See the Allow header for what works here."),
    413: ("body-too-large", "The body is too large", "Send a smaller body."),
    415: ("unsupported-media-type", "Not this media type", "Send `application/json`."),
}


class Problem(HTTPException):
    """An error that the caller is told about. Raise it anywhere inside a request.

    ``code`` is stable and names the rule; ``errors`` lists ``{"field": "/claims/0", "rule": "..."}``.
    It is an ``HTTPException`` because the framework lets no other kind pass while it reads a body.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.status = status
        self.code = code
        self.title = title
        self.errors = tuple(errors)

    def response(self) -> Response:
        """The answer, ready to be sent."""
        body: dict[str, Any] = {
            "type": f"/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [dict(error) for error in self.errors[:MAX_ERRORS]]
        current = correlation_id.get()
        if current is not None:
            body["correlation_id"] = current
        return Response(
            orjson.dumps(_speakable(body)), self.status, self.headers, media_type=MEDIA_TYPE
        )


def install(app: FastAPI) -> None:
    """Turn the errors that the framework finds in ``app`` into problems; the rest is ``Unforeseen``."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _request_validation)


class Unforeseen:
    """ASGI middleware: the last catch. Logs the traceback, answers a 500 that says nothing more."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            return  # nobody is there to be answered
        except Exception as error:  # the outermost layer: what arrives here was foreseen by nobody
            if isinstance(error, Problem) and not started:
                await error.response()(scope, receive, send)
                return
            away = of_database(error) and is_transient(error)
            get_logger(__name__).exception(
                "database unavailable" if away else "request failed",
                method=scope["method"],
                endpoint=getattr(scope.get("endpoint"), "__qualname__", None),
            )
            if started:
                raise  # half an answer is out: the server must cut the connection
            answer = _unavailable() if away else _internal()
            await answer.response()(scope, receive, send)


def _unavailable() -> Problem:
    return Problem(
        503,
        "database-unavailable",
        "Try again in a moment",
        "The database does not answer now. Repeat the request with the same idempotency key.",
        headers={"retry-after": "2"},
    )


def _internal() -> Problem:
    return Problem(
        500,
        "internal-error",
        "Something went wrong here",
        "The fault is ours and has been logged. Tell the operator the correlation id.",
    )


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101  (the framework dispatches by class)
    return error.response()


async def _http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  (the framework dispatches by class)
    code, title, detail = _FRAMEWORK.get(
        error.status_code,
        (f"http-{error.status_code}", HTTPStatus(error.status_code).phrase, str(error.detail)),
    )
    return Problem(error.status_code, code, title, detail, headers=error.headers).response()


async def _request_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  (dispatched by class)
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return malformed_json().response()
    if any(tuple(fault["loc"]) == ("body",) for fault in faults) and not is_json(request):
        return unsupported_media_type(request).response()
    return invalid(faults).response()


def is_json(request: Request) -> bool:
    """Whether the request says that its body is JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def malformed_json(reason: str = "") -> Problem:
    """400: no JSON at all. ``reason`` is the parser's, and names a line and a column."""
    detail = f"The body is not JSON: {reason}." if reason else "The body is not JSON."
    return Problem(400, "malformed-json", "The body cannot be read", detail)


def unsupported_media_type(request: Request) -> Problem:
    """415, or 422 where there is no body at all."""
    if request.headers.get("content-length", "0") == "0" and (
        "transfer-encoding" not in request.headers
    ):
        return invalid([{"type": "missing", "loc": ("body",), "msg": "is required"}])
    return Problem(
        415,
        "unsupported-media-type",
        "Not this media type",
        "Send JSON with `Content-Type: application/json`.",
        headers={"accept": "application/json"},
    )


def invalid(faults: Iterable[Mapping[str, Any]]) -> Problem:
    """422 from the faults of a ``ValidationError`` (or FastAPI's): each field and its rule."""
    return Problem(
        422,
        "invalid-request",
        "The request breaks a rule",
        "Each entry of `errors` names a field and the rule that it breaks.",
        [{"field": pointer(fault["loc"]), "rule": rule(fault)} for fault in faults],
    )


def from_validation(error: ValidationError, prefix: Sequence[str | int] = ()) -> Problem:
    """422 from pydantic's error, without repeating any input."""
    faults = error.errors(include_url=False, include_input=False)
    return invalid([{**fault, "loc": (*prefix, *fault["loc"])} for fault in faults])


def pointer(loc: Sequence[str | int]) -> str:
    """A JSON pointer into the body (``/claims/0``); ``?name`` for a query parameter, ``path name``,
    ``header name`` and so on for the rest."""
    where, *path = [str(part) for part in loc] or ["body"]
    if where == "query":
        return "?" + ".".join(path)
    if where in ("path", "header", "cookie"):
        return f"{where} {'.'.join(path)}"
    if where != "body":
        path = [where, *path]
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


_RULES: Final[Mapping[str, str]] = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "none_required": "must be null or left out",
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "decimal_type": "must be a decimal number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "date_type": "must be a date such as 2027-03-31",
    "date_parsing": "must be a date such as 2027-03-31",
    "date_from_datetime_parsing": "must be a date such as 2027-03-31",
    "datetime_type": "must be a time such as 2027-03-31T12:00:00Z",
    "datetime_parsing": "must be a time such as 2027-03-31T12:00:00Z",
    "datetime_from_date_parsing": "must be a time such as 2027-03-31T12:00:00Z",
    "timezone_aware": "must be a time with its zone, such as 2027-03-31T12:00:00Z",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller whole number",
    "float_parsing": "must be a number",
    "decimal_parsing": "must be a decimal number",
    "bool_parsing": "must be true or false",
}

_COUNTED: Final[Mapping[str, tuple[str, str, str]]] = {
    "too_short": ("at least", "min_length", "item"),
    "too_long": ("at most", "max_length", "item"),
    "string_too_short": ("at least", "min_length", "character"),
    "string_too_long": ("at most", "max_length", "character"),
    "decimal_max_digits": ("at most", "max_digits", "digit"),
    "decimal_max_places": ("at most", "decimal_places", "decimal place"),
}
"""Kind of fault -> the bound, where it stands, and what is counted."""


def rule(fault: Mapping[str, Any]) -> str:
    """The broken rule in words, without the value that broke it."""
    known = _RULES.get(fault["type"])
    if known is not None:
        return known
    if fault["type"] in _COUNTED:
        bound, where, what = _COUNTED[fault["type"]]
        count = fault["ctx"][where]
        return f"must have {bound} {count} {what}{'' if count == 1 else 's'}"
    message = str(fault["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return message.replace("Input should be", "must be").replace("String should", "must")


def _speakable(value: Any) -> Any:
    """``value`` without lone surrogates: a caller can put one into a field's name, which we name."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {name: _speakable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_speakable(item) for item in value]
    return value
