"""Endpoints: where a partner, a person or the programme wants its notices posted, and how that went.

A partner's key manages its partner's, a person's key its own, staff the programme's, an admin all.
Another's answers as one that does not exist.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy import Connection, RowMapping, select

from dealreg_notifier import endpoints, put_aside
from dealreg_notifier.api.notifications import own_inbox
from dealreg_notifier.api.schemas_webhooks import (
    Attempt,
    CreatedEndpoint,
    Endpoint,
    EndpointBody,
    EndpointChange,
    ReplayBody,
    Replayed,
    RotateBody,
    Tested,
    known,
    private,
    usable,
)
from dealreg_notifier.channels.port import Contact, Delivered, Outbound, Place
from dealreg_notifier.channels.webhook import NAME as WEBHOOK
from dealreg_notifier.domain.errors import (
    EndpointOff,
    NoSecret,
    NoSuchDelivery,
    NoSuchEndpoint,
    NotYourEndpoint,
)
from dealreg_notifier.notices import Desk
from dealreg_notifier.tables import delivery, delivery_attempt, endpoint, notification
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import Database, app_now
from dealreg_shared.ids import new_id
from dealreg_shared.web import paging
from dealreg_shared.web.bodies import JsonBody
from dealreg_shared.web.idempotency import no_key
from dealreg_shared.web.paging import DEFAULT_LIMIT, After, Limit, Page

Owner = Annotated[
    str | None,
    Query(max_length=160, description="Whose endpoints; without it all that you may manage"),
]

MANAGERS = ("partner_manager", "vp", "ceo")


def router(
    database: Database, authenticator: Authenticator, desk: Desk, *, loopback: bool
) -> APIRouter:
    routes = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
    Caller = Annotated[Principal, Depends(authenticator.require())]
    kinds = desk.wording.kinds()

    @routes.post(
        "",
        summary="Add an endpoint",
        status_code=201,
        openapi_extra=no_key(
            "a kept answer would hold the secret; delete the endpoint that is one too many."
        ),
    )
    async def create_endpoint(body: JsonBody[EndpointBody], caller: Caller) -> CreatedEndpoint:
        """A webhook (Standard Webhooks 1.0.0), or an incoming webhook of Slack or Teams. A webhook's
        secret is in this answer and nowhere else."""
        own = own_inbox(caller)
        owner = body.owner or own
        if owner is None or not may_manage(caller, owner):
            raise NotYourEndpoint("name an owner that you may speak for")
        new = endpoints.New(
            kind=body.kind,
            owner=owner,
            url=usable(body.url, loopback=loopback),
            description=" ".join(body.description.split()),
            notices=known(body.notices, kinds),
            private=private(body, owner),
            created_by=caller.key_id,
        )

        def work(conn: Connection) -> CreatedEndpoint:
            endpoint_id, secret = endpoints.create(conn, new, app_now(conn))
            crashpoint("endpoint.made")
            return CreatedEndpoint(**_one(conn, endpoint_id, caller).model_dump(), secret=secret)

        return await database.write(work)

    @routes.get("", summary="Your endpoints")
    async def list_endpoints(
        caller: Caller, limit: Limit = DEFAULT_LIMIT, after: After = None, owner: Owner = None
    ) -> Page[Endpoint]:
        """In the order in which they were made."""

        def work(conn: Connection) -> Page[Endpoint]:
            query = select(endpoint)
            if caller.role != "admin":
                query = query.where(endpoint.c.owner.in_(_owners(caller)))
            if owner is not None:
                query = query.where(endpoint.c.owner == owner)
            query = paging.after(query, endpoint.c.created_at, endpoint.c.endpoint_id, after, limit)
            rows, following = paging.page(
                conn.execute(query).mappings().all(),
                limit,
                lambda row: paging.Position(row["created_at"], row["endpoint_id"]),
            )
            return Page(items=_shown(conn, rows), next=following)

        return await database.read(work)

    @routes.get("/{endpoint_id}", summary="One endpoint")
    async def read_endpoint(endpoint_id: str, caller: Caller) -> Endpoint:
        """One endpoint, without its secret."""
        return await database.read(lambda conn: _one(conn, endpoint_id, caller))

    @routes.patch(
        "/{endpoint_id}",
        summary="Change an endpoint, switch it on or off",
        openapi_extra=no_key("the same change twice is the same."),
    )
    async def change_endpoint(
        endpoint_id: str, body: JsonBody[EndpointChange], caller: Caller
    ) -> Endpoint:
        """What is left out stays as it is; `"notices": null` means all notices."""
        values: dict[str, Any] = body.model_dump(exclude_unset=True)
        if "notices" in values:
            wanted = known(body.notices, kinds)
            values["notices"] = None if wanted is None else list(wanted)
        if body.url is not None:
            values["url"] = usable(body.url, loopback=loopback)
        if body.description is not None:
            values["description"] = " ".join(body.description.split())
        values = {
            name: value for name, value in values.items() if value is not None or name == "notices"
        }

        def work(conn: Connection) -> Endpoint:
            _mine(conn, endpoint_id, caller)
            endpoints.change(conn, endpoint_id, values)
            crashpoint("endpoint.changed")
            return _one(conn, endpoint_id, caller)

        return await database.write(work)

    @routes.delete(
        "/{endpoint_id}",
        summary="Delete an endpoint",
        status_code=204,
        openapi_extra=no_key("a second time finds nothing, and changes nothing."),
    )
    async def delete_endpoint(endpoint_id: str, caller: Caller) -> Response:
        """With its secrets, its log and what was still to be sent there."""

        def work(conn: Connection) -> None:
            _mine(conn, endpoint_id, caller)
            endpoints.remove(conn, [endpoint_id])
            crashpoint("endpoint.removed")

        await database.write(work)
        return Response(status_code=204)

    @routes.post(
        "/{endpoint_id}/rotate",
        summary="Replace a webhook's secret",
        openapi_extra=no_key(
            "a kept answer would hold the secret. Each rotation ends the secret "
            "before the last at once: after a lost answer give the receiver the secret of "
            "the next one."
        ),
    )
    async def rotate_secret(
        endpoint_id: str, body: JsonBody[RotateBody], caller: Caller
    ) -> CreatedEndpoint:
        """Both secrets sign until the old one ends, so that the receiver can change in between."""

        def work(conn: Connection) -> CreatedEndpoint:
            if _mine(conn, endpoint_id, caller)["kind"] != WEBHOOK:
                raise NoSecret("only a webhook has a secret; change the URL instead")
            now = app_now(conn)
            until = now + timedelta(hours=body.overlap_hours)
            secret = endpoints.rotate(conn, endpoint_id, until, now)
            crashpoint("endpoint.rotated")
            return CreatedEndpoint(**_one(conn, endpoint_id, caller).model_dump(), secret=secret)

        return await database.write(work)

    @routes.post(
        "/{endpoint_id}/test",
        summary="Send a test message",
        openapi_extra=no_key("it changes nothing here; each call is a test."),
    )
    async def send_test(endpoint_id: str, caller: Caller) -> Tested:
        """Sent at once and once, also to an endpoint that is switched off; its outcome is the answer."""

        def work(conn: Connection) -> tuple[str, Outbound]:
            kind: str = _mine(conn, endpoint_id, caller)["kind"]
            now = app_now(conn)
            place = endpoints.places(conn, [endpoint_id], now)[endpoint_id]
            live = Place(place.endpoint_id, place.url, place.secrets)
            text = "This is a test. Notices will arrive here."
            message = Outbound(
                delivery_id=new_id("dlv"),
                kind="test",
                contact=Contact("", None, None),
                title="Test message of the partner programme",
                text=text,
                html="",
                created_at=now,
                language=desk.wording.language,
                subject=endpoint_id,
                body=text,
                place=live,
            )
            return kind, message

        kind, message = await database.read(work)
        async with desk.channels[kind].session() as sender:
            outcome = await sender.send(message)
        exchange = outcome.exchange
        return Tested.model_validate(
            {
                "outcome": type(outcome).__name__.lower(),
                "status": None if exchange is None else exchange.status,
                "milliseconds": None if exchange is None else round(exchange.seconds * 1000),
                "error": None if isinstance(outcome, Delivered) else outcome.error,
            }
        )

    @routes.get("/{endpoint_id}/deliveries", summary="The delivery log of an endpoint")
    async def list_attempts(
        endpoint_id: str, caller: Caller, limit: Limit = DEFAULT_LIMIT, after: After = None
    ) -> Page[Attempt]:
        """Every attempt, the newest first: status, time taken, hashes of the bodies, no bodies."""

        def work(conn: Connection) -> Page[Attempt]:
            _mine(conn, endpoint_id, caller)
            attempt = delivery_attempt
            query = (
                select(
                    attempt,
                    delivery.c.notification_id,
                    delivery.c.state,
                    delivery.c.due_at,
                    notification.c.kind.label("notice_kind"),
                )
                .join(delivery, delivery.c.delivery_id == attempt.c.delivery_id)
                .join(notification, notification.c.notification_id == delivery.c.notification_id)
                .where(attempt.c.endpoint_id == endpoint_id)
            )
            query = paging.after(
                query, attempt.c.at, attempt.c.delivery_id, after, limit, descending=True
            )
            rows, following = paging.page(
                conn.execute(query).mappings().all(),
                limit,
                lambda row: paging.Position(row["at"], row["delivery_id"]),
            )
            return Page(items=[Attempt.of(row) for row in rows], next=following)

        return await database.read(work)

    @routes.post(
        "/{endpoint_id}/replay",
        summary="Send again what was put aside",
        openapi_extra=no_key("what is on its way already is not sent twice."),
    )
    async def replay(endpoint_id: str, body: JsonBody[ReplayBody], caller: Caller) -> Replayed:
        """With the same ids and as many attempts as new notices have."""

        def work(conn: Connection) -> Replayed:
            if not _mine(conn, endpoint_id, caller)["enabled"]:
                raise EndpointOff("switch the endpoint on first")
            wanted = _dead(conn, endpoint_id, body.delivery_ids)
            put_aside.replay(conn, wanted, app_now(conn))
            return Replayed(deliveries=len(wanted))

        return await database.write(work)

    return routes


def may_manage(caller: Principal, owner: str) -> bool:
    """Whether the caller may speak for this owner."""
    return caller.role == "admin" or owner in _owners(caller) or _of_staff(caller, owner)


def _of_staff(caller: Principal, owner: str) -> bool:
    return caller.role in MANAGERS and (
        owner == endpoints.PROGRAMME or owner.startswith(endpoints.ROLE)
    )


def _owners(caller: Principal) -> list[str]:
    own = own_inbox(caller)
    found = [] if own is None else [own]
    if caller.role in MANAGERS:
        roles = (*MANAGERS, "admin", "auditor")
        found += [endpoints.PROGRAMME, *(f"{endpoints.ROLE}{role}" for role in roles)]
    return found


def _mine(conn: Connection, endpoint_id: str, caller: Principal) -> RowMapping:
    alone = caller.role == "partner"
    row = endpoints.one(conn, endpoint_id, _owners(caller) if alone else None)
    if not may_manage(caller, row["owner"]):
        raise NoSuchEndpoint("there is no such endpoint, or none that you may see")
    return row


def _one(conn: Connection, endpoint_id: str, caller: Principal) -> Endpoint:
    (shown,) = _shown(conn, [_mine(conn, endpoint_id, caller)])
    return shown


def _shown(conn: Connection, rows: Sequence[RowMapping]) -> list[Endpoint]:
    ends = endpoints.secret_ends(conn, [row["endpoint_id"] for row in rows])
    now = app_now(conn)
    return [Endpoint.of(row, ends.get(row["endpoint_id"]), now) for row in rows]


def _dead(conn: Connection, endpoint_id: str, wanted: list[str] | None) -> list[str]:
    query = select(delivery.c.delivery_id).where(
        delivery.c.recipient == endpoint_id, delivery.c.carried_by.is_(None)
    )
    if wanted is None:
        return list(conn.execute(query.where(delivery.c.state == "dead")).scalars())
    mine = set(conn.execute(query.where(delivery.c.delivery_id.in_(wanted))).scalars())
    for delivery_id in wanted:
        if delivery_id not in mine:
            raise NoSuchDelivery(f"this endpoint has no delivery {delivery_id}")
    return wanted
