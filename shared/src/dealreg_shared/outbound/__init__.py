"""Requests to addresses that somebody else chose, such as a partner's webhook.

``addresses`` says which network addresses are anybody's, ``urls`` which URLs can be taken, ``client``
sends one request, ``line`` is one connection and trusts nothing that comes back. Must not follow, retry,
or log a URL.
"""

from dealreg_shared.outbound.client import NotSent, OutboundClient, Unanswered
from dealreg_shared.outbound.line import Answer
from dealreg_shared.outbound.urls import UnusableUrl, checked_url

__all__ = ["Answer", "NotSent", "OutboundClient", "Unanswered", "UnusableUrl", "checked_url"]
