"""What a decision reads besides the filing and the account."""

from dataclasses import dataclass
from datetime import datetime

from dealreg_registration.domain.plan import Plan, Standing


@dataclass(frozen=True, slots=True)
class Context:
    """All that a decision reads besides the filing and the account."""

    plan: Plan
    standing: Standing
    now: datetime
