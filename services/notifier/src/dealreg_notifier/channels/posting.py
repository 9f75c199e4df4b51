"""Posting to an endpoint, for every channel that does: one request, and its answer as an outcome.

Must not repeat anything of the other side's answer but its status: bodies and headers are its own words.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic

from dealreg_notifier.channels.port import Delivered, Exchange, Outcome, Refused, Retry
from dealreg_notifier.domain.retries import MOST_WAIT
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.outbound import Answer, NotSent, OutboundClient, Unanswered


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What statuses beside 2xx mean. What is named nowhere is tried again."""

    gone: Collection[int] = ()
    refused: Collection[int] = ()


async def post(
    client: OutboundClient,
    url: str,
    headers: Mapping[str, str],
    content: bytes,
    verdicts: Verdicts,
    now: datetime,
) -> Outcome:
    """Post once. ``now`` (real time): for an answer that names an instant to try again at."""
    begun = monotonic()
    sent = hashlib.sha256(content).hexdigest()
    try:
        answer = await client.post(url, headers, content)
    except NotSent as error:
        return Refused(f"nothing was sent: {error}", exchange=Exchange(monotonic() - begun, sent))
    except Unanswered as error:
        return Retry(error.kind, exchange=Exchange(monotonic() - begun, sent))
    crashpoint("post.answered")
    exchange = Exchange(
        monotonic() - begun, sent, answer.status, hashlib.sha256(answer.body).hexdigest()
    )
    if 200 <= answer.status < 300:
        return Delivered(exchange)
    fault = f"HTTP {answer.status}"
    if 300 <= answer.status < 400:
        fault += ": a redirect, which is not followed"
    if answer.status in verdicts.gone:
        return Refused(f"{fault}: the endpoint is gone", gone=True, exchange=exchange)
    if answer.status in verdicts.refused:
        return Refused(f"{fault}: the message was refused for good", exchange=exchange)
    return Retry(fault, after=retry_after(answer, now), exchange=exchange)


def retry_after(answer: Answer, now: datetime) -> timedelta | None:
    """The wait that the answer asks for, in seconds or until a date; at most a day."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), MOST_WAIT)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(timedelta(), min(until - now, MOST_WAIT))
