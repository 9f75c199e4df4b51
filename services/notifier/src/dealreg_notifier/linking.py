"""Makes the links with which a person decides from a mail: one per offer, signed for that person alone.

Links are made when a message leaves and are kept nowhere. Must not send them anywhere but to the person.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dealreg_notifier.deliveries import Claimed
from dealreg_notifier.domain.offers import Offer, expiry, offers
from dealreg_shared.ids import new_id
from dealreg_shared.links import Link, sign


@dataclass(frozen=True, slots=True)
class Button:
    """An offer and the address that leads to it."""

    offer: Offer
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class LinkMaker:
    """``public_url`` is where people reach registration; None: no links are made."""

    public_url: str | None
    longest: timedelta

    def buttons(
        self, item: Claimed, private_key: bytes | None, now: datetime
    ) -> tuple[Button, ...]:
        """For a message with one notice that asks for a decision."""
        if self.public_url is None or private_key is None or item.others:
            return ()
        expires_at = expiry(item.facts, now, self.longest)
        return tuple(
            Button(offer, self._url(item, offer, private_key, now, expires_at), expires_at)
            for offer in offers(item.kind, item.facts)
        )

    def _url(
        self, item: Claimed, offer: Offer, private_key: bytes, now: datetime, expires_at: datetime
    ) -> str:
        link = Link(
            link_id=new_id("lnk"),
            person_id=item.person_id if item.place is None else item.addressee,
            conflict_id=item.facts["conflict_id"],
            action=offer.action,
            issued_at=now,
            expires_at=expires_at,
            ruling=offer.ruling,
            claims=offer.claims,
        )
        return f"{self.public_url}/decide/{sign(link, private_key)}"
