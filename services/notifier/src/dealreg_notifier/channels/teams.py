"""Microsoft Teams, through a Workflows webhook: a notice as an Adaptive Card with links as buttons.

Teams knows no id for a message, so one whose fate is unknown may appear twice; its id stands in the
small print. Cards read a little Markdown: text of others is escaped, so that none of it is a link.
"""

import re
from datetime import datetime
from typing import Any

import orjson

from dealreg_notifier.channels import posting
from dealreg_notifier.channels.port import Outbound
from dealreg_notifier.channels.posted import PostedChannel, Written
from dealreg_notifier.channels.slack import paragraphs
from dealreg_notifier.domain.retries import PAUSES, Schedule
from dealreg_notifier.settings import NotifierSettings
from dealreg_shared.outbound import OutboundClient

NAME = "teams"

MOST_BLOCK = 2000
MOST_BLOCKS = 6
"""Together far below the 28 KB that Teams takes."""
MOST_BUTTONS = 6

VERDICTS = posting.Verdicts(gone=(401, 403, 404, 410), refused=(400, 413))
"""401, 403, 404 and 410: the workflow was removed, switched off, or its signature is no longer good."""

_MARKDOWN = re.compile(r"([\\`*_\[\]<>~#])")


def from_settings(settings: NotifierSettings, outbound: OutboundClient) -> PostedChannel:
    """Always set up: who reads in Teams adds an endpoint."""
    return channel(outbound, settings.notifier_delivery_attempts)


def channel(client: OutboundClient, attempts: int) -> PostedChannel:
    """All endpoints of kind ``teams``."""
    schedule = Schedule(PAUSES, attempts, jitter=0.1)
    return PostedChannel(NAME, client, schedule, VERDICTS, write, gathers=True)


def write(outbound: Outbound, _now: datetime) -> Written:
    return Written(orjson.dumps(message(outbound)))


def message(outbound: Outbound) -> dict[str, Any]:
    """The message that a workflow "when a Teams webhook request is received" posts."""
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "fallbackText": outbound.title[:MOST_BLOCK],
        "body": [
            _text(outbound.title[:300], size="Medium", weight="Bolder"),
            *[_text(part) for part in paragraphs(outbound.body, MOST_BLOCK, MOST_BLOCKS)],
            _text(f"{outbound.subject} · {outbound.delivery_id}", size="Small", isSubtle=True),
        ],
        "actions": [
            {"type": "Action.OpenUrl", "title": action.label, "url": action.url}
            for action in outbound.actions[:MOST_BUTTONS]
        ],
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def escaped(text: str) -> str:
    """Markdown's characters as themselves; lines stay lines."""
    return _MARKDOWN.sub(r"\\\1", text).replace("\n", "\n\n")


def _text(text: str, **style: Any) -> dict[str, Any]:
    return {"type": "TextBlock", "text": escaped(text), "wrap": True, **style}
