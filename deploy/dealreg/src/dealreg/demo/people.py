"""The people of the simulated vendor: who settles a case of the stream, when, and how.

A documented, fixed policy in place of chance: each draw is a hash of the case's kind, account and
instant of opening, so that every run tells the same. Of all cases, 70 % are decided by the first level
in its time; 15 % by the second after the first missed its deadline, 5 % by it after the first passed the
case up; 5 % by the last, after the second missed its own; 5 % by nobody. Of rulings on an overlap 80 %
uphold the first and the rest award the line to the next; of rulings on an appeal 70 % leave what was
ruled. Two accounts that may be one are left two, so that what the stream files later is decided as it
would be without people. One in eight who lose by a manager or the VP appeals a
day later. All act over HTTP, by their keys.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from dealreg.demo.simulation import RequestFailed, Simulation
from dealreg_shared.contracts.conflict import ConflictOpened, Deadline

LAST_LEVEL_TAKES = timedelta(hours=24)
"""The last level has no deadline; the simulated one needs so long at most."""

HIGHEST_APPEALED = 2
"""Nobody appeals a ruling of the last level: the reviewer does not act in this programme."""

LOST = frozenset({"closed", "revoked"})
"""What a claim is that a ruling ended."""

UNDECIDED_LEFT = {"possible_duplicate": "not_same_account"}
"""Ruling by kind of case where there is nothing to choose."""


@dataclass(frozen=True, slots=True)
class Fate:
    """``deadline`` is the level that decides, at ``at``; ``passed_up_at``: the one below hands over."""

    deadline: Deadline
    at: datetime
    passed_up_at: datetime | None = None


def draw(case: ConflictOpened, what: str) -> float:
    """A number in [0, 1) that belongs to this case and question alone, the same in every run."""
    seed = f"{what}|{case.kind}|{case.account_name}|{case.opened_at.isoformat()}"
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:6], "big") / 2**48


def fate(case: ConflictOpened) -> Fate | None:
    """Who decides the case, and when; None: nobody ever does."""
    who, when = draw(case, "who"), draw(case, "when")
    if who >= 0.95:
        return None
    steps = 0 if who < 0.70 else 1 if who < 0.90 else 2
    place = min(steps, len(case.deadlines) - 1)
    deadline = case.deadlines[place]
    begins = case.opened_at if place == 0 else case.deadlines[place - 1].due_at
    if begins is None:
        raise ValueError(f"level {place} of {case.conflict_id} has no deadline, but one above it")
    if place and 0.85 <= who < 0.90:
        passed_up = case.opened_at + (begins - case.opened_at) * draw(case, "review")
        at = _between(passed_up, deadline.due_at, when)
        return Fate(deadline, at, passed_up)
    return Fate(deadline, _between(begins, deadline.due_at, when))


def _between(start: datetime, end: datetime | None, share: float) -> datetime:
    """An instant after ``start`` and before ``end``, on a whole second."""
    span = LAST_LEVEL_TAKES if end is None else end - start
    return (start + span * (0.02 + 0.96 * share)).replace(microsecond=0)


class People:
    """Hears of every case that opens and acts on it in its time."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self.overtaken = 0
        """Acts that were refused because the case or the claim had moved on meanwhile."""

    def hear(self, case: ConflictOpened) -> None:
        """Of a case that was opened just now."""
        found = fate(case)
        if found is None:
            return
        if found.passed_up_at is not None:
            self._sim.at(found.passed_up_at, lambda: self._pass_up(case))
        self._sim.at(found.at, lambda: self._decide(case, found.deadline))

    async def _pass_up(self, case: ConflictOpened) -> None:
        below = case.deadlines[0]
        seen = await self._seen(case)
        if seen is not None and below.person_id is not None:
            await self._act(
                below.person_id,
                f"/v1/conflicts/{case.conflict_id}/review",
                seen["version"],
                {
                    "recommendation": UNDECIDED_LEFT.get(case.kind, "uphold_first"),
                    "text": "Nothing that the rules do not say already.",
                },
            )

    async def _decide(self, case: ConflictOpened, deadline: Deadline) -> None:
        seen = await self._seen(case)
        if seen is None or deadline.person_id is None:
            return
        decided = await self._act(
            deadline.person_id,
            f"/v1/conflicts/{case.conflict_id}/decide",
            seen["version"],
            ruling(case, seen),
        )
        appeals = deadline.level <= HIGHEST_APPEALED and draw(case, "appeal") < 0.125
        if decided and case.kind == "overlap" and appeals:
            self._sim.at(self._sim.clock() + timedelta(days=1), lambda: self._appeal(case))

    async def _appeal(self, case: ConflictOpened) -> None:
        after = await self._sim.call("GET", f"/v1/conflicts/{case.conflict_id}")
        lost = next((c for c in after["claims"] if c["state"] in LOST), None)
        if lost is None:
            return
        body = {
            "product_line": lost["product_line"],
            "text": "We brought this project to the customer.",
            "evidence": ["minutes of the first meeting, signed by the customer"],
        }
        await self._try(
            self._sim.call(
                "POST",
                f"/v1/registrations/{lost['registration_id']}/appeal",
                as_partner=lost["partner_id"],
                json=body,
            )
        )

    async def _seen(self, case: ConflictOpened) -> Any:
        """The case as it stands; None if it is closed."""
        seen = await self._sim.call("GET", f"/v1/conflicts/{case.conflict_id}")
        return seen if seen["closed_at"] is None else None

    async def _act(self, person: str, path: str, version: int, body: Mapping[str, Any]) -> bool:
        return await self._try(
            self._sim.call(
                "POST",
                path,
                as_person=person,
                json=body,
                headers={"if-match": f'"v{version}"'},
            )
        )

    async def _try(self, call: Any) -> bool:
        """Whether it was done. What a person finds overtaken is given up and counted."""
        try:
            await call
        except RequestFailed as refused:
            if refused.status != HTTPStatus.CONFLICT:
                raise
            self.overtaken += 1
            return False
        return True


def ruling(case: ConflictOpened, seen: Mapping[str, Any]) -> dict[str, Any]:
    """What is ruled on a case as it stands: the body of the request."""
    if (only := UNDECIDED_LEFT.get(case.kind)) is not None:
        return {"ruling": only, "reason": "Two customers by all that is known."}
    if case.kind == "appeal" and draw(case, "what") >= 0.70:
        appealed = next(claim for claim in case.claims if claim.state in LOST)
        return {
            "ruling": "award",
            "claim": appealed.claim_id,
            "reason": "The new evidence counts.",
        }
    waiting = [claim for claim in seen["claims"] if claim["state"] == "contested"]
    if case.kind == "overlap" and draw(case, "what") >= 0.80 and waiting:
        return {
            "ruling": "award",
            "claim": waiting[0]["id"],
            "reason": "The customer's project began with the later claim.",
        }
    return {"ruling": "uphold_first", "reason": "First to register, and nothing speaks against it."}
