"""Events that coverage emits. Topic ``dealreg.coverage``, key = market id (``region/segment``)."""

from typing import Literal

from dealreg_shared.contracts.base import EventData, Instant, Market


class ScoreChanged(EventData):
    """A partner's score in a market, in tenths of a per cent (850 is 85.0 %); None: no score."""

    partner_id: str
    market: Market
    former: int | None
    score: int | None
    as_of: Instant
    because: tuple[str, ...] = ()


class GapOpened(EventData):
    """A market fell short of the plan."""

    market: Market
    gap_class: Literal["High", "Medium", "Low"]
    priority: Literal["P1", "P2", "P3"]
    as_of: Instant
    reason: str


class GapClosed(EventData):
    """A market that fell short does so no longer, or falls short in another class."""

    market: Market
    gap_class: Literal["High", "Medium", "Low"]
    priority: Literal["P1", "P2", "P3"]
    as_of: Instant
