"""What stands in an account's journal beside the steps of claims and cases: values alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision as it is kept: canonical inputs and result, both JSON values."""

    registration_id: str
    at: datetime
    kind: Literal["filing", "lines", "facts", "promotion", "referral"]
    plan_number: int
    inputs: Mapping[str, Any]
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AccountEdited:
    """Staff corrected the account: which facts changed, and its parent if they named one."""

    account_id: str
    at: datetime
    changed: tuple[str, ...]
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class AccountMerged:
    """``merged_id`` is part of ``account_id`` from now on; in the journals of both."""

    account_id: str
    merged_id: str
    at: datetime
    reason: str | None = None
