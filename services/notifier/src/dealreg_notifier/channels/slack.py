"""Slack incoming webhooks: a notice as Block Kit, with buttons that open a page.

Slack knows no id for a message, so one whose fate is unknown may appear twice; its id stands in the
small print. Text of others is escaped and shown as plain text: no mention, no link, no formatting in it.
"""

from datetime import datetime
from typing import Any

import orjson

from dealreg_notifier.channels import posting
from dealreg_notifier.channels.port import Outbound
from dealreg_notifier.channels.posted import PostedChannel, Written
from dealreg_notifier.domain.retries import PAUSES, Schedule
from dealreg_notifier.settings import NotifierSettings
from dealreg_shared.outbound import OutboundClient

NAME = "slack"

MOST_HEADER = 150
MOST_SECTION = 3000
MOST_SECTIONS = 8
MOST_BUTTONS = 5

VERDICTS = posting.Verdicts(gone=(403, 404, 410), refused=(400, 413))
"""403, 404 and 410: the app, the webhook or the channel was removed; 400: this message is malformed."""


def from_settings(settings: NotifierSettings, outbound: OutboundClient) -> PostedChannel:
    """Always set up: who reads in Slack adds an endpoint."""
    return channel(outbound, settings.notifier_delivery_attempts)


def channel(client: OutboundClient, attempts: int) -> PostedChannel:
    """All endpoints of kind ``slack``."""
    schedule = Schedule(PAUSES, attempts, jitter=0.1)
    return PostedChannel(NAME, client, schedule, VERDICTS, write, gathers=True)


def write(outbound: Outbound, _now: datetime) -> Written:
    return Written(orjson.dumps(message(outbound)))


def message(outbound: Outbound) -> dict[str, Any]:
    """The message. ``text`` is what a lock screen and a screen reader show."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(_cut(outbound.title, MOST_HEADER))},
        *[
            {"type": "section", "text": _plain(part)}
            for part in paragraphs(outbound.body, MOST_SECTION, MOST_SECTIONS)
        ],
    ]
    if outbound.actions:
        blocks.append(
            {
                "type": "actions",
                "elements": [
                    {"type": "button", "text": _plain(_cut(action.label, 75)), "url": action.url}
                    for action in outbound.actions[:MOST_BUTTONS]
                ],
            }
        )
    blocks.append(
        {"type": "context", "elements": [_plain(f"{outbound.subject} · {outbound.delivery_id}")]}
    )
    return {"text": escaped(_cut(outbound.title, MOST_SECTION)), "blocks": blocks}


def escaped(text: str) -> str:
    """Slack's three control characters, so that nothing in ``text`` is a link or a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def paragraphs(text: str, most: int, count: int) -> list[str]:
    """The text in at most ``count`` pieces of at most ``most`` characters, broken between paragraphs."""
    pieces: list[str] = []
    for paragraph in text.split("\n\n"):
        piece = _cut(paragraph.strip(), most)
        if not piece:
            continue
        if pieces and len(pieces[-1]) + 2 + len(piece) <= most // 2:
            pieces[-1] += f"\n\n{piece}"
        else:
            pieces.append(piece)
    if len(pieces) > count:
        pieces = [*pieces[: count - 1], "… The whole notice stands in your inbox."]
    return pieces


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
