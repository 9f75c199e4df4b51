"""The conversation with a mail server, word by word: with PIPELINING and without, and broken."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import aiosmtplib
import pytest

from dealreg_notifier.channels.smtp import Answer, Broken, Conversation, NotTaken

MAIL = b"Subject: x\r\n\r\n.hidden\r\ntext\r\n"
SENT = b"Subject: x\r\n\r\n..hidden\r\ntext\r\n.\r\n"


class Server:
    """Answers each command as told, and keeps what it read."""

    def __init__(self, answers: Sequence[str], *, pipelining: bool) -> None:
        self.answers = list(answers)
        self.pipelining = pipelining
        self.commands: list[str] = []
        self.mails: list[bytes] = []
        self.hang_up: Callable[[str], bool] = lambda _command: False

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        while line := (await reader.readline()).decode().strip():
            if line.startswith("EHLO"):
                more = "250-PIPELINING\r\n" if self.pipelining else ""
                writer.write(f"250-here\r\n{more}250 SIZE 1000000\r\n".encode())
                continue
            self.commands.append(line)
            if self.hang_up(line):
                break
            if line == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            answer = self.answers.pop(0)
            writer.write(answer.encode() + b"\r\n")
            if answer.startswith("354"):
                await self.take(reader, writer)
        writer.close()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = []
        while (line := await reader.readline()) not in (b".\r\n", b""):
            lines.append(line)
        self.mails.append(b"".join([*lines, line]))
        writer.write(self.answers.pop(0).encode() + b"\r\n")


@asynccontextmanager
async def talking(server: Server) -> AsyncIterator[Conversation]:
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=listening.sockets[0].getsockname()[1])
    await smtp.connect()
    await smtp.ehlo()
    conversation = Conversation.take_over(smtp, 5)
    try:
        yield conversation
    finally:
        conversation.abort()
        listening.close()
        await listening.wait_closed()


@pytest.mark.parametrize("pipelining", [True, False])
async def test_messages_follow_one_another_and_dots_are_doubled(pipelining: bool) -> None:
    server = Server(
        ["250 a", "250 b", "354 go", "250-taken\r\n250 really"] * 2, pipelining=pipelining
    )
    async with talking(server) as conversation:
        for _ in range(2):
            await conversation.send("desk@example.org", "mia@example.com", MAIL)
        await conversation.quit()
    assert server.mails == [SENT, SENT]
    once = [f"MAIL FROM:<desk@example.org> SIZE={len(MAIL)}", "RCPT TO:<mia@example.com>", "DATA"]
    assert server.commands == [*once, *once, "QUIT"]


@pytest.mark.parametrize(
    ("pipelining", "answers", "mails"),
    [
        (True, ["250 a", "550 5.1.1 nobody", "554 no recipient", "250 reset"], []),
        (
            True,
            ["250 a", "550 5.1.1 nobody", "354 go", "554 no recipient", "250 reset"],
            [b".\r\n"],
        ),
        (False, ["250 a", "550 5.1.1 nobody", "250 reset"], []),
    ],
)
async def test_after_a_refused_recipient_the_next_message_passes(
    pipelining: bool, answers: list[str], mails: list[bytes]
) -> None:
    server = Server([*answers, "250 a", "250 b", "354 go", "250 taken"], pipelining=pipelining)
    async with talking(server) as conversation:
        with pytest.raises(NotTaken) as refusal:
            await conversation.send("desk@example.org", "gone@example.com", MAIL)
        assert refusal.value.answer == Answer(550, "5.1.1 nobody")
        assert refusal.value.of_recipient
        await conversation.send("desk@example.org", "mia@example.com", MAIL)
    assert server.mails == [*mails, SENT]


@pytest.mark.parametrize("pipelining", [True, False])
async def test_a_message_that_is_refused_says_nothing_of_its_recipient(pipelining: bool) -> None:
    answers = ["250 a", "250 b", "354 go", "552 too big", "250 reset"]
    async with talking(Server(answers, pipelining=pipelining)) as conversation:
        with pytest.raises(NotTaken) as refusal:
            await conversation.send("desk@example.org", "mia@example.com", MAIL)
        assert (refusal.value.answer.code, refusal.value.of_recipient) == (552, False)
        assert conversation.usable


@pytest.mark.parametrize("answer", ["nonsense", "25 0", "250 a\r\n250 unasked", "x" * 70_000])
async def test_what_is_no_smtp_ends_the_connection(answer: str) -> None:
    async with talking(Server([answer], pipelining=False)) as conversation:
        with pytest.raises(Broken):
            await conversation.send("desk@example.org", "mia@example.com", MAIL)
        assert not conversation.usable


async def test_a_server_that_hangs_up_leaves_the_outcome_unknown() -> None:
    server = Server(["250 a", "250 b"], pipelining=False)
    server.hang_up = lambda command: command == "DATA"
    async with talking(server) as conversation:
        with pytest.raises(Broken):
            await conversation.send("desk@example.org", "mia@example.com", MAIL)
        assert not conversation.usable
        with pytest.raises(Broken):
            await conversation.send("desk@example.org", "mia@example.com", MAIL)


async def test_no_address_holds_a_command_and_no_message_ends_early() -> None:
    server = Server(["250 a", "250 b", "354 go", "250 taken"], pipelining=True)
    async with talking(server) as conversation:
        for address in ("a@example.com>\r\nDATA", "a b\x00@example.com", "ä@example.com"):
            with pytest.raises(ValueError, match="address"):
                await conversation.send("desk@example.org", address, MAIL)
        await conversation.send("desk@example.org", "mia@example.com", b"a\n.\nb\r.\rc")
    assert server.mails == [b"a\r\n..\r\nb\r\n..\r\nc\r\n.\r\n"]
