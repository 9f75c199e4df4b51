"""Which decisions a notice offers at one click, from its own facts.

An offer is what its reader may want to do; whether the reader may do it is asked when it is done, by
whoever decides. Must not make a link, nor put an offer into words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

ASKING = frozenset({"ladder", "case_reviewed", "case_reminder", "case_resumed"})
"""Kinds of notices that ask their reader for a decision, where they call upon it."""

MOST_AWARDS = 4
"""Claims that can be awarded by a link each; where there are more, the API is the better place."""

HOLDING = frozenset({"protected", "extended"})
LIVE = HOLDING | {"contested"}


@dataclass(frozen=True, slots=True)
class Offer:
    """``action`` is take, review or decide; ``ruling`` and ``claims`` say which ruling."""

    action: str
    ruling: str | None = None
    claims: tuple[str, ...] = ()
    partner: str | None = None
    line: str | None = None


def offers(kind: str, facts: Mapping[str, Any]) -> tuple[Offer, ...]:
    """What the reader may do about the case; nothing where the notice asks for nothing."""
    called = facts.get("called")
    if kind not in ASKING or not called:
        return ()
    found = [Offer("take"), *_rulings(facts)]
    if called["due_at"] is not None:
        found.append(Offer("review", "uphold_first"))
    return tuple(found)


def expiry(facts: Mapping[str, Any], now: datetime, longest: timedelta) -> datetime:
    """A link made ``now`` counts until the level's deadline, and ``longest`` at most.

    After the deadline, and without one, for ``longest``: the level may act until a higher one took it.
    """
    due_at = (facts.get("called") or {}).get("due_at")
    due = None if due_at is None else datetime.fromisoformat(due_at)
    return now + longest if due is None or due <= now else min(due, now + longest)


def _rulings(facts: Mapping[str, Any]) -> list[Offer]:
    if facts["case_kind"] == "possible_duplicate":
        return [Offer("decide", "same_account"), Offer("decide", "not_same_account")]
    if facts["case_kind"] == "appeal":
        return _on_appeal(facts)
    if facts["case_kind"] != "overlap":
        return []
    live = [claim for claim in facts["claims"] if claim.get("claim_id") and claim["state"] in LIVE]
    if len(live) < 2:
        return []
    first = next((claim for claim in live if claim["state"] in HOLDING), live[0])
    others = [claim for claim in live if claim is not first]
    return [
        Offer("decide", "uphold_first", (), first["partner"], first["line"]),
        *(
            Offer("decide", "award", (claim["claim_id"],), claim["partner"], claim["line"])
            for claim in others[:MOST_AWARDS]
        ),
    ]


def _on_appeal(facts: Mapping[str, Any]) -> list[Offer]:
    """To leave it, or to grant it to the claim that appeals: the one that has ended. The other party
    holds the line, unless its claim ended too meanwhile; then the API is the better place."""
    found = [Offer("decide", "uphold_first")]
    ended = [it for it in facts["claims"] if it.get("claim_id") and it["state"] not in LIVE]
    if len(ended) == 1:
        it = ended[0]
        found.append(Offer("decide", "award", (it["claim_id"],), it["partner"], it["line"]))
    return found
