"""One line of what ``dealreg doctor`` says."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "behind", "wrong", "not set up"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``what`` was looked at, how it is, and a sentence about it."""

    what: str
    state: State
    detail: str
