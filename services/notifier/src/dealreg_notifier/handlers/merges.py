"""Two accounts became one: what the survivor's key tells next may be about what stood under the other.

So the survivor's events wait until all of the merged account's have been applied; between the keys
nobody promises an order. Nobody is told: what changed for a partner is told by its claims' own events.
"""

from typing import Any

from sqlalchemy import Connection

from dealreg_notifier import tables
from dealreg_notifier.notices import Desk
from dealreg_shared.contracts.catalogue import REGISTRATION
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.inbox.reached import need

CONSUMER = "notifier-registration"


def account_merged(conn: Connection, event: Event[Any], _desk: Desk) -> None:
    data = event.data
    if event.partitionkey == data.account_id and data.merged_version is not None:
        other, version = data.merged_account_id, data.merged_version
        need(conn, tables.inbox, CONSUMER, REGISTRATION, other, version)
