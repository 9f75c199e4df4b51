"""The one map from notifier's domain errors to HTTP. A test proves that none is missing."""

from collections.abc import Mapping

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from dealreg_notifier.domain.errors import NotifierError
from dealreg_shared.web.problems import Problem

STATUS: Mapping[str, tuple[int, str]] = {
    "no_such_notification": (404, "There is no such notification"),
    "no_such_escalation": (404, "There is no such escalation"),
    "no_such_delivery": (404, "There is no such delivery"),
    "delivery_not_dead": (409, "This delivery was not put aside"),
    "no_such_person": (404, "There is no such person"),
    "not_your_preferences": (403, "These are another's preferences"),
    "not_your_inbox": (403, "This is another's inbox"),
    "no_such_bounce": (404, "No address of this person is refused"),
    "no_such_endpoint": (404, "There is no such endpoint"),
    "not_your_endpoint": (403, "You may not manage endpoints of this owner"),
    "too_many_endpoints": (409, "This owner has too many endpoints"),
    "endpoint_has_no_secret": (409, "This kind of endpoint has no secret"),
    "endpoint_off": (409, "This endpoint is switched off"),
}


def install(app: FastAPI) -> None:
    """Answer every domain error as a problem."""
    app.add_exception_handler(NotifierError, _answer)


async def _answer(_request: Request, error: Exception) -> Response:
    assert isinstance(error, NotifierError)  # noqa: S101  (the framework dispatches by class)
    status, title = STATUS[error.code]
    return Problem(status, error.code.replace("_", "-"), title, f"{error}.").response()
