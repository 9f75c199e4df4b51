"""A filing as it came in: the body's facts in the domain's words, and the keys of its account."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from dealreg_registration.domain.account import DealType
from dealreg_registration.domain.facts import Facts, Location
from dealreg_registration.domain.identity import domain_key, external_key, name_keys
from dealreg_registration.domains import registrable_domain

NOWHERE = Location()


@dataclass(frozen=True, slots=True)
class Filing:
    """What a partner (or staff for it) files. Contacts are a person's data and go to their own table."""

    partner_id: str
    account_name: str
    facts: Facts
    product_lines: tuple[str, ...]
    amount: Decimal
    currency: str
    close_date: date
    deal_type: DealType = "new"
    domain: str | None = None
    external_ids: tuple[tuple[str, str], ...] = ()
    place_of_use: Location = NOWHERE
    tags: frozenset[str] = frozenset()
    reseller_id: str | None = None
    distributor_id: str | None = None
    evidence: tuple[str, ...] = ()
    external_reference: str | None = None
    contacts: tuple[Mapping[str, str | None], ...] = field(default=())

    def keys(self) -> list[str]:
        """The account's certain keys, strongest first (rules.md, section 6)."""
        keys = [external_key(issuer, value) for issuer, value in self.external_ids]
        domain = registrable_domain(self.domain) if self.domain else None
        if domain is not None:
            keys.append(domain_key(domain))
        keys += name_keys(
            self.account_name, self.facts.country, self.facts.subdivision, self.facts.postal_code
        )
        return list(dict.fromkeys(keys))
