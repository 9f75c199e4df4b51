"""Is there such a partner? Asked before staff file for one, since a slip in an id is nobody's filing.

A partner's own key needs no such question: a partner that left the plan is told so by the rules.
"""

from sqlalchemy import Connection

from dealreg_registration.commands import IdempotencyKey
from dealreg_registration.programme import Programme
from dealreg_shared.db import app_now
from dealreg_shared.web import idempotency


def may_be_filed_for(
    conn: Connection, programme: Programme, partner_id: str, key: IdempotencyKey | None
) -> bool:
    """Whether the plan in force has the partner, or ``key`` has an answer from when a plan had.

    True also while no plan is in force: the filing itself is then refused for that.
    """
    plan = programme.current(conn)[0].at(app_now(conn))
    if plan is None or partner_id in plan.partners:
        return True
    if key is None:
        return False
    return idempotency.lookup(conn, key.scope, key.key, key.request_hash) is not None
