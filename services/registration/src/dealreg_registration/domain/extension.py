"""Extending a protection: asked for by its partner before it ends, decided by staff, once.

What is granted is stamped then and there: a later plan changes nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from dealreg_registration.domain.account import Account, Claim
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.errors import (
    ExtensionPending,
    NoExtensionPending,
    NothingToExtend,
)


def ask_extension(account: Account, claims: Sequence[Claim], context: Context) -> None:
    """Ask for more time. Raises ``NothingToExtend``, or ``ExtensionPending``: one at a time.

    A claim is extended once; a request that was refused may be made again, with better evidence.
    """
    if not context.plan.policy.extension_days:
        raise NothingToExtend("The plan in force extends no protection.")
    if not claims:
        raise NothingToExtend("None of this registration's claims is protected.")
    for claim in claims:
        if claim.state == "extended":
            raise NothingToExtend(f"The claim on {claim.product_line!r} was extended already.")
        if claim.state != "protected":
            raise NothingToExtend(f"The claim on {claim.product_line!r} is not protected.")
        if claim.flags.extension_asked is not None:
            raise ExtensionPending(f"A request for {claim.product_line!r} is not yet decided.")
    for claim in claims:
        flags = replace(claim.flags, extension_asked=context.now)
        account.move(claim, "extension_asked", context.now, flags=flags)


def grant_extension(account: Account, claims: Sequence[Claim], context: Context) -> None:
    """Add the days of the plan in force to the protection. Raises ``NoExtensionPending``."""
    _require_pending(claims)
    days = context.plan.policy.extension_days
    for claim in claims:
        if claim.protected_until is None:
            continue
        until = claim.protected_until + timedelta(days=days)
        account.move(
            claim,
            "extension_granted",
            context.now,
            (f"Your protection was extended by {days} days, until {until:%Y-%m-%d %H:%M} UTC.",),
            state="extended",
            protected_until=until,
            flags=replace(claim.flags, extension_asked=None, reminded_at=context.now),
        )


def refuse_extension(
    account: Account, claims: Sequence[Claim], reason: str, context: Context
) -> None:
    """The protection ends as it would have. Raises ``NoExtensionPending``."""
    _require_pending(claims)
    for claim in claims:
        flags = replace(claim.flags, extension_asked=None)
        account.move(claim, "extension_refused", context.now, note=reason, flags=flags)


def _require_pending(claims: Sequence[Claim]) -> None:
    if not claims:
        raise NoExtensionPending("No request for an extension is pending here.")
    for claim in claims:
        if claim.flags.extension_asked is None:
            raise NoExtensionPending(f"No request for {claim.product_line!r} is pending.")
