"""A channel of endpoints that are posted to: what webhooks, Slack and Teams share. Each of them says how
a message is written and what its statuses mean."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dealreg_notifier.channels import posting
from dealreg_notifier.channels.port import Contact, Outbound, Outcome, Refused
from dealreg_notifier.domain.retries import Schedule
from dealreg_shared.outbound import OutboundClient

JSON: Mapping[str, str] = {"content-type": "application/json"}


def utc_now() -> datetime:
    """Real time: receivers compare it with their own clock, also where business time is simulated."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Written:
    """A message as it is posted."""

    content: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)


@dataclass(frozen=True, slots=True)
class PostedChannel:
    """All endpoints of a kind. ``write`` makes the message, for an open place."""

    name: str
    client: OutboundClient
    schedule: Schedule
    verdicts: posting.Verdicts
    write: Callable[[Outbound, datetime], Written]
    gathers: bool
    now: Callable[[], datetime] = utc_now
    places: bool = True
    private: bool = False

    def reaches(self, contact: Contact) -> bool:
        """No person: only places that somebody set up."""
        return False

    @asynccontextmanager
    async def session(self) -> AsyncIterator["PostedChannel"]:
        """Nothing is kept open."""
        yield self

    async def send(self, outbound: Outbound) -> Outcome:
        """One request, and what became of it."""
        if outbound.place is None or not outbound.place.open:
            return Refused("the endpoint is switched off")
        now = self.now()
        written = self.write(outbound, now)
        return await posting.post(
            self.client, outbound.place.url, written.headers, written.content, self.verdicts, now
        )
