"""Deliveries that are due: claim (a transaction), send (none), record (a transaction).

``rounds`` does the three at the same time, for different deliveries; what they are stands here.

If the process dies between sending and recording, the lease ends and the message is sent again with the
same id: at least once, recognisable. A result that arrives after its lease is not written.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import random
from typing import Any

from sqlalchemy import Connection

from dealreg_notifier import deliveries
from dealreg_notifier.channels.port import (
    Action,
    Channel,
    Contact,
    Delivered,
    Outbound,
    Outcome,
    Refused,
    Retry,
    Sender,
)
from dealreg_notifier.deliveries import Carried, Claimed
from dealreg_notifier.domain.preferences import group_of
from dealreg_notifier.handlers import places
from dealreg_notifier.handlers.rounds import Ended, Round, Send, Work
from dealreg_notifier.linking import LinkMaker
from dealreg_notifier.notices import Desk
from dealreg_notifier.signing import Keyring
from dealreg_notifier.wording import in_language
from dealreg_shared.contracts.escalation import NotificationFailed
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import Database, app_now
from dealreg_shared.outbox import Outgoing
from dealreg_shared.telemetry import get_logger, metrics
from dealreg_shared.turns import Turns

BEATS = 3
"""How often a lease is prolonged within its length while its deliveries are being sent."""

GATHERED = "_gathered"
"""The template of a message with several notices."""

LONGEST_LIST = 500
"""Titles in one message; the rest is counted, and stands in the inbox."""

FAILED = "dealreg.notification.failed.v1"

_ATTEMPTS = metrics.counter(
    "dealreg_notifier_attempts",
    "Attempts to deliver, by channel and outcome.",
    "channel",
    "outcome",
)


Signing = tuple[bytes | None, datetime]
"""The private key for the links of messages that leave at this instant; None: none was made yet."""


@dataclass(frozen=True, slots=True)
class Postman:
    """Sends what is due on its channels. One whose other side is slow holds up none but its own."""

    database: Database
    desk: Desk
    channels: Mapping[str, Channel]
    lease: timedelta
    workers: int
    storm_limit: int
    links: LinkMaker
    keyring: Keyring
    chance: Callable[[], float] = random
    turns: Turns = field(default_factory=Turns)

    async def deliver_due(self) -> int:
        """Until nothing is due. Returns how many attempts were made.

        Each channel has a round of its own, so that none waits for another.
        """
        async with AsyncExitStack() as ways, asyncio.TaskGroup() as group:
            rounds = [
                group.create_task(
                    Round(
                        self._work(channel, ways), self.workers, self.lease.total_seconds() / BEATS
                    ).run()
                )
                for channel in self.channels.values()
            ]
        return sum(each.result() for each in rounds)

    def _work(self, channel: Channel, ways: AsyncExitStack) -> Work:
        """What a round of this channel does. Its senders stay open until ``ways`` ends."""
        signing: Signing

        async def claim(limit: int) -> Sequence[Claimed]:
            nonlocal signing
            claimed, signing = await self.database.write(partial(self.claim, channel, limit))
            return claimed

        async def worker() -> Send:
            sender = await ways.enter_async_context(channel.session())
            return lambda item: self._attempt(channel, sender, item, signing)

        async def record(ended: Sequence[Ended]) -> None:
            await self.database.write(partial(self.record, ended=ended))
            self.turns()

        async def prolong(claimed: Mapping[str, int]) -> None:
            await self.database.write(
                lambda conn: deliveries.prolong(conn, claimed, app_now(conn) + self.lease)
            )

        return Work(claim, worker, record, prolong)

    def claim(
        self, channel: Channel, limit: int, conn: Connection
    ) -> tuple[Sequence[Claimed], Signing]:
        """Claim what is due on a channel, about ``limit``, and see what signs its links."""
        now = app_now(conn)
        claimed = deliveries.claim(
            conn, {channel.name: channel}, now, self.lease, limit, self.storm_limit
        )
        crashpoint("deliveries.claimed")
        return claimed, (self.keyring.current(conn), now)

    async def _attempt(
        self, channel: Channel, sender: Sender, item: Claimed, signing: Signing
    ) -> Outcome:
        if item.attempt - item.spent > channel.schedule.attempts:
            return Refused("no attempt came to an end")
        if item.bounced:
            return Refused("the address was refused before; it waits for another one")
        try:
            return await sender.send(self._outbound(channel, item, signing))
        except Exception as error:  # one message must not hold up all others
            get_logger(__name__).exception("a channel failed", delivery_id=item.delivery_id)
            return Retry(f"the channel failed ({type(error).__name__})")

    def _outbound(self, channel: Channel, item: Claimed, signing: Signing) -> Outbound:
        """The message in its reader's language: a notice, or a list of all that go with it.

        Links that decide go only where nobody but the person reads.
        """
        wording = in_language(item.language, self.desk.wording.language)
        kind, facts, title, body = item.kind, item.facts, item.title, item.text
        said = body if wording.language == self.desk.wording.language else None
        if item.others:
            kind, facts = GATHERED, _list_facts(item)
            words = wording.words(kind, facts)
            title, body, said = words.title, words.text, words.text
        private = channel.private if item.place is None else item.place.private
        buttons = self.links.buttons(item, *signing) if private else ()
        return Outbound(
            delivery_id=item.delivery_id,
            kind=kind.strip("_"),
            contact=Contact(item.person_id, item.name, item.email),
            title=title,
            # Nobody reads a mail's pages where machines and chats do.
            text="" if channel.places else wording.mail_text(kind, facts, item.name, buttons, said),
            html=""
            if channel.places
            else wording.mail_html(kind, facts, item.name, title, buttons),
            created_at=item.created_at,
            language=wording.language,
            notification_id=item.notification_id,
            recipient=item.addressee,
            subject=item.subject,
            body=body,
            facts=facts,
            actions=tuple(Action(wording.label(button), button.url) for button in buttons),
            place=item.place,
        )

    def record(self, conn: Connection, ended: Sequence[Ended]) -> None:
        """Write the outcomes of attempts, each unless a later attempt has overtaken it."""
        now = app_now(conn)
        order = sorted(
            ((item, outcome) for item, outcome in ended if outcome is not None),
            key=lambda entry: (entry[0].person_id, entry[0].delivery_id),
        )
        deliveries.give_back(conn, [item for item, outcome in ended if outcome is None], now)
        for item, outcome in order:
            _ATTEMPTS.labels(item.channel, type(outcome).__name__.lower()).inc()
        arrived = [item for item, outcome in order if isinstance(outcome, Delivered)]
        written = deliveries.record_delivered(conn, arrived, now)
        for item, outcome in order:
            if not isinstance(outcome, Delivered) and self._failed(conn, item, outcome, now):
                written.add(item.delivery_id)
        places.took_note(conn, self.desk, [e for e in order if e[0].delivery_id in written], now)
        for item, _ in order:
            if item.delivery_id not in written:
                get_logger(__name__).warning(
                    "a delivery's attempt was overtaken",
                    delivery_id=item.delivery_id,
                    attempt=item.attempt,
                )
        crashpoint("deliveries.recorded")

    def _failed(
        self, conn: Connection, item: Claimed, outcome: Retry | Refused, now: datetime
    ) -> bool:
        error = f"{outcome.error}: {outcome.detail}" if outcome.detail else outcome.error
        attempts = item.attempt - item.spent
        pause = self._pause(item, outcome, attempts)
        if pause is not None:
            return deliveries.record(conn, item, "pending", now, due_at=now + pause, error=error)
        if not deliveries.record(conn, item, "dead", now, error=error):
            return False
        notices = [
            Carried(item.notification_id, item.kind, item.title, item.correlation_id),
            *item.others,
        ]
        self.desk.outbox.append(
            conn,
            [
                Outgoing(
                    type=FAILED,
                    key=notice.notification_id,
                    subject=notice.notification_id,
                    data=NotificationFailed(
                        notification_id=notice.notification_id,
                        kind=notice.kind,
                        channel=item.channel,
                        recipient_id=item.person_id,
                        attempts=attempts,
                        error=outcome.error,
                        at=now,
                    ),
                    correlation_id=notice.correlation_id,
                )
                for notice in notices
            ],
            now,
        )
        get_logger(__name__).error(
            "a notice was put aside",
            delivery_id=item.delivery_id,
            notification_id=item.notification_id,
            channel=item.channel,
            error=outcome.error,
        )
        return True

    def _pause(self, item: Claimed, outcome: Retry | Refused, attempts: int) -> timedelta | None:
        """Until the next attempt; None: there is none. Never sooner than the other side asks."""
        if isinstance(outcome, Refused):
            return None
        pause = self.channels[item.channel].schedule.pause_after(attempts, self.chance())
        return pause if pause is None or outcome.after is None else max(pause, outcome.after)


def _list_facts(item: Claimed) -> dict[str, Any]:
    """What the template of a list needs."""
    notices = [(item.kind, item.title), *((other.kind, other.title) for other in item.others)]
    groups: dict[str, list[str]] = {}
    for kind, title in notices[:LONGEST_LIST]:
        groups.setdefault(group_of(kind), []).append(title)
    return {
        "zone": item.facts["zone"],
        "programme_name": item.facts["programme_name"],
        "digest": item.digest_at is not None,
        "count": len(notices),
        "more": len(notices[LONGEST_LIST:]),
        "groups": [{"group": group, "titles": titles} for group, titles in groups.items()],
    }
