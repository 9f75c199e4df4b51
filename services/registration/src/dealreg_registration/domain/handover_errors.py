"""What can be refused where a claim passes from one partner to another. Knows no HTTP."""

from dealreg_registration.domain.errors import DomainError


class ReferralNotFound(DomainError):
    code = "referral_not_found"


class ReferralAnswered(DomainError):
    """The referral was accepted, declined, has lapsed, or its claim is no longer referred."""

    code = "referral_answered"


class NothingReferred(DomainError):
    """Consent is for a referral that stands; this registration has none."""

    code = "nothing_referred"


class NotEligible(DomainError):
    """Rule 1 would reject what the target makes of the referral."""

    code = "not_eligible"


class DetailsNeeded(DomainError):
    """The referrer's details have not passed to the target, so it says amount and close date itself."""

    code = "details_needed"
