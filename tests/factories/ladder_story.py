"""A case as registration would stamp it, step by step, and the events that tell others of each step."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from dealreg_registration.domain.ladder_terms import LadderTerms
from dealreg_registration.domain.plan import Ladder
from dealreg_registration.domain.stamps import paused, raised, resumed, stamp
from dealreg_shared.contracts import conflict
from dealreg_shared.contracts.base import EventData, Market
from dealreg_shared.ladder import Course, Raise, Stamp, level_at
from tests.factories.registration import START, plan

TERMS = LadderTerms(pause_for_information=True, pause_limit=timedelta(days=30))
MARKET = Market(region="na-west", segment="ent")


class Story:
    """One case. ``course`` is the truth; each step answers with its event, or None if it cannot be."""

    def __init__(
        self,
        conflict_id: str,
        people: Sequence[str | None] = ("mia", "vic", "cleo"),
        terms: LadderTerms = TERMS,
        claims: Sequence[conflict.ConflictClaim] = (),
    ) -> None:
        self.conflict_id = conflict_id
        self.terms = terms
        self.claims = tuple(claims)
        self._plan = plan(ladder_terms=terms, ladder=Ladder({}, *people))
        self.course = Course((Stamp(0, START, ()),))

    def opened(self, at: datetime) -> EventData:
        self.course = Course((stamp(self._plan, at, None, None),))
        return conflict.ConflictOpened(
            conflict_id=self.conflict_id,
            kind="overlap",
            account_id="acc_1",
            account_name="Contoso Ltd",
            market=MARKET,
            plan_number=1,
            opened_at=at,
            claims=self.claims,
            repeat_hours=self.terms.repeat_hours,
            **self._stamped(),
        )

    def reviewed(self, at: datetime) -> EventData | None:
        level = level_at(self.course, at)
        if level == 3:
            return None
        self.course = raised(self.terms, self.course, Raise(level + 1, at, "mia", "review"))
        return conflict.ConflictReviewed(
            **self._named(),
            level=level + 1,
            by="mia",
            recommendation="uphold_first",
            recommended=tuple(claim.claim_id for claim in self.claims[:1]),
            reviewed_at=at,
        )

    def taken(self, at: datetime, level: int, by: str | None = None) -> EventData | None:
        person = by or self.course.stamps[-1].deadlines[level - 1].person_id
        self.course = raised(self.terms, self.course, Raise(level, at, person or "", "taking"))
        return conflict.ConflictTaken(**self._named(), level=level, by=person, taken_at=at)

    def paused(self, at: datetime, length: timedelta) -> EventData | None:
        if self.course.paused(at) is not None or not length:
            return None
        self.course = paused(self.terms, self.course, at, at + length)
        return conflict.ConflictPaused(
            **self._named(),
            registration_id="reg_a",
            partner_id="acme",
            paused_at=at,
            until=at + length,
        )

    def resumed(self, at: datetime) -> EventData | None:
        if self.course.paused(at) is None:
            return None
        self.course = resumed(self.terms, self.course, at)
        return conflict.ConflictResumed(**self._named(), how="answered", resumed_at=at)

    def closed(self, at: datetime, state: Any = "decided") -> EventData:
        self.course = replace(self.course, closed_at=at)
        return conflict.ConflictClosed(
            conflict_id=self.conflict_id,
            account_id="acc_1",
            kind="overlap",
            state=state,
            closed_at=at,
            level=level_at(self.course, at),
        )

    def _named(self) -> dict[str, Any]:
        return {"conflict_id": self.conflict_id, "account_id": "acc_1", **self._stamped()}

    def _stamped(self) -> dict[str, Any]:
        last = self.course.stamps[-1]
        return {
            "generation": last.generation,
            "deadlines": tuple(
                conflict.Deadline(
                    level=rung.level,
                    role=rung.role,  # type: ignore[arg-type]  # one of its words
                    person_id=rung.person_id,
                    due_at=rung.due_at,
                    remind_at=rung.remind_at,
                )
                for rung in last.deadlines
            ),
        }
