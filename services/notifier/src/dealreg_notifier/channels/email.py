"""E-mail over SMTP: text and HTML in one message, the same Message-ID for every attempt.

A 4xx answer, a connection that fails and an unknown outcome are retried; a 5xx answer about the message
or its recipient is final. A 5xx answer to our own login is retried too: it says that the settings are
wrong, not the address. Must not log or return an address.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.charset import QP, Charset
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime, formataddr, parseaddr

import aiosmtplib

from dealreg_notifier.channels.port import Contact, Delivered, Outbound, Outcome, Refused, Retry
from dealreg_notifier.settings import NotifierSettings

NAME = "email"

_UTF8 = Charset("utf-8")
_UTF8.body_encoding = QP
_LINES = compat32.clone(linesep="\r\n", max_line_length=76)

_ADDRESS = re.compile(r"[^\s<>()\"',;:]+@[^\s<>()\"',;]+")


class EmailChannel:
    """One mail server."""

    name = NAME

    def __init__(self, settings: NotifierSettings) -> None:
        self._settings = settings

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
        try:
            smtp = await self._connected()
        except aiosmtplib.SMTPAuthenticationError as error:
            return Retry(f"SMTP {error.code}: the mail server refused our login")
        except (aiosmtplib.SMTPException, OSError) as error:
            return Retry(f"the mail server cannot be reached ({type(error).__name__})")
        sender = self._settings.sender_address()
        recipient = outbound.contact.email
        international = not recipient.isascii()
        if international and not smtp.supports_extension("smtputf8"):
            return Refused("the mail server takes no address with letters beyond ASCII")
        try:
            await smtp.sendmail(
                parseaddr(sender)[1],
                [recipient],
                compose(outbound, sender),
                mail_options=["SMTPUTF8"] if international else [],
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            await self._reset()
            return _answered(error.recipients[0])
        except aiosmtplib.SMTPResponseException as error:
            await self._reset()
            return _answered(error)
        except (aiosmtplib.SMTPException, OSError) as error:
            await self.close()
            return Retry(f"the connection broke while sending ({type(error).__name__})")
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
        await smtp.connect()
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


def from_settings(settings: NotifierSettings) -> EmailChannel | None:
    """The channel, when a mail server is named."""
    return None if settings.notifier_smtp_host is None else EmailChannel(settings)


def compose(outbound: Outbound, sender: str) -> bytes:
    """The whole message, in lines that every mail server takes.

    Its Message-ID follows from the delivery's id, so a repeat is recognisable. Made with the older
    policy of the standard library, which takes a tenth of the newer one's time.
    """
    address = parseaddr(sender)[1]
    message = MIMEMultipart("alternative")
    message["From"] = _mailbox(*parseaddr(sender))
    message["To"] = _mailbox(outbound.contact.name or "", outbound.contact.email or "")
    message["Subject"] = _header(outbound.title)
    message["Date"] = format_datetime(outbound.created_at)
    message["Message-ID"] = f"<{outbound.delivery_id}@{address.partition('@')[2]}>"
    message["Content-Language"] = outbound.language
    message["Auto-Submitted"] = "auto-generated"
    message["X-Dealreg-Kind"] = outbound.kind
    message.attach(MIMEText(outbound.text, "plain", _UTF8))  # type: ignore[arg-type]
    message.attach(MIMEText(outbound.html, "html", _UTF8))  # type: ignore[arg-type]
    return message.as_bytes(policy=_LINES)


def _mailbox(name: str, address: str) -> str:
    """Name and address; nothing in a name can begin another header."""
    return formataddr((" ".join(name.split()), address))


def _header(text: str) -> str:
    line = " ".join(text.split())
    return line if line.isascii() else Header(line, "utf-8", header_name="Subject").encode()


def _answered(error: aiosmtplib.SMTPResponseException) -> Outcome:
    detail = _ADDRESS.sub("<address>", str(error.message))[:500]
    if 500 <= error.code < 600:
        return Refused(f"SMTP {error.code}: the mail server refused the message for good", detail)
    return Retry(f"SMTP {error.code}: the mail server asked to try again later", detail)
