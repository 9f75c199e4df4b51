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


class NothingToObject(DomainError):
    """Objections are to a line that is another's, where no case is open yet."""

    code = "nothing_to_object"


class ObjectionTooLate(DomainError):
    code = "objection_too_late"


class NothingToTransfer(DomainError):
    """Only protections that run, and are not being transferred already, pass to another."""

    code = "nothing_to_transfer"


class UnfitReceiver(DomainError):
    """The receiver must be another partner, active and in the plan in force."""

    code = "unfit_receiver"
    field = "/to_partner"


class TransferNotFound(DomainError):
    code = "transfer_not_found"


class TransferClosed(DomainError):
    code = "transfer_closed"


class NotTwoAccounts(DomainError):
    """A merge is of two accounts, neither of which was merged before."""

    code = "not_two_accounts"
    field = "/other_account_id"


class MergedAway(DomainError):
    """The account was merged into another one, which the message names."""

    code = "account_merged"
