"""Who owns an account: gets its leads and referrals. The protected partner sells the deal."""

from datetime import datetime, timedelta

from dealreg_registration.domain.account import ACTIVE, Account, Owner, Registration
from dealreg_registration.domain.coverage import Coverage, covers, target_for
from dealreg_registration.domain.plan import NamedAccount, Plan, Standing


def owner_of(
    account: Account,
    plan: Plan,
    standing: Standing,
    named: NamedAccount | None,
    coverage: Coverage,
    now: datetime,
    *,
    newcomer: tuple[str, frozenset[str]] | None = None,
) -> Owner:
    """The account's owner now (rules.md, section 2, "Owner"). ``coverage`` is that of any line.

    ``newcomer`` is the partner of a filing that is being decided, with its lines: its claims have the
    last places, so it owns an open account that no earlier claim makes another's.
    """
    if named is not None and not named.excluded:
        if named.direct_owner is None:
            if named.partner_id is not None:
                return Owner("partner", named.partner_id)
        elif named.partner_id is None:
            return Owner("direct", direct_id=named.direct_owner)
        else:
            return Owner("co_sell", named.partner_id, named.direct_owner)
    for cover in coverage.covering:
        if cover.assignment.primary and cover.partner_id is not None:
            return Owner("partner", cover.partner_id)
    if coverage.covering:
        return Owner("none")
    if coverage.direct is not None:
        return Owner("direct", direct_id=coverage.direct.assignment.direct_id)
    idle = timedelta(days=plan.policy.owner_idle_days)
    for claim in account.active():
        if claim.state == "referred":
            continue
        partner = plan.partners.get(claim.partner_id)
        registration = account.registrations.get(claim.registration_id)
        if partner is None or registration is None:
            continue
        lines = {
            other.product_line
            for other in account.of_registration(claim.registration_id)
            if other.state in ACTIVE
        }
        if (
            standing.active(claim.partner_id, now)
            and not partner.certified.isdisjoint(lines)
            and now < registration.last_activity_at + idle
        ):
            return Owner("partner", claim.partner_id)
    if newcomer is not None:
        partner_id, asked = newcomer
        partner = plan.partners.get(partner_id)
        if (
            partner is not None
            and standing.active(partner_id, now)
            and not partner.certified.isdisjoint(asked)
        ):
            return Owner("partner", partner_id)
    return Owner("none")


def owner_for(
    account: Account, registration: Registration, plan: Plan, standing: Standing, now: datetime
) -> Owner:
    """The account's owner as seen from one registration's place of use and tags."""
    named = plan.named(account.keys, account.parent_keys)
    target = target_for(
        plan, account.facts, registration.place_of_use, named, None, registration.tags
    )
    coverage = covers(plan, standing, target, now)
    return owner_of(account, plan, standing, named, coverage, now)
