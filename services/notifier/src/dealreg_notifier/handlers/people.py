"""Keeps people's names and addresses, and erases them."""

from typing import Any

from sqlalchemy import Connection

from dealreg_notifier import bounces, deliveries, directory, endpoints, put_aside, wishes
from dealreg_notifier.channels.email import NAME as EMAIL
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.db import app_now

ERASED = "the person was erased"


def person_updated(conn: Connection, event: Event[Any]) -> None:
    """The latest value of a person wins. A new address gets what the old one refused lately."""
    data = event.data
    if bounces.renewed(conn, data.person_id, data.email):
        put_aside.revive(conn, data.person_id, EMAIL, app_now(conn))
    directory.put_person(
        conn,
        {
            "person_id": data.person_id,
            "name": data.name,
            "email": data.email,
            "roles": list(data.roles),
            "partner_id": data.partner_id,
            "erased": False,
        },
    )
    directory.put_delegations(conn, data.person_id, data.delegations)


def person_erased(conn: Connection, person_id: str) -> None:
    """Tombstone: name, address, preferences, endpoints and a mail server's words go; unsent stays so.

    The id stays, so that a level of the ladder knows that this person cannot be told.
    """
    directory.put_person(
        conn,
        {
            "person_id": person_id,
            "name": None,
            "email": None,
            "roles": [],
            "partner_id": None,
            "erased": True,
        },
    )
    directory.put_delegations(conn, person_id, ())
    wishes.forget(conn, person_id)
    bounces.forget(conn, [person_id])
    endpoints.remove_of(conn, person_id)
    deliveries.cancel_for(conn, person_id, ERASED, app_now(conn))
