"""Event type -> handler: what registration listens to. It decides alone; this is about links."""

from dealreg_registration import tables
from dealreg_registration.link_keys import link_key_removed, link_key_updated
from dealreg_shared.bus.port import Bus
from dealreg_shared.contracts.catalogue import KEYS
from dealreg_shared.db import Database
from dealreg_shared.inbox import Consumer


def consumers(database: Database, bus: Bus) -> list[Consumer]:
    """One: the public keys of links in mails."""
    return [
        Consumer(
            database,
            tables.inbox,
            bus,
            "registration-keys",
            [KEYS],
            {"dealreg.link.key-updated.v1": link_key_updated},
            tombstones={KEYS: link_key_removed},
        )
    ]
