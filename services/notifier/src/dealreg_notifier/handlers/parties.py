"""What the parties of a case hear: each from its own claims, in its own spelling of the account."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from dealreg_notifier import directory
from dealreg_notifier.handlers import ladder
from dealreg_notifier.notices import Draft, partner
from dealreg_notifier.tables import Fields
from dealreg_shared.contracts.envelope import Event

HOLDING = frozenset({"protected", "extended"})
LIVE = HOLDING | {"contested"}


def case_names(conn: Connection, plan_number: int, claims: Sequence[Fields]) -> directory.Names:
    return directory.names(
        conn,
        plan_number,
        lines=[claim["product_line"] for claim in claims],
        partners=[claim["partner_id"] for claim in claims],
    )


def claim_spellings(conn: Connection, claims: Iterable[Fields]) -> dict[str, str]:
    """Registration id -> the account's name as its own partner filed it."""
    return directory.spellings(conn, [claim["registration_id"] for claim in claims])


def party_drafts(
    event: Event[Any],
    claims: Iterable[Fields],
    names: directory.Names,
    spellings: Mapping[str, str],
    kind: str,
    facts: Mapping[str, Any],
    of_claim: Callable[[Fields], Mapping[str, Any]] | None = None,
    *,
    on_appeal: bool = False,
) -> list[Draft]:
    """One notice per partner with a claim in the case, from its own claims alone. In an appeal, who has
    no live claim is who appeals; the other side is not told that it is one."""
    by_partner: dict[str, list[Fields]] = {}
    for claim in claims:
        by_partner.setdefault(claim["partner_id"], []).append(claim)
    drafts = []
    for partner_id, own in by_partner.items():
        registrations = list(dict.fromkeys(claim["registration_id"] for claim in own))
        drafts.append(
            Draft(
                kind=kind,
                recipient=partner(partner_id),
                subject=event.data.conflict_id,
                cause=str(event.id),
                facts={
                    **facts,
                    "conflict_id": event.data.conflict_id,
                    "account": spellings.get(registrations[0], "Your account"),
                    "registrations": registrations,
                    "lines": ladder.lines(own, names),
                    **({} if of_claim is None else {"claims": [dict(of_claim(c)) for c in own]}),
                    "holding": any(claim["state"] in HOLDING for claim in own),
                    "appeals": on_appeal and not any(claim["state"] in LIVE for claim in own),
                },
                correlation_id=event.correlationid,
            )
        )
    return drafts
