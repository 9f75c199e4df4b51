"""Whether a text mentions a company or a person, by the names that are on record.

Names are compared as whole words. What is also an ordinary word, such as a person's record that is
called "CEO" or a name of one word, mentions nobody. Must not read anything.
"""

import re
from collections.abc import Iterable

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LEGAL_FORM = re.compile(
    r"[\s,]+(incorporated|inc|corporation|corp|company|co|limited|ltd|llc|llp|plc|gmbh|ag|kg|se|sa|sas|"
    r"srl|spa|bv|nv|oy|ab|as|pty|kk)\.?$",
    re.IGNORECASE,
)
SHORTEST = 3
"""Characters of an id or of a name without its legal form, below which it is no mention."""


def mentions_person(text: str, names: Iterable[str | None]) -> bool:
    """Whether it has a mail address, or the full name of one of these persons, in any case."""
    full = (name.split() for name in names if name is not None)
    return _ADDRESS.search(text) is not None or any(
        _has(text, r"\s+".join(re.escape(word) for word in words), re.IGNORECASE)
        for words in full
        if len(words) > 1
    )


def mentions_partner(text: str, partner_id: str, name: str | None) -> bool:
    """Whether it has a partner's id as it is typed, its name in any case, or the name without its legal
    form as it is written."""
    found = len(partner_id) >= SHORTEST and _has(text, re.escape(partner_id))
    if found or name is None or not name.strip():
        return found
    short = _LEGAL_FORM.sub("", name.strip())
    exact = name.strip() if len(name.split()) > 1 else None
    return (exact is not None and _has(text, re.escape(exact), re.IGNORECASE)) or (
        len(short) >= SHORTEST and _has(text, re.escape(short))
    )


def _has(text: str, pattern: str, flags: int = 0) -> bool:
    """As a whole word: no letter, digit, underscore or hyphen goes on from it, but ``'s`` may."""
    return re.search(rf"(?<![\w-]){pattern}(?![\w-])", text, flags) is not None
