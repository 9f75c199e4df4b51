"""What a filing would be told of its territory. Reads the plan alone, so that it can tell nothing else.

No account is looked up: not whether one exists, what is known of it, or whether a line is free. Whatever
others have filed, the same preview gives the same bytes (rules.md, section 2, "Always").
"""

from typing import Any

from sqlalchemy import Connection

from dealreg_registration.domain.account import Account
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.decide import LineDecision, decide
from dealreg_registration.domain.errors import NoPlanInForce
from dealreg_registration.domain.filing import resolve_lines
from dealreg_registration.filing import Filing
from dealreg_registration.programme import Programme
from dealreg_shared.db import app_now

ANSWERS = {
    "protected": "in_territory",
    "open": "open",
    "referred": "not_in_territory",
    "rejected": "not_eligible",
}


def preview(conn: Connection, programme: Programme, filing: Filing) -> dict[str, Any]:
    """For each line: in_territory, not_in_territory, open or not_eligible, with the reasons."""
    now = app_now(conn)
    book, standing = programme.current(conn)
    plan = book.at(now)
    if plan is None:
        raise NoPlanInForce("No plan is in force yet; publish one first.")
    context = Context(plan, standing, now)
    account = Account("", filing.account_name, filing.facts, {}, frozenset(filing.keys()))
    decision = decide(
        filing.registration("", account, context),
        resolve_lines(context, filing.product_lines),
        account,
        context,
        new_evidence=bool(filing.evidence),
    )
    return {
        "plan_number": plan.number,
        "claims": [_line(line) for line in decision.lines],
        "note": "A preview tells your territory, not whether somebody has registered the deal. "
        "If it is referred, the account and the product lines are passed on to the target; your name "
        "and everything else only if you consent.",
    }


def _line(line: LineDecision) -> dict[str, Any]:
    told = [step.sentence for step in line.trace if step.rule in (1, 3, 4, 5)]
    return {
        "product_line": line.product_line,
        "answer": ANSWERS[line.outcome],
        "codes": list(line.codes),
        "reasons": told,
    }
