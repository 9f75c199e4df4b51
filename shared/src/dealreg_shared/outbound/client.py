"""One request to a place that somebody else named, so that it reaches no machine of ours.

The name is resolved once, in the connect step; if any of its addresses is not public, nothing is
connected, and the connection goes to an address that was checked. So a name that answers differently the
second time gains nothing. TLS is checked against the name. Redirects are answers, not orders; proxies
and certificates of the environment are ignored; time and size of the answer are bounded.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import certifi

from dealreg_shared.outbound.addresses import Address, is_loopback, is_public, parse
from dealreg_shared.outbound.line import Answer, Broken, Line
from dealreg_shared.outbound.urls import Target, UnusableUrl, checked_url

SECONDS = 15.0
"""For all of it: looking the name up, connecting, TLS, sending, reading the answer."""
CONNECT_SECONDS = 5.0
"""For one address, so that the next one of the host gets its turn."""
IDLE_SECONDS = 5.0
"""How long a connection is kept for the next request."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port -> the addresses of the host, as texts. Raises ``OSError``."""

Dial = Callable[[Address, int], Awaitable[socket.socket]]
"""Address and port -> a connected socket. Raises ``OSError``."""


class NotSent(Exception):
    """Nothing has left: the URL or the address behind it is not to be used. Says no name or address."""


class Unanswered(Exception):
    """It may or may not have arrived. ``kind`` tells how it broke, without name or address."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


async def resolve(host: str, port: int) -> Sequence[str]:
    """The system's answer."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


async def dial(address: Address, port: int) -> socket.socket:
    """Really."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(made, (str(address), port))
    except BaseException:
        made.close()
        raise
    return made


class OutboundClient:
    """Sends requests. One for a process; connections are kept per host and port.

    ``loopback``: for development, this machine too, and plain HTTP. ``ca_file``: certificates to trust
    besides the public ones. ``resolver`` and ``dialler`` are the ways to the network.
    """

    def __init__(
        self,
        *,
        loopback: bool = False,
        ca_file: Path | None = None,
        user_agent: str = "Dealreg",
        seconds: float = SECONDS,
        connections: int = 50,
        resolver: Resolve = resolve,
        dialler: Dial = dial,
    ) -> None:
        self._loopback = loopback
        self._seconds = seconds
        self._tls = ssl.create_default_context(cafile=certifi.where())
        if ca_file is not None:
            self._tls.load_verify_locations(cafile=ca_file)
        self._tls.set_alpn_protocols(["http/1.1"])
        self._resolve = resolver
        self._dial = dialler
        self._most = connections
        self._under_way = asyncio.Semaphore(connections)
        self._idle: deque[tuple[tuple[str, str, int], Line]] = deque()
        """Connections that wait for a request, the latest last."""
        self._own = {"user-agent": user_agent, "accept": "*/*", "accept-encoding": "identity"}

    async def close(self) -> None:
        while self._idle:
            self._idle.popleft()[1].close()

    async def post(self, url: str, headers: Mapping[str, str], content: bytes) -> Answer:
        """Send ``content`` once. Raises ``NotSent`` or ``Unanswered``; every status is an answer."""
        try:
            target = checked_url(url, loopback=self._loopback)
        except UnusableUrl as error:
            raise NotSent(f"the URL {error}") from None
        sent = _request(target, {**self._own, **headers}, content)
        try:
            async with asyncio.timeout(self._seconds), self._under_way:
                return await self._exchange(target, sent)
        except TimeoutError:
            raise Unanswered(f"no complete answer within {self._seconds:g} s") from None
        except _NotPublic:
            raise NotSent("the host's address is not on the public internet") from None
        except (Broken, OSError) as error:
            raise Unanswered(_kind(error)) from None

    async def _exchange(self, target: Target, sent: bytes) -> Answer:
        where = (target.scheme, target.host, target.port)
        line = self._kept(where) or await self._connect(target)
        try:
            answer = await line.request(sent)
        except BaseException:
            line.close()
            raise
        if line.reusable and len(self._idle) < self._most:
            self._idle.append((where, line))
        else:
            line.close()
        return answer

    def _kept(self, where: tuple[str, str, int]) -> Line | None:
        """A connection that is still open; those that have waited too long are closed."""
        while self._idle and monotonic() - self._idle[0][1].idle_since > IDLE_SECONDS:
            self._idle.popleft()[1].close()
        for entry in reversed(self._idle):
            if entry[0] == where:
                self._idle.remove(entry)
                return entry[1] if entry[1].reusable else self._kept(where)
        return None

    async def _connect(self, target: Target) -> Line:
        """To the first of the host's addresses that answers, if all of them may be reached."""
        try:
            found = await self._resolve(target.host, target.port)
        except (OSError, UnicodeError) as error:
            raise _Unreachable("the name is not known") from error
        failure: OSError = _Unreachable("the name has no address")
        for address in self._checked(found):
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    reached = await self._dial(address, target.port)
            except OSError as error:  # also the time limit
                failure = error
                continue
            tls = self._tls if target.scheme == "https" else None
            try:
                _, line = await asyncio.get_running_loop().create_connection(
                    Line,
                    sock=reached,
                    ssl=tls,
                    server_hostname=None if tls is None else target.host,
                )
            except BaseException:
                reached.close()
                raise
            return line
        raise _Unreachable("no address answered") from failure

    def _checked(self, found: Sequence[str]) -> list[Address]:
        """Every address, without repeats. One that may not be reached refuses them all."""
        addresses = [parse(text) for text in dict.fromkeys(found)]
        checked = [address for address in addresses if address is not None]
        if len(checked) < len(addresses) or not all(self._allowed(each) for each in checked):
            raise _NotPublic
        return checked

    def _allowed(self, address: Address) -> bool:
        return is_public(address) or (self._loopback and is_loopback(address))


class _NotPublic(Exception):
    """Raised in the connect step; no ``OSError``, so that no other address is tried."""


class _Unreachable(OSError):
    """No connection came about."""


def _request(target: Target, headers: Mapping[str, str], content: bytes) -> bytes:
    """A POST as it goes over the wire. Raises ``ValueError`` for a header of more than one line."""
    parts = urlsplit(target.url)
    asked = (parts.path or "/") + (f"?{parts.query}" if "?" in target.url else "")
    lines = [
        f"POST {asked} HTTP/1.1",
        f"host: {parts.netloc}",
        f"content-length: {len(content)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header must not hold a line break")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


def _kind(error: BaseException) -> str:
    """How it broke, in words that name nobody."""
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return "the certificate is not valid for this host"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "the TLS connection failed"
    if any(isinstance(cause, socket.gaierror | UnicodeError) for cause in causes):
        return "the host is not known"
    if any(isinstance(cause, _Unreachable) for cause in causes):
        return "the host cannot be reached"
    return "the connection broke"
