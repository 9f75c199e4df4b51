"""The one map from domain errors to HTTP."""

from collections.abc import Mapping

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from dealreg_registration.domain import errors, handover_errors, programme_errors
from dealreg_shared.web.problems import Problem

STATUS: Mapping[type[errors.DomainError], tuple[int, str]] = {
    errors.NoPlanInForce: (409, "No plan is in force"),
    errors.RegistrationNotFound: (404, "There is nothing here"),
    errors.NothingToEnd: (409, "Nothing to end"),
    errors.LineAlreadyFiled: (409, "The line is filed already"),
    errors.RegistrationEnded: (409, "The registration has ended"),
    errors.FactAlreadyKnown: (409, "The fact is known already"),
    errors.NoExchangeRate: (422, "The amount cannot be converted"),
    errors.BelowMinimumAmount: (422, "The amount is too small"),
    errors.CloseDatePast: (422, "The close date has passed"),
    handover_errors.ReferralNotFound: (404, "There is nothing here"),
    handover_errors.ReferralAnswered: (409, "The referral cannot be answered any more"),
    handover_errors.NothingReferred: (409, "Nothing is referred"),
    handover_errors.NotEligible: (409, "Not eligible"),
    handover_errors.DetailsNeeded: (422, "Amount and close date are needed"),
    handover_errors.NothingToObject: (409, "Nothing to object to"),
    handover_errors.ObjectionTooLate: (409, "Too late to object"),
    handover_errors.NothingToTransfer: (409, "Nothing to transfer"),
    handover_errors.UnfitReceiver: (422, "The receiver does not fit"),
    handover_errors.TransferNotFound: (404, "There is nothing here"),
    handover_errors.TransferClosed: (409, "The transfer is closed"),
    handover_errors.NotTwoAccounts: (422, "Not two accounts"),
    handover_errors.MergedAway: (409, "The account was merged"),
    errors.VersionConflict: (412, "Somebody changed it meanwhile"),
    errors.NothingOffered: (409, "Nothing is offered"),
    errors.OfferNotForYou: (409, "The line cannot be protected for you"),
    errors.NothingToAsk: (409, "Nothing to ask"),
    errors.NothingWanted: (409, "Nothing is wanted"),
    errors.NothingToExtend: (409, "Nothing to extend"),
    errors.ExtensionPending: (409, "A request is pending already"),
    errors.NoExtensionPending: (409, "No request is pending"),
    errors.NotYourMarket: (403, "Not your market"),
    errors.UnknownLine: (422, "No such line here"),
    errors.NothingActive: (409, "Nothing is live or open"),
    errors.CaseChanged: (412, "Somebody was faster"),
    errors.CaseClosed: (409, "The case is closed"),
    errors.NotResponsible: (403, "This case is not yours to act on"),
    errors.LevelTaken: (409, "A higher level has taken the case"),
    errors.LevelPassedUp: (409, "Your level has passed the case up"),
    errors.ReviewOnly: (403, "Your level only reviews"),
    errors.TopLevel: (409, "There is no level above"),
    errors.NotAParty: (422, "Not part of the case"),
    errors.NotAsked: (409, "Nothing waits for an answer"),
    errors.RulingUnfit: (422, "The ruling does not fit the case"),
    errors.RulingOvertaken: (409, "The case has moved on"),
    errors.NamesAPerson: (422, "The text names somebody"),
    errors.AlreadyOpen: (409, "There is such a case already"),
    errors.NotAppealable: (409, "This cannot be appealed"),
    errors.AppealedAlready: (409, "It was appealed before"),
    errors.AppealTooLate: (409, "It is too late to appeal"),
    errors.RulingFinal: (409, "The ruling is final"),
    errors.NoNewEvidence: (422, "An appeal needs new evidence"),
    programme_errors.InForceTooEarly: (409, "Too early"),
    programme_errors.PersonErased: (409, "The person was erased"),
    programme_errors.PersonNotFound: (404, "There is nothing here"),
    programme_errors.KeyNotFound: (404, "There is nothing here"),
    programme_errors.AlreadySuspended: (409, "The partner is suspended already"),
    programme_errors.AlreadyActive: (409, "The partner is active already"),
    programme_errors.KeyNotAllowed: (422, "Such a key cannot be made"),
    programme_errors.BadDelegation: (422, "Such a delegation cannot be made"),
    programme_errors.DelegationNotFound: (404, "There is nothing here"),
    programme_errors.LastAdminKey: (409, "The last admin key stays"),
}
"""Error class -> HTTP status and title. The problem's code is the error's own."""


def not_found() -> Problem:
    """Absent and forbidden objects answer alike."""
    return Problem(
        404, "not-found", "There is nothing here", "No such resource, or none that you may see."
    )


def problem_for(error: errors.DomainError) -> Problem:
    """The problem that tells a caller of a domain error."""
    status, title = STATUS[type(error)]
    if status == 404:
        return not_found()
    at_fault = () if error.field is None else [{"field": error.field, "rule": str(error)}]
    return Problem(status, error.code.replace("_", "-"), title, str(error), at_fault)


def install(app: FastAPI) -> None:
    """Answer domain errors by the map."""

    async def refused(_request: Request, error: Exception) -> Response:
        if not isinstance(error, errors.DomainError):
            raise error
        return problem_for(error).response()

    app.add_exception_handler(errors.DomainError, refused)
