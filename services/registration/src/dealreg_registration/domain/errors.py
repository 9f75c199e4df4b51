"""What can be refused, each with a stable code. Knows no HTTP."""


class DomainError(Exception):
    """A command that cannot be carried out. ``code`` is stable; the message is for the caller."""

    code = "domain_error"
    field: str | None = None
    """The JSON pointer of what is at fault in the request's body, if one field is."""


class NoPlanInForce(DomainError):
    code = "no_plan_in_force"


class RegistrationNotFound(DomainError):
    code = "registration_not_found"


class NothingToEnd(DomainError):
    """The registration has no claim that this command could end."""

    code = "nothing_to_end"


class LineAlreadyFiled(DomainError):
    code = "line_already_filed"


class RegistrationEnded(DomainError):
    """No line can be added to, and nothing edited on, a registration that has ended."""

    code = "registration_ended"


class FactAlreadyKnown(DomainError):
    """A partner may add facts that are unknown, not change those that are known."""

    code = "fact_already_known"


class NoExchangeRate(DomainError):
    """An amount in a currency that the plan in force cannot convert."""

    code = "no_exchange_rate"
    field = "/amount/currency"


class BelowMinimumAmount(DomainError):
    """An edited amount below the minimum of the plan in force."""

    code = "below_minimum_amount"
    field = "/amount"


class CloseDatePast(DomainError):
    """An edited close date before today (UTC)."""

    code = "close_date_past"
    field = "/close_date"


class VersionConflict(DomainError):
    """Someone else changed the registration or account since the caller read it."""

    code = "version_conflict"


class NothingOffered(DomainError):
    """None of the claims named is offered its line."""

    code = "nothing_offered"


class OfferNotForYou(DomainError):
    """The partner is no longer active or in territory, or owes an answer."""

    code = "offer_not_for_you"


class NothingToAsk(DomainError):
    """Information can be wanted of live and open claims, one question at a time."""

    code = "nothing_to_ask"


class NothingWanted(DomainError):
    code = "nothing_wanted"


class NothingToExtend(DomainError):
    """Only what is protected, and was not extended before, can be extended."""

    code = "nothing_to_extend"


class ExtensionPending(DomainError):
    code = "extension_pending"


class NoExtensionPending(DomainError):
    code = "no_extension_pending"


class UnknownLine(DomainError):
    """A product line that is not part of the registration."""

    code = "unknown_line"


class NothingActive(DomainError):
    """Activity on a registration of which nothing is live or open."""

    code = "nothing_active"


class NotYourMarket(DomainError):
    """Only who looks after the market, or stands above, decides this."""

    code = "not_your_market"


class CaseChanged(DomainError):
    """Someone else acted on the case since the caller read it; the message says what was done."""

    code = "version_changed"


class CaseClosed(DomainError):
    """The case is decided or withdrawn; nothing more can be done with it."""

    code = "case_closed"


class NotResponsible(DomainError):
    """The caller has no authority on any level of the case."""

    code = "not_responsible"


class LevelTaken(DomainError):
    """A higher level has taken the case."""

    code = "level_taken"


class LevelPassedUp(DomainError):
    """The caller's level has passed the case up."""

    code = "level_passed_up"


class ReviewOnly(DomainError):
    """By the plan, level 1 reviews and does not decide."""

    code = "review_only"


class TopLevel(DomainError):
    """Nobody is above the caller's level."""

    code = "top_level"


class NotAParty(DomainError):
    """The registration that is to be asked has no claim in the case."""

    code = "not_a_party"


class NotAsked(DomainError):
    """Nothing that the partner is asked about this case waits for an answer."""

    code = "not_asked"


class RulingUnfit(DomainError):
    """Such a ruling does not go with this kind of case, or names what is not part of it."""

    code = "ruling_unfit"


class RulingOvertaken(DomainError):
    """What the ruling was about has changed meanwhile."""

    code = "ruling_overtaken"


class NamesAPerson(DomainError):
    """A text that partners or the record will see names a person."""

    code = "names_a_person"


class AlreadyOpen(DomainError):
    """There is such a case on this registration already."""

    code = "already_open"


class NotAppealable(DomainError):
    """The claim has not ended in a way that can be appealed."""

    code = "not_appealable"


class AppealedAlready(DomainError):
    code = "appealed_already"


class AppealTooLate(DomainError):
    code = "appeal_too_late"


class RulingFinal(DomainError):
    """The CEO ruled, and the plan names no reviewer."""

    code = "ruling_final"


class NoNewEvidence(DomainError):
    """An appeal brings evidence that was not filed before."""

    code = "no_new_evidence"
