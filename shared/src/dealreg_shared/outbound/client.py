"""One request to a place that somebody else named, so that it reaches no machine of ours.

The name is resolved once, in the connect step; if any of its addresses is not public, nothing is
connected, and the connection goes to an address that was checked. So a name that answers differently the
second time gains nothing. TLS is checked against the name. Redirects are answers, not orders; proxies
and certificates of the environment are ignored; time and size of the answer are bounded.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certifi
import httpcore
import httpx

from dealreg_shared.outbound.addresses import Address, is_loopback, is_public, parse
from dealreg_shared.outbound.urls import UnusableUrl, checked_url

SECONDS = 15.0
"""For all of it: looking the name up, connecting, TLS, sending, reading the answer."""
CONNECT_SECONDS = 5.0
"""For one address, so that the next one of the host gets its turn."""
MAX_ANSWER = 65_536
"""Bytes of the answer's body that are read; what follows is not."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port -> the addresses of the host, as texts. Raises ``OSError``."""


class NotSent(Exception):
    """Nothing has left: the URL or the address behind it is not to be used. Says no name or address."""


class Unanswered(Exception):
    """It may or may not have arrived. ``kind`` tells how it broke, without name or address."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``body`` holds at most ``MAX_ANSWER`` bytes, as sent, not unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool


async def resolve(host: str, port: int) -> Sequence[str]:
    """The system's answer."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


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
        dialler: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._loopback = loopback
        self._seconds = seconds
        context = ssl.create_default_context(cafile=certifi.where())
        if ca_file is not None:
            context.load_verify_locations(cafile=ca_file)
        guard = _Guard(resolver, dialler or httpcore.AnyIOBackend(), loopback=loopback)
        self._http = httpx.AsyncClient(
            transport=_Transport(context, guard, connections),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(seconds, connect=CONNECT_SECONDS),
            headers={"user-agent": user_agent, "accept": "*/*", "accept-encoding": "identity"},
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def post(self, url: str, headers: Mapping[str, str], content: bytes) -> Answer:
        """Send ``content`` once. Raises ``NotSent`` or ``Unanswered``; every status is an answer."""
        try:
            target = checked_url(url, loopback=self._loopback)
        except UnusableUrl as error:
            raise NotSent(f"the URL {error}") from None
        try:
            async with asyncio.timeout(self._seconds):
                return await self._exchange(target.url, headers, content)
        except TimeoutError:
            raise Unanswered(f"no complete answer within {self._seconds:g} s") from None
        except _NotPublic:
            raise NotSent("the host's address is not on the public internet") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ssl.SSLError) as error:
            raise Unanswered(_kind(error)) from None

    async def _exchange(self, url: str, headers: Mapping[str, str], content: bytes) -> Answer:
        async with self._http.stream("POST", url, headers=headers, content=content) as response:
            body, cut = bytearray(), False
            async for part in response.aiter_raw():
                body += part
                if len(body) > MAX_ANSWER:
                    cut = True
                    break
            return Answer(
                response.status_code,
                {name.lower(): value for name, value in response.headers.items()},
                bytes(body[:MAX_ANSWER]),
                cut,
            )


class _NotPublic(Exception):
    """Raised in the connect step; no part of httpcore's family, so that nothing retries it."""


class _Guard(httpcore.AsyncNetworkBackend):
    """Resolves, checks, and connects to what was checked."""

    def __init__(
        self, resolver: Resolve, dialler: httpcore.AsyncNetworkBackend, *, loopback: bool
    ) -> None:
        self._resolve = resolver
        self._dialler = dialler
        self._loopback = loopback

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (the backend's interface)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name is not known") from error
        failure: Exception = httpcore.ConnectError("the name has no address")
        for address in self._checked(found):
            try:
                return await self._dialler.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  (the backend's interface)
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise _NotPublic

    async def sleep(self, seconds: float) -> None:
        await self._dialler.sleep(seconds)

    def _checked(self, found: Sequence[str]) -> list[Address]:
        """Every address, without repeats. One that may not be reached refuses them all."""
        addresses = [parse(text) for text in dict.fromkeys(found)]
        checked = [address for address in addresses if address is not None]
        if len(checked) < len(addresses) or not all(self._allowed(each) for each in checked):
            raise _NotPublic
        return checked

    def _allowed(self, address: Address) -> bool:
        return is_public(address) or (self._loopback and is_loopback(address))


class _Transport(httpx.AsyncBaseTransport):
    """httpx on a pool with our own way to the network, which httpx's own transport cannot be given."""

    def __init__(self, context: ssl.SSLContext, guard: _Guard, connections: int) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            network_backend=guard,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=5.0,
            retries=0,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not isinstance(request.stream, httpx.AsyncByteStream):
            raise TypeError("only asynchronous bodies can be sent")
        asked = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions={"timeout": request.extensions["timeout"]},
        )
        try:
            answered = await self._pool.handle_async_request(asked)
        except _FAILURES as error:
            raise httpx.TransportError(type(error).__name__, request=request) from error
        return httpx.Response(
            status_code=answered.status,
            headers=answered.headers,
            stream=_Body(answered.stream),
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


_FAILURES = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._stream:
                yield part
        except _FAILURES as error:
            raise httpx.TransportError(type(error).__name__) from error

    async def aclose(self) -> None:
        await self._stream.aclose()


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
    if any(isinstance(cause, httpcore.ConnectError) for cause in causes):
        return "the host cannot be reached"
    return "the connection broke"
