"""The one map from coverage's domain errors to HTTP. A test proves that none is missing."""

from collections.abc import Mapping

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from dealreg_coverage.domain.errors import CoverageError
from dealreg_shared.web.problems import Problem

STATUS: Mapping[str, tuple[int, str]] = {
    "no-plan-in-force": (404, "No plan is in force yet"),
    "scores-not-found": (404, "There are no such scores"),
    "cell-not-found": (404, "There is no such cell"),
    "hand-set-factor-not-found": (404, "Nothing was set by hand"),
    "end-date-not-ahead": (422, "The end date is not ahead"),
}


def install(app: FastAPI) -> None:
    """Answer every domain error as a problem."""
    app.add_exception_handler(CoverageError, _answer)


async def _answer(_request: Request, error: Exception) -> Response:
    assert isinstance(error, CoverageError)  # noqa: S101  (the framework dispatches by class)
    status, title = STATUS[error.code]
    errors = () if error.field is None else ({"field": error.field, "rule": error.detail},)
    detail = f"{error.detail[:1].upper()}{error.detail[1:]}."
    return Problem(status, error.code, title, detail, errors).response()
