"""What a caller may have done wrong. Codes are stable; HTTP is the API's affair."""


class NotifierError(Exception):
    """Base. ``code`` never changes; the message is a sentence for the caller."""

    code = "notifier_error"


class NoSuchNotification(NotifierError):
    """Absent, or another's: the two answer alike."""

    code = "no_such_notification"


class NoSuchEscalation(NotifierError):
    code = "no_such_escalation"


class NoSuchDelivery(NotifierError):
    code = "no_such_delivery"


class NotDead(NotifierError):
    """Only a delivery that was put aside can be replayed."""

    code = "delivery_not_dead"


class NoSuchPerson(NotifierError):
    """Nobody of this id is known, or the person was erased."""

    code = "no_such_person"


class NotYourPreferences(NotifierError):
    """Another's, or an absent person's: the two answer alike."""

    code = "not_your_preferences"


class NotYourInbox(NotifierError):
    """Only an admin may ask for another's notices."""

    code = "not_your_inbox"


class NoSuchBounce(NotifierError):
    """The person's address is not marked as refused."""

    code = "no_such_bounce"


class NoSuchEndpoint(NotifierError):
    """Absent, or another's: the two answer alike."""

    code = "no_such_endpoint"


class NotYourEndpoint(NotifierError):
    """The caller may not manage endpoints of this owner."""

    code = "not_your_endpoint"


class TooManyEndpoints(NotifierError):
    """The owner has as many as it may have."""

    code = "too_many_endpoints"


class NoSecret(NotifierError):
    """Only webhooks are signed."""

    code = "endpoint_has_no_secret"


class EndpointOff(NotifierError):
    """Nothing is sent to an endpoint that is switched off."""

    code = "endpoint_off"
