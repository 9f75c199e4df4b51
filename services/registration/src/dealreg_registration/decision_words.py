"""What decision pages say, in words; rendered to HTML that needs no script and nothing from outside.

Must not read anything: what is shown was read and allowed before.
"""

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dealreg_registration.decision_view import ClaimShown, Confirmation, Told
from dealreg_registration.domain.case_steps import ROLES
from dealreg_shared.links import Link

KINDS = {
    "overlap": "overlap of claims",
    "possible_duplicate": "possible duplicate account",
    "direct_engagement": "direct sales already engaged",
    "contradiction": "contradicting results",
    "appeal": "appeal",
}

RULINGS = {
    "uphold_first": "the first claim was upheld",
    "award": "another claim was awarded",
    "split": "the product lines were split",
    "co_sell": "the partners sell together",
    "release_all": "all claims were released",
    "correct_record": "the record was corrected",
    "same_account": "it is one account",
    "not_same_account": "these are two accounts",
}


def confirmation_page(shown: Confirmation, *, reason: str = "", fault: str | None = None) -> str:
    """The page that asks: the case in short, what will happen, and a button."""
    link, case = shown.link, shown.case
    title, does, button = _action(shown)
    return _render(
        "confirm.html.j2",
        title=title,
        does=does,
        button=button,
        fault=fault,
        account=shown.account_name,
        other_account=case.other_account_name,
        matched_by=case.matched_by,
        kind=KINDS.get(case.kind, case.kind),
        market=f"{shown.market[0] or 'no region'} / {shown.market[1] or 'segment unknown'}",
        opened_at=moment(case.opened_at),
        level=shown.level,
        due_at=None if shown.due_at is None else moment(shown.due_at),
        claims=[
            {
                "partner": claim.partner,
                "product_line": claim.product_line,
                "state": claim.state,
                "protected_until": _maybe(claim.protected_until),
                "chosen": claim.chosen,
            }
            for claim in shown.claims
        ],
        version=case.version,
        wants_reason=wants_reason(link),
        reason_label="Your reason" if link.action == "decide" else "Why you pass it up",
        reason=reason,
        expires_at=moment(link.expires_at),
    )


def told_page(told: Told, *, again: bool = False) -> str:
    """The page that says why there is nothing to confirm, or what has just been done."""
    title, *sentences = _told(told.why, told.facts)
    return _render("told.html.j2", title=title, sentences=sentences, again=again)


def wants_reason(link: Link) -> bool:
    """A ruling needs a reason, and so does a recommendation."""
    return link.action in ("decide", "review")


def policy() -> str:
    """The Content-Security-Policy of these pages: their own style by its hash, and a form to here."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def moment(at: datetime) -> str:
    """Such as ``2 Mar 2026 13:00 UTC``."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y %H:%M} UTC"


def _maybe(at: datetime | None) -> str | None:
    return None if at is None else moment(at)


def _action(shown: Confirmation) -> tuple[str, str, str]:
    """Title, what the button does, and its words."""
    link, on_appeal = shown.link, shown.case.kind == "appeal"
    if link.action == "take":
        return (
            "Take this case?",
            "You say that you are at it. Levels below yours may comment, and no longer decide.",
            "Take the case",
        )
    if link.action == "review":
        return (
            "Pass this case up?",
            "The next level becomes responsible now. You recommend to "
            + ("leave it as it was decided." if on_appeal else "uphold the first claim."),
            "Pass it up",
        )
    if link.ruling == "award":
        chosen = _names([claim for claim in shown.claims if claim.chosen])
        if on_appeal:
            return (
                f"Grant the appeal of {chosen}?",
                f"{chosen} becomes the protected partner on the product line; who holds it now loses "
                "it. Both sides are told, in words that name nobody.",
                f"Grant the appeal of {chosen}",
            )
        return (
            f"Award this case to {chosen}?",
            f"{chosen} becomes the protected partner on the lines of its registration; the other "
            "claims there end. Both sides are told, in words that name nobody.",
            f"Award it to {chosen}",
        )
    if link.ruling == "uphold_first" and on_appeal:
        return (
            "Leave it as it was decided?",
            "What was decided before stands, and this appeal is over. Both sides are told, in words "
            "that name nobody.",
            "Leave it as it was decided",
        )
    if link.ruling == "uphold_first":
        return (
            "Uphold the first claim?",
            "Who holds the product line keeps it; the claims that wait behind it in this case end. "
            "Both sides are told, in words that name nobody.",
            "Uphold the first",
        )
    if link.ruling == "same_account":
        return (
            "Is it one account?",
            "You say that both accounts are the same customer.",
            "Yes, one",
        )
    return ("Are these two accounts?", "You say that these are different customers.", "Yes, two")


def _names(claims: list[ClaimShown]) -> str:
    return " and ".join(dict.fromkeys(claim.partner for claim in claims)) or "the claim you chose"


def _told(why: str, facts: Mapping[str, Any]) -> tuple[str, ...]:
    if why == "settled":
        return ("This case is settled already", _settled(facts), "Nothing is left to do.")
    if why == "expired":
        return (
            "This link has expired",
            f"It worked until {moment(facts['expires_at'])}. Nothing was done with it now.",
            "Look for a newer mail about this case, or decide it by the API.",
        )
    if why == "no_authority":
        return ("You cannot do this now", facts["reason"], "Nothing was changed.")
    if why == "changed":
        return ("Somebody was faster", facts["reason"], "Nothing was changed by you.")
    if why == "refused":
        return ("This cannot be done", facts["reason"], "Nothing was changed.")
    if why == "done":
        return (facts["title"], facts["sentence"], "You may close this page.")
    return (
        "This link does not work",
        "It is incomplete, or no longer trusted. Nothing was done with it.",
        "Open the mail again and follow the link in it, or decide the case by the API.",
    )


def _settled(facts: Mapping[str, Any]) -> str:
    closed_at = moment(facts["closed_at"])
    if "ruling" not in facts:
        return f"It closed by itself on {closed_at}: its claims no longer meet."
    ruled = RULINGS.get(facts["ruling"], facts["ruling"])
    by = "" if facts["role"] is None else f" by the {ROLES.get(facts['role'], facts['role'])}"
    return f"It was decided{by} on {closed_at}: {ruled}."


def _render(template: str, **values: Any) -> str:
    return _pages().get_template(template).render(style=Markup(_style()), **values)  # noqa: S704  (our own)


@cache
def _style() -> str:
    return (
        (files("dealreg_registration") / "pages" / "style.css").read_text(encoding="utf-8").strip()
    )


@cache
def _pages() -> Environment:
    return Environment(
        loader=PackageLoader("dealreg_registration", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
