"""Keeps people's names and addresses, and erases them."""

from typing import Any

from sqlalchemy import Connection

from dealreg_notifier import deliveries, directory, wishes
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.db import app_now

ERASED = "the person was erased"


def person_updated(conn: Connection, event: Event[Any]) -> None:
    """The latest value of a person wins."""
    data = event.data
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


def person_erased(conn: Connection, person_id: str) -> None:
    """Tombstone: name, address, preferences and a mail server's words go; what is unsent stays unsent.

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
    wishes.forget(conn, person_id)
    deliveries.cancel_for(conn, person_id, ERASED, app_now(conn))
