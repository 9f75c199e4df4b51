"""E-mail over SMTP: text and HTML in one message, the same Message-ID for every attempt.

A 4xx answer, a connection that fails and an unknown outcome are retried; a 5xx answer about the message
or its recipient is final. A 5xx answer to our own login is retried too: it says that the settings are
wrong, not the address. Must not log or return an address.
"""

import re
from binascii import b2a_qp
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.header import Header
from email.utils import format_datetime, formataddr, parseaddr
from functools import lru_cache
from textwrap import wrap

import aiosmtplib

from dealreg_notifier.channels.port import Contact, Delivered, Outbound, Outcome, Refused, Retry
from dealreg_notifier.domain.retries import PAUSES, Schedule
from dealreg_notifier.settings import NotifierSettings
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.outbound import OutboundClient

NAME = "email"

_WIDTH = 76

_BLOCK = re.compile(r"\s*5\.[2-7]\.\d")
"""5.7.1 and its like, also in answer to a recipient: a policy, a full mailbox, a size. 5.1.x is the
address."""

_ADDRESS = re.compile(r"[^\s<>()\"',;:]+@[^\s<>()\"',;]+")


class EmailChannel:
    """One mail server."""

    name = NAME
    gathers = True
    private = True
    places = False

    def __init__(self, settings: NotifierSettings) -> None:
        self._settings = settings
        self.schedule = Schedule(PAUSES, settings.notifier_delivery_attempts)

    def reaches(self, contact: Contact) -> bool:
        return bool(contact.email)

    @asynccontextmanager
    async def session(self) -> AsyncIterator["SmtpSender"]:
        sender = SmtpSender(self._settings)
        try:
            yield sender
        finally:
            await sender.close()


class SmtpSender:
    """One connection, opened when needed and opened anew after it broke."""

    def __init__(self, settings: NotifierSettings) -> None:
        self._settings = settings
        self._smtp: aiosmtplib.SMTP | None = None

    async def send(self, outbound: Outbound) -> Outcome:
        if not outbound.contact.email:
            return Retry("no address is known")
        address = plain_address(outbound.contact.email)
        if address is None:
            return Refused("the address has letters that mail servers do not take")
        try:
            smtp = await self._connected()
        except aiosmtplib.SMTPAuthenticationError as error:
            return Retry(f"SMTP {error.code}: the mail server refused our login")
        except (aiosmtplib.SMTPException, OSError) as error:
            return Retry(f"the mail server cannot be reached ({type(error).__name__})")
        sender = self._settings.sender_address()
        try:
            await smtp.sendmail(_parsed(sender)[1], [address], compose(outbound, sender, address))
        except aiosmtplib.SMTPRecipientsRefused as error:
            await self._reset()
            return _answered(error.recipients[0], of_address=True)
        except aiosmtplib.SMTPResponseException as error:
            await self._reset()
            return _answered(error)
        except (aiosmtplib.SMTPException, OSError) as error:
            await self.close()
            return Retry(f"the connection broke while sending ({type(error).__name__})")
        crashpoint("mail.sent")
        return Delivered()

    async def close(self) -> None:
        """Let go of the connection, politely if the other side still answers."""
        smtp, self._smtp = self._smtp, None
        if smtp is None:
            return
        try:
            await smtp.quit()
        except (aiosmtplib.SMTPException, OSError):
            smtp.close()

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._smtp is not None and self._smtp.is_connected:
            return self._smtp
        settings = self._settings
        password = settings.notifier_smtp_password
        smtp = aiosmtplib.SMTP(
            hostname=settings.notifier_smtp_host,
            port=settings.notifier_smtp_port,
            use_tls=settings.notifier_smtp_tls == "tls",
            start_tls=settings.notifier_smtp_tls == "starttls",
            username=settings.notifier_smtp_user,
            password=None if password is None else password.get_secret_value(),
            timeout=settings.notifier_smtp_timeout_seconds,
        )
        try:
            await smtp.connect()
            if smtp.is_ehlo_or_helo_needed:
                await smtp.ehlo()
        except BaseException:
            smtp.close()
            raise
        self._smtp = smtp
        return smtp

    async def _reset(self) -> None:
        """A refused message leaves the connection usable, unless the server hung up with it."""
        if self._smtp is None or not self._smtp.is_connected:
            return
        try:
            await self._smtp.rset()
        except (aiosmtplib.SMTPException, OSError):
            await self.close()


def from_settings(settings: NotifierSettings, _outbound: OutboundClient) -> EmailChannel | None:
    """The channel, when a mail server is named."""
    return None if settings.notifier_smtp_host is None else EmailChannel(settings)


@lru_cache(maxsize=1024)
def _domain(name: str) -> str:
    return name.encode("idna").decode("ascii")


def plain_address(address: str) -> str | None:
    """The address in ASCII, its domain by IDNA; None where that cannot be."""
    local, _, domain = address.rpartition("@")
    try:
        plain = f"{local}@{_domain(domain)}"
    except UnicodeError:
        return None
    return plain if local and plain.isascii() and plain.isprintable() else None


@lru_cache(maxsize=16)
def _parsed(sender: str) -> tuple[str, str]:
    """Name and address of the sender, which is nearly always the same one."""
    return parseaddr(sender)


def compose(outbound: Outbound, sender: str, recipient: str) -> bytes:
    """The whole message, in lines that every mail server takes.

    Its Message-ID follows from the delivery's id, so a repeat is recognisable. Put together by hand: the
    standard library's generator takes many times as long. Only what is hard is left to it.
    """
    from_ = _parsed(sender)
    domain = from_[1].partition("@")[2]
    boundary = f"=_{outbound.delivery_id}"  # no quoted-printable text holds "=_"
    headers = {
        "From": _mailbox(*from_),
        "To": _mailbox(outbound.contact.name or "", recipient),
        "Subject": " ".join(outbound.title.split()),
        "Date": format_datetime(outbound.created_at),
        "Message-ID": f"<{outbound.delivery_id}@{domain}>",
        "Content-Language": outbound.language,
        "Auto-Submitted": "auto-generated",
        "X-Dealreg-Kind": outbound.kind,
        "MIME-Version": "1.0",
    }
    lines = [_header(name, value) for name, value in headers.items()]
    lines += ["Content-Type: multipart/alternative;", f' boundary="{boundary}"', ""]
    for kind, text in (("plain", outbound.text), ("html", outbound.html)):
        lines += [
            f"--{boundary}",
            f'Content-Type: text/{kind}; charset="utf-8"',
            "Content-Transfer-Encoding: quoted-printable",
            "",
            b2a_qp(_lines_of(text).encode(), istext=True).decode("ascii"),
        ]
    return "\r\n".join([*lines, f"--{boundary}--", ""]).encode("ascii")


def _lines_of(text: str) -> str:
    """With the line ends of mail; at least one, since the encoder goes by the first it finds."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    return lines if lines.endswith("\r\n") else lines + "\r\n"


def _mailbox(name: str, address: str) -> str:
    """Name and address; nothing in a name can begin another header."""
    return formataddr((" ".join(name.split()), address))


def _header(name: str, value: str) -> str:
    """A header line, folded and encoded where it must be."""
    line = f"{name}: {value}"
    if line.isascii() and line.isprintable():
        if len(line) <= _WIDTH:
            return line
        folded = wrap(line, _WIDTH, break_long_words=False, break_on_hyphens=False)
        if "  " not in line and len(max(folded, key=len)) <= _WIDTH:
            return "\r\n ".join(folded)
    charset = None if value.isascii() else "utf-8"
    encoded = Header(value, charset, header_name=name, maxlinelen=_WIDTH).encode(linesep="\r\n")
    return f"{name}: {encoded}"


def _answered(error: aiosmtplib.SMTPResponseException, *, of_address: bool = False) -> Outcome:
    """A bounce (5xx about the address) is told from a block (5xx about us or the message), and both from
    what is to be retried. The enhanced status code of RFC 3463 decides where the server gives one."""
    detail = _ADDRESS.sub("<address>", str(error.message))[:500]
    if 500 <= error.code < 600:
        if of_address and not _BLOCK.match(str(error.message)):
            return Refused(f"SMTP {error.code}: the address is refused for good", detail, gone=True)
        return Refused(f"SMTP {error.code}: the mail server refused the message for good", detail)
    return Retry(f"SMTP {error.code}: the mail server asked to try again later", detail)
