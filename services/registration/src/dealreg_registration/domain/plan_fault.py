"""What is wrong with a plan: where, which rule, in words, and what would be allowed."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

NEAREST_AMONG = 20_000
"""Ids among which a near one is looked for; more would take longer than it helps."""


@dataclass(frozen=True, slots=True)
class Fault:
    """``path`` is a JSON pointer into the document (RFC 6901), ``code`` is stable, ``sentence`` is for
    people, ``allowed`` says what may stand there. A warning does not keep a plan from being published.
    """

    path: str
    code: str
    sentence: str
    allowed: str | None = None
    severity: Literal["fault", "warning"] = "fault"


def warning(path: str, code: str, sentence: str, allowed: str | None = None) -> Fault:
    """Something that may be meant, and often is not."""
    return Fault(path, code, sentence, allowed, "warning")


def join(path: str, *parts: str | int) -> str:
    """A JSON pointer, continued."""
    return path + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def nearest(given: str, known: Iterable[str]) -> str | None:
    """The known id that ``given`` was probably meant to be."""
    pool = list(known)
    if not given or len(pool) > NEAREST_AMONG:
        return None
    found = get_close_matches(given, pool, n=1, cutoff=0.6)
    if found:
        return found[0]
    folded = {name.casefold(): name for name in pool}
    return folded.get(given.casefold())


def listed(values: Iterable[str], limit: int = 12) -> str:
    """The allowed values in words, not more than ``limit`` of them."""
    names = sorted(values)
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
