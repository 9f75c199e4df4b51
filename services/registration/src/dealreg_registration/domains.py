"""The registrable domain of what people type as a domain, URL or e-mail address.

Offline: the public suffix list comes with the tldextract package, private suffixes included, so that
``shop.github.io`` is not ``github.io``. Free-mail and hosting domains identify nobody; their list is
data (``data/free_mail_domains.txt``, see ``data/README.md``).
"""

import re
from functools import lru_cache
from importlib.resources import files

import idna
from tldextract import TLDExtract

_LABEL = r"(?!..--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PLAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
"""Names that are their own ASCII form, as nearly all are; spares them the tables of Unicode."""


@lru_cache(maxsize=1)
def _extractor() -> TLDExtract:
    return TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


@lru_cache(maxsize=1)
def free_mail_domains() -> frozenset[str]:
    """Domains that many unrelated people and companies share."""
    text = files("dealreg_registration").joinpath("data/free_mail_domains.txt").read_text("utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line and line[0] != "#")


@lru_cache(maxsize=1)
def _suffixes() -> frozenset[str]:
    return frozenset(_extractor().tlds)


def _directly_under_suffix(host: str) -> bool:
    """Whether it is ``name.suffix`` with one label each, as most are; spares them 6 us."""
    suffix = host.partition(".")[2]
    known = _suffixes()
    return (
        "." not in suffix and suffix in known and host not in known and f"*.{suffix}" not in known
    )


@lru_cache(maxsize=65_536)
def registrable_domain(typed: str) -> str | None:
    """The domain that a company registered, in its ASCII form; None if there is none that counts.

    Accepts ``HTTPS://www.Example.com/path``, ``jo@example.com``, ``münchen.de``; refuses bare words,
    IP addresses, public suffixes, and free-mail domains.
    """
    host = typed.strip().casefold()
    _, scheme, rest = host.partition("://")
    host = rest if scheme else host
    for separator in "/?#":
        host = host.partition(separator)[0]
    host = host.rpartition("@")[2].partition(":")[0].strip(".")
    try:
        plain = len(host) < 254 and _PLAIN.fullmatch(host)
        ascii_host = host if plain else idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        return None
    found = (
        ascii_host
        if _directly_under_suffix(ascii_host)
        else _extractor()(ascii_host).top_domain_under_public_suffix
    )
    if not found or found in free_mail_domains():
        return None
    return found
