"""A filing as it came in: the body's facts in the domain's words, and the keys of its account."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from dealreg_registration.domain.account import Account, DealType, Registration
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.decide import amount_in_base
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

    def registration(self, id_: str, account: Account, context: Context) -> Registration:
        """The registration that this filing makes on an account whose facts are known by now."""
        plan = context.plan
        region, segment = plan.market(self.place_of_use, account.facts)
        return Registration(
            id=id_,
            partner_id=self.partner_id,
            account_name=self.account_name,
            filed_at=context.now,
            amount=self.amount,
            currency=self.currency,
            amount_base=amount_in_base(plan, self.amount, self.currency),
            close_date=self.close_date,
            deal_type=self.deal_type,
            place_of_use=self.place_of_use,
            tags=self.tags,
            reseller_id=self.reseller_id,
            distributor_id=self.distributor_id,
            market_region=region,
            market_segment=segment,
            last_activity_at=context.now,
        )
