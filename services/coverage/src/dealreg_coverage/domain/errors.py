"""What can be refused here. Each has a stable code and knows no HTTP (see ``api/errors.py``)."""


class CoverageError(Exception):
    """Base of all refusals. ``field`` is a JSON pointer when a part of a request is at fault."""

    code = "coverage-error"

    def __init__(self, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class NoPlan(CoverageError):
    """Nothing can be scored before a plan is in force."""

    code = "no-plan-in-force"


class NoScores(CoverageError):
    """No such partner, or none that the caller may see: both answer alike."""

    code = "scores-not-found"


class NoSuchCell(CoverageError):
    """The plan has no such partner, region, segment or factor."""

    code = "cell-not-found"


class NoHandSetFactor(CoverageError):
    """Nobody set this factor by hand, or its time is over."""

    code = "hand-set-factor-not-found"


class EndDateNotAhead(CoverageError):
    """A hand-set factor must end on a later day than today, and within two years."""

    code = "end-date-not-ahead"
