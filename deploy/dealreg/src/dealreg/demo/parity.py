"""Our verdicts beside those of the truth file, every difference with its cause.

The only reader of ``registrations_truth.csv``, and only after all verdicts were given. The truth knows
which account each filing is really about; we know what was typed, and identify by certain keys alone.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dealreg.demo import stream
from dealreg_registration.api.schemas import RegistrationBody
from dealreg_registration.domain.identity import normalise_name
from dealreg_registration.filing import Filing

SAME = {
    "protected": ("accept", "accept_after_expiry"),
    "contested": ("conflict",),
    "duplicate": ("duplicate",),
}
"""Our outcome -> the truth's words for it."""

CONTESTED_AGAIN = "an already contested claim filed again"
NO_DOMAIN = "no domain on one side"
NO_LOCATION = "no shared location"
SPELLING = "another spelling"
PUBLIC_BODIES = "equal-named public bodies"
SPLIT = "a stronger key names another account"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided on one event."""

    event_id: str
    outcome: str
    claim_id: str
    account_id: str
    duplicate_of: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    event_id: str
    truth: str
    ours: str
    refers_to: str
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """``merged``: of our accounts, those that hold filings of several true ones."""

    compared: int
    differences: tuple[Difference, ...]
    merged: Mapping[str, tuple[str, ...]]


def compare(folder: Path, verdicts: Iterable[Verdict]) -> Comparison:
    """Hold all verdicts against the truth file in ``folder``."""
    truth = {row["event_id"]: row for row in stream.rows(folder, "registrations_truth.csv")}
    filings = {
        event.event_id: _filing(event)
        for event in stream.read(folder)
        if isinstance(event, stream.Filing)
    }
    names = Counter(normalise_name(row["name"]) for row in stream.rows(folder, "accounts.csv"))
    ours = {verdict.event_id: verdict for verdict in verdicts}
    of_claim = {verdict.claim_id: verdict for verdict in ours.values()}
    different = {
        event_id
        for event_id, verdict in ours.items()
        if truth[event_id]["expected_r1"] not in SAME.get(verdict.outcome, ())
    }
    differences = []
    for event_id in sorted(different):
        verdict, expected = ours[event_id], truth[event_id]
        former = of_claim.get(verdict.duplicate_of or "")
        if former is not None and former.outcome == "contested":
            causes = [CONTESTED_AGAIN]
        elif former is not None and former.event_id in different:
            causes = [f"follows from {former.event_id}"]
        else:
            other = expected["refers_to"]
            causes = _causes(filings[event_id], filings[other], names) if other else []
        differences.append(
            Difference(
                event_id,
                expected["expected_r1"],
                verdict.outcome,
                expected["refers_to"],
                tuple(causes),
            )
        )
    held: defaultdict[str, set[str]] = defaultdict(set)
    for verdict in ours.values():
        held[verdict.account_id].add(truth[verdict.event_id]["account_id"])
    merged = {id_: tuple(sorted(true)) for id_, true in held.items() if len(true) > 1}
    return Comparison(len(ours), tuple(differences), merged)


def _filing(event: stream.Filing) -> Filing:
    body = RegistrationBody.model_validate_json(json.dumps(event.body))
    return body.filing(event.partner_id)


def _causes(mine: Filing, other: Filing, names: Mapping[str, int]) -> list[str]:
    """Why two filings on one true account were not recognised as such."""
    if not set(mine.keys()).isdisjoint(other.keys()):
        return [SPLIT]
    causes = []
    if not (_has_domain(mine) and _has_domain(other)):
        causes.append(NO_DOMAIN)
    written = [normalise_name(f.account_name) for f in (mine, other)]
    if written[0] != written[1]:
        causes.append(SPELLING)
    elif names[written[0]] > 1:
        causes.append(PUBLIC_BODIES)
    if _places(mine).isdisjoint(_places(other)):
        causes.append(NO_LOCATION)
    return causes


def _has_domain(filing: Filing) -> bool:
    certain = filing.keys()
    return any(key.startswith("domain:") for key in certain)


def _places(filing: Filing) -> set[str]:
    facts = filing.facts
    return {place for place in (facts.subdivision, facts.location.postal) if place is not None}
