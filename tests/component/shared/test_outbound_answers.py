"""Requests over real TLS, and what a hostile or broken receiver can do with its answer: nothing."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from dealreg_shared.outbound import NotSent, OutboundClient, Unanswered
from dealreg_shared.outbound.line import MAX_ANSWER
from tests.factories.outbound import (
    OTHER_PUBLIC,
    PUBLIC,
    Answering,
    Dialler,
    Names,
    Receiver,
    Request,
    answered,
    receiver,
)

HOST = "hooks.example.com"


@dataclass(slots=True)
class Trust:
    """An authority of the test's own."""

    authority: trustme.CA
    ca_file: Path

    def server(self, *names: str) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert(*names).configure_cert(context)
        return context


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return Trust(authority, tmp_path / "ca.pem")


@pytest.fixture
async def server(trust: Trust) -> AsyncIterator[Receiver]:
    async with receiver(tls=trust.server(HOST)) as made:
        yield made


def client_of(trust: Trust, *others: str, seconds: float = 15.0) -> OutboundClient:
    known = Names({name: [[PUBLIC]] for name in (HOST, *others)})
    return OutboundClient(ca_file=trust.ca_file, resolver=known, dialler=Dialler(), seconds=seconds)


async def test_a_public_host_is_reached_over_tls(trust: Trust, server: Receiver) -> None:
    server.answers = [answered(200, b"thanks", retry_after="7")]
    client = client_of(trust)
    url = f"https://{HOST}:{server.port}/hook?a=b"
    first = await client.post(url, {"content-type": "application/json"}, b'{"a":1}')
    second = await client.post(url, {}, b"x")
    await client.close()
    assert (first.status, first.body, first.headers["retry-after"]) == (200, b"thanks", "7")
    assert second.status == 200
    request = server.requests[0]
    assert (request.line, request.body) == ("POST /hook?a=b HTTP/1.1", b'{"a":1}')
    assert request.headers["host"] == f"{HOST}:{server.port}"
    assert server.connections == 1  # kept open in between


async def test_the_next_address_is_tried_when_one_does_not_answer(
    trust: Trust, server: Receiver
) -> None:
    dialler = Dialler()
    async with receiver() as gone:
        dialler.ports[OTHER_PUBLIC] = gone.port
    client = OutboundClient(
        ca_file=trust.ca_file,
        resolver=Names({HOST: [[OTHER_PUBLIC, PUBLIC]]}),
        dialler=dialler,
    )
    answer = await client.post(f"https://{HOST}:{server.port}/", {}, b"")
    await client.close()
    assert (answer.status, dialler.dialled) == (204, [OTHER_PUBLIC, PUBLIC])


async def test_the_certificate_must_be_for_the_name(trust: Trust, server: Receiver) -> None:
    client = client_of(trust, "evil.example.com")
    with pytest.raises(Unanswered) as raised:
        await client.post(f"https://evil.example.com:{server.port}/", {}, b"secret")
    await client.close()
    stranger = OutboundClient(resolver=Names({HOST: [[PUBLIC]]}), dialler=Dialler())
    with pytest.raises(Unanswered) as unknown:
        await stranger.post(f"https://{HOST}:{server.port}/", {}, b"secret")
    await stranger.close()
    for error in (raised.value, unknown.value):
        assert error.kind == "the certificate is not valid for this host"
    assert server.requests == []


async def test_two_hosts_behind_one_address_share_no_connection(
    trust: Trust, server: Receiver
) -> None:
    async with receiver(tls=trust.server(HOST, "b.example.com")) as both:
        client = client_of(trust, "b.example.com")
        for host in (HOST, "b.example.com"):
            await client.post(f"https://{host}:{both.port}/", {}, b"")
        await client.close()
        assert both.connections == 2


async def test_the_environments_proxy_and_certificates_are_ignored(
    trust: Trust, server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiver() as proxy:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("SSL_CERT_FILE", str(trust.ca_file))
        client = client_of(trust)
        assert (await client.post(f"https://{HOST}:{server.port}/", {}, b"")).status == 204
        await client.close()
        assert proxy.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(
    trust: Trust, server: Receiver, status: int
) -> None:
    async with receiver() as inside:
        server.answers = [answered(status, location=f"http://127.0.0.1:{inside.port}/")]
        client = client_of(trust)
        answer = await client.post(f"https://{HOST}:{server.port}/", {}, b"")
        await client.close()
        assert (answer.status, inside.connections, len(server.requests)) == (status, 0, 1)


async def test_no_more_than_the_first_64_kib_of_an_answer_is_read(
    trust: Trust, server: Receiver
) -> None:
    sent = 0

    async def endless(_request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 8192)
            await writer.drain()
            sent += 8192

    server.answers = [endless]
    client = client_of(trust)
    answer = await client.post(f"https://{HOST}:{server.port}/", {}, b"")
    await client.close()
    assert (len(answer.body), answer.cut) == (MAX_ANSWER, True)


async def test_what_follows_the_last_chunk_is_bounded_too(trust: Trust, server: Receiver) -> None:
    async def endless(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n")
        while True:
            writer.write(b"x-after: y\r\n" * 1000)
            await writer.drain()

    server.answers = [endless]
    client = client_of(trust)
    with pytest.raises(Unanswered) as raised:
        await client.post(f"https://{HOST}:{server.port}/", {}, b"")
    await client.close()
    assert "no complete answer within" not in raised.value.kind  # not for the time it took


async def test_a_packed_answer_stays_packed(trust: Trust, server: Receiver) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    server.answers = [answered(200, bomb, content_encoding="gzip")]
    client = client_of(trust)
    answer = await client.post(f"https://{HOST}:{server.port}/", {}, b"")
    await client.close()
    assert answer.body == bomb[:MAX_ANSWER]
    assert server.requests[0].headers["accept-encoding"] == "identity"


async def silent(_request: Request, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drip(_request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("slow", [silent, drip])
async def test_the_time_limit_is_for_all_of_it(
    trust: Trust, server: Receiver, slow: Answering
) -> None:
    server.answers = [slow]
    client = client_of(trust, seconds=0.3)
    with pytest.raises(Unanswered, match="no complete answer within"):
        await client.post(f"https://{HOST}:{server.port}/", {}, b"")
    await client.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"220 mail.example.com ESMTP\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x-a: " + b"y" * 300_000 + b"\r\n\r\n",
        bytes(range(256)) * 10,
    ],
)
async def test_a_broken_answer_is_no_answer(trust: Trust, server: Receiver, answer: bytes) -> None:
    async def say_and_hang_up(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    server.answers = [say_and_hang_up]
    client = client_of(trust)
    with pytest.raises(Unanswered) as raised:
        await client.post(f"https://{HOST}:{server.port}/", {}, b"")
    await client.close()
    assert HOST not in str(raised.value)


async def test_without_a_resolver_of_ours_the_systems_is_asked() -> None:
    client = OutboundClient()
    with pytest.raises((NotSent, Unanswered)):
        await client.post("https://no-such-name.invalid/", {}, b"")
    await client.close()


async def test_a_connection_that_the_receiver_closed_is_not_used_again(
    trust: Trust, server: Receiver
) -> None:
    server.answers = [answered(204, connection="close"), answered(204)]
    client = client_of(trust)
    for _ in range(2):
        assert (await client.post(f"https://{HOST}:{server.port}/", {}, b"")).status == 204
    await client.close()
    assert server.connections == 2


async def test_what_comes_unasked_belongs_to_no_later_request(
    trust: Trust, server: Receiver
) -> None:
    server.answers = [answered(204) + answered(200, b"forged"), answered(202)]
    client = client_of(trust)
    statuses = [
        (await client.post(f"https://{HOST}:{server.port}/", {}, b"")).status for _ in range(2)
    ]
    await client.close()
    assert (statuses, server.connections) == ([204, 202], 2)


async def test_an_interim_answer_is_not_the_answer(trust: Trust, server: Receiver) -> None:
    server.answers = [b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + answered(200, b"thanks")]
    client = client_of(trust)
    answer = await client.post(f"https://{HOST}:{server.port}/", {}, b"")
    await client.close()
    assert (answer.status, answer.body, "link" in answer.headers) == (200, b"thanks", False)


async def test_a_body_without_a_length_ends_with_the_connection(
    trust: Trust, server: Receiver
) -> None:
    async def until_closed(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nthanks")
        writer.close()

    server.answers = [until_closed, answered(204)]
    client = client_of(trust)
    first = await client.post(f"https://{HOST}:{server.port}/", {}, b"")
    second = await client.post(f"https://{HOST}:{server.port}/", {}, b"")
    await client.close()
    assert (first.status, first.body, second.status) == (200, b"thanks", 204)


async def test_a_header_cannot_begin_another(trust: Trust, server: Receiver) -> None:
    client = client_of(trust)
    with pytest.raises(ValueError, match="line break"):
        await client.post(f"https://{HOST}:{server.port}/", {"x": "a\r\nhost: b"}, b"")
    await client.close()
    assert server.connections == 0
