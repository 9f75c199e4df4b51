"""Make a stored decision again, from nothing but its stored inputs and the plan it names.

Pure. The result equals the stored one, value for value, as long as the rule book is the same one.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from dealreg_registration.domain import facts, flags
from dealreg_registration.domain.account import Account, Claim, Registration
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.decide import RULE_BOOK, decide
from dealreg_registration.domain.facts import Disagreement, Location
from dealreg_registration.domain.inputs import describe_result
from dealreg_registration.domain.plan import Plan, Standing, StatusPeriod
from dealreg_registration.domain.promotion import Because, describe_promotion, next_in_line


class NotReplayable(Exception):
    """The inputs lead to no decision at all: they are not those of a stored one."""


def replay(
    inputs: Mapping[str, Any], plan: Plan, standing: Standing | None = None
) -> dict[str, Any]:
    """The result of the decision made from ``inputs`` (written by ``domain.inputs``) under ``plan``.

    The inputs name the suspended partners that the plan of the day asked for. Another plan may ask for
    others: give it the ``standing`` of history. Raises ``NotReplayable``.
    """
    now = datetime.fromisoformat(inputs["now"])
    if standing is None:
        suspended = inputs.get("suspended", ())
        standing = Standing({one: [StatusPeriod(now, suspended=True)] for one in suspended})
    account = _account(inputs, plan, now)
    if "standby" in inputs:
        causes: tuple[Because, ...] = ("confirmed", "answered")
        because: Because = next((cause for cause in causes if cause in inputs), "ended")
        only = inputs.get(because)
        promotion = next_in_line(
            account, plan, standing, inputs["standby"], now, only=only, because=because
        )
        if promotion is None:
            raise NotReplayable("nobody on standby could be promoted")
        return describe_promotion(promotion, plan.number, RULE_BOOK)
    filed = inputs["filing"]
    filing = _registration(
        filed["registration"],
        filed["partner"],
        filed,
        now,
        amount=Decimal(filed["amount"]),
        currency=filed["currency"],
        amount_base=Decimal(filed["amount_base"]),
        close_date=date.fromisoformat(filed["close_date"]),
        deal_type=filed["deal_type"],
    )
    account.registrations.setdefault(filing.id, filing)
    account.incumbents = dict(inputs.get("incumbents", {}))
    decision = decide(
        filing,
        inputs["lines"],
        account,
        Context(plan, standing, now),
        new_evidence=inputs.get("new_evidence", False),
        disagreements=[Disagreement(fact, None, None) for fact in inputs.get("disagreements", ())],
        again=inputs.get("again", False),
        asked=frozenset(inputs.get("asked", ())),
    )
    return describe_result(decision)


def _account(inputs: Mapping[str, Any], plan: Plan, now: datetime) -> Account:
    account = Account(
        id="",
        name="",
        facts=facts.from_json(inputs["facts"]),
        sources={},
        keys=frozenset(inputs["keys"]),
        parent_keys=frozenset(inputs.get("parent_keys", ())),
        last_place=inputs["last_place"],
    )
    registrations = inputs.get("registrations", {})
    for item in inputs.get("claims", ()):
        claim = Claim(
            id=item["claim"],
            registration_id=item["registration"],
            partner_id=item["partner"],
            product_line=item["line"],
            place=item["place"],
            state=item["state"],
            decided_at=now,
            plan_number=plan.number,
            protected_until=datetime.fromisoformat(item["until"]) if "until" in item else None,
            taken_at=datetime.fromisoformat(item["taken_at"]) if "taken_at" in item else None,
            flags=flags.from_json(item.get("flags")),
        )
        account.claims[claim.id] = claim
        deal = registrations[claim.registration_id]
        account.registrations[claim.registration_id] = _registration(
            claim.registration_id,
            claim.partner_id,
            deal,
            datetime.fromisoformat(deal["activity"]),
        )
    return account


def _registration(
    id_: str, partner_id: str, deal: Mapping[str, Any], activity: datetime, **known: Any
) -> Registration:
    """A registration with what decisions read of it; of another's than the filing's that is little."""
    values: dict[str, Any] = {
        "amount": Decimal(0),
        "currency": "",
        "amount_base": Decimal(0),
        "close_date": date.max,
        "deal_type": "new",
    }
    return Registration(
        id=id_,
        partner_id=partner_id,
        account_name="",
        filed_at=activity,
        place_of_use=Location(*deal.get("place_of_use", ())),
        tags=frozenset(deal.get("tags", ())),
        reseller_id=deal.get("reseller"),
        distributor_id=deal.get("distributor"),
        market_region=None,
        market_segment=None,
        last_activity_at=activity,
        **values | known,
    )
