"""Which URLs can be taken for requests that somebody else asks for. Pure: no name is looked up.

Strict on purpose: what two parsers could read differently is refused, not repaired. That an address is
public can only be judged when it is connected to; see ``client``.
"""

import re
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import urlsplit

MAX_URL = 2000

_PLAIN = re.compile(r"[!#-;=?-\[\]_a-z~]+")
"""Printable ASCII without blanks, quotes, angle brackets, backslashes, carets, backticks and braces."""
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)")
_LOCAL_NAMES = ("localhost", "localdomain", "local", "internal", "home.arpa", "onion")


class UnusableUrl(ValueError):
    """The message is the rule that is broken, as a sentence's end: ``must ...``."""


class Target(NamedTuple):
    """A URL that was checked. ``url`` is the text to be kept and requested."""

    url: str
    scheme: str
    host: str
    port: int


def checked_url(text: str, *, loopback: bool = False) -> Target:
    """The URL's parts, if it is ``https://name/...``. Raises ``UnusableUrl``.

    ``loopback`` (development only) also takes this machine, as localhost, 127.0.0.1 or [::1], and there
    plain HTTP.
    """
    if len(text) > MAX_URL:
        raise UnusableUrl(f"must have at most {MAX_URL} characters")
    if not _PLAIN.fullmatch(text):
        raise UnusableUrl(
            "must be written in ASCII without blanks and backslashes; an international name as xn--"
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise UnusableUrl("must be a URL such as https://hooks.example.com/dealreg") from None
    host = parts.hostname or ""
    here = loopback and _is_here(parts.netloc, host)
    if parts.scheme != "https" and not (here and parts.scheme == "http"):
        raise UnusableUrl("must begin with https://")
    if "@" in parts.netloc:
        raise UnusableUrl("must not hold a user or password")
    if "#" in text:
        raise UnusableUrl("must not hold a fragment (#)")
    if parts.netloc.endswith(":") or port == 0:
        raise UnusableUrl("must name a port from 1 to 65535, or none")
    if not here:
        _check_name(parts.netloc, host)
    return Target(text, parts.scheme, host, port or (443 if parts.scheme == "https" else 80))


def _check_name(netloc: str, host: str) -> None:
    if not host or "[" in netloc:
        raise UnusableUrl("must name a host such as hooks.example.com, not an address")
    labels = host.split(".")
    if labels[-1] == "":
        raise UnusableUrl("must name the host without a dot at its end")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise UnusableUrl("must name a host such as hooks.example.com")
    if any(_NUMBER.fullmatch(label) for label in labels[-1:]):
        raise UnusableUrl("must name a host such as hooks.example.com, not an address")
    if len(labels) == 1 or any(host == name or host.endswith(f".{name}") for name in _LOCAL_NAMES):
        raise UnusableUrl("must name a host on the internet, with its full domain")


def _is_here(netloc: str, host: str) -> bool:
    if netloc.startswith("["):
        try:
            return host == str(IPv6Address(host)) == "::1"
        except ValueError:
            return False
    return host in ("localhost", "127.0.0.1")
