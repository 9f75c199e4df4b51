"""Which account a filing is about: certain keys only (rules.md, section 6).

External identifiers namespaced by their issuer are stronger than the registrable domain, which is
stronger than the exact normalised legal name in one place. A key identifies an account only if no
stronger key of the two disagrees. Similar names are not certain and are not looked at here: a later
resolver may add candidates to what ``resolve`` returns, never keys.

Keys are strings that say what made them: ``id:lei:5493001KJTIIGC8Y1R12``, ``domain:example.com``,
``name1:acme inc|US|94105``, ``name1:acme inc|US|US-CA``. The digit is the version of the normaliser.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

NORMALISER = "name1"

_LEGAL_FORMS = {
    "incorporated": "inc",
    "corporation": "corp",
    "company": "co",
    "limited": "ltd",
    "aktiengesellschaft": "ag",
    "and": "&",
}
"""One spelling for words that are written out or abbreviated at will. Nothing is ever dropped."""


def _spaced(c: str) -> str:
    if c.isalnum() or unicodedata.combining(c):
        return c
    return " & " if c == "&" else "" if c in ".'’" else " "


_ASCII = {code: _spaced(chr(code)) for code in range(128)}
"""Most names are ASCII alone; spares them 3 us."""


def normalise_name(name: str) -> str:
    """The exact legal name, whatever case, punctuation, blanks or width it was typed in.

    Two names that differ in a word or in a letter stay different. Never empty for a name that has a
    letter or digit in any script.
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    spaced = folded.translate(_ASCII) if folded.isascii() else "".join(map(_spaced, folded))
    return " ".join(_LEGAL_FORMS.get(word, word) for word in spaced.split())


def external_key(issuer: str, value: str) -> str:
    compact = "".join(value.split()).upper()
    return f"id:{issuer.strip().casefold()}:{compact}"


def domain_key(registrable_domain: str) -> str:
    return f"domain:{registrable_domain}"


def name_keys(
    name: str, country: str | None, subdivision: str | None, postal_code: str | None
) -> list[str]:
    """The keys of a name in its place, the narrower first; none without country or place."""
    normal = normalise_name(name)
    if not normal or country is None:
        return []
    keys = []
    if postal_code is not None:
        compact = "".join(c for c in postal_code.upper() if c.isalnum())
        if compact:
            keys.append(f"{NORMALISER}:{normal}|{country}|{compact}")
    if subdivision is not None:
        keys.append(f"{NORMALISER}:{normal}|{country}|{subdivision}")
    return keys


@dataclass(frozen=True, slots=True)
class Resolution:
    """The account that a filing's keys name, if any.

    ``matched_by`` is the key that decided. ``also`` is another account that a weaker key, ``also_by``,
    names.
    ``attach`` are the filing's keys that nobody holds yet.
    """

    account_id: str | None
    matched_by: str | None
    also: str | None
    attach: tuple[str, ...]
    also_by: str | None = None


def resolve(
    keys: Sequence[str],
    holder_of: Mapping[str, str],
    keys_of: Mapping[str, Iterable[str]],
) -> Resolution:
    """Find the account. ``keys`` are strongest first; ``holder_of`` maps known keys to accounts."""
    hits: list[tuple[str, str]] = []
    for index, key in enumerate(keys):
        account_id = holder_of.get(key)
        if account_id is not None and not _disagree(keys[:index], keys_of.get(account_id, ())):
            hits.append((key, account_id))
    attach = tuple(key for key in keys if key not in holder_of)
    if not hits:
        return Resolution(None, None, None, attach)
    matched_by, account_id = hits[0]
    also_by, also = next((hit for hit in hits[1:] if hit[1] != account_id), (None, None))
    return Resolution(account_id, matched_by, also, attach, also_by)


def strength(key: str) -> int:
    """0 for external identifiers, the strongest, then domains, then names."""
    return 0 if key.startswith("id:") else 1 if key.startswith("domain:") else 2


def contradicts(keys: Iterable[str], other: Iterable[str], by: str) -> bool:
    """Whether two sets of keys that share ``by`` disagree on a stronger kind that both have."""
    limit = strength(by)
    ours = {key for key in keys if strength(key) < limit}
    theirs = {key for key in other if strength(key) < limit}
    for kind in {_kind(key) for key in ours} & {_kind(key) for key in theirs}:
        if not any(_kind(key) == kind for key in ours & theirs):
            return True
    return False


def _disagree(stronger: Iterable[str], held: Iterable[str]) -> bool:
    """Whether a stronger key of the filing contradicts the account's keys of the same kind."""
    held = tuple(held)
    for key in stronger:
        kind = _kind(key)
        if kind == NORMALISER or key in held:
            continue
        if any(_kind(other) == kind for other in held):
            return True
    return False


def _kind(key: str) -> str:
    """What must agree: an issuer's identifiers, domains, names."""
    if key.startswith("id:"):
        return key[: key.index(":", 3)]
    return key.partition(":")[0]
