"""ETags from version numbers, and ``If-Match``, so that nobody overwrites what they have not seen.

Source: RFC 9110, sections 8.8.3 and 13.1.1; RFC 6585, section 3 (428).
"""

import re

from starlette.datastructures import Headers
from starlette.requests import Request

from dealreg_shared.web.problems import Problem

_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e]*)"\s*(?:,|$)')


def etag(version: int) -> str:
    """The strong tag of a resource's version."""
    return f'"v{version}"'


def check_if_match(request: Request | Headers, version: int) -> None:
    """Raises ``Problem`` 428 without ``If-Match``, 412 if it does not name ``version``.

    Call it inside the transaction that changes the resource, after the version was read there.
    """
    headers = request.headers if isinstance(request, Request) else request
    given = headers.get("if-match")
    if given is None:
        raise _required()
    if given.strip() == "*" or etag(version).strip('"') in _strong_tags(given):
        return
    raise Problem(
        412,
        "version-changed",
        "Somebody changed it meanwhile",
        "`If-Match` does not name the current version; read it again, then decide anew.",
        headers={"etag": etag(version)},
    )


def versions_seen(request: Request | Headers) -> frozenset[int] | None:
    """The versions that ``If-Match`` names, to be compared inside a transaction; None for ``*``, any.

    Raises ``Problem`` 428 without ``If-Match``.
    """
    headers = request.headers if isinstance(request, Request) else request
    given = headers.get("if-match")
    if given is None:
        raise _required()
    if given.strip() == "*":
        return None
    numbers = (tag.removeprefix("v") for tag in _strong_tags(given))
    return frozenset(int(number) for number in numbers if number.isdecimal())


def _required() -> Problem:
    return Problem(
        428,
        "if-match-required",
        "Say which version you change",
        "Send the ETag that you were given as `If-Match`.",
    )


def _strong_tags(given: str) -> set[str]:
    tags: set[str] = set()
    position = 0
    while match := _TAG.match(given, position):
        if match.group(1) is None:
            tags.add(match.group(2))
        position = match.end()
    return tags if position == len(given) else set()
