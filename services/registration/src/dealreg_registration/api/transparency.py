"""The log from outside: its root, its growth, what is in it, and the keys that sign it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel
from sqlalchemy import Connection

from dealreg_registration import log_reading, signing_keys
from dealreg_registration.api.callers import READERS, actor_of
from dealreg_registration.api.errors import not_found
from dealreg_registration.programme import Programme
from dealreg_shared.auth import Authenticator, Principal
from dealreg_shared.contracts.base import Instant
from dealreg_shared.db import Database
from dealreg_shared.web.problems import Problem

KEYS_PATH = "/.well-known/jwks.json"

Size = Annotated[int, Query(ge=1, le=2**62)]


class PublicKey(BaseModel):
    """A JSON Web Key (RFC 8037). A retired key is good for what was signed until then."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    alg: Literal["EdDSA"] = "EdDSA"
    use: Literal["sig"] = "sig"
    kid: str
    x: str
    created_at: Instant
    retired_at: Instant | None


class KeySet(BaseModel):
    keys: list[PublicKey]


def transparency_router(
    database: Database,
    programme: Programme,
    authenticator: Authenticator,
    keys: signing_keys.SigningKeys,
    log: str,
) -> APIRouter:
    """Routes under ``/v1/transparency``, the proofs of registrations, and the key set. ``log`` is the
    programme, whose log it is."""
    router = APIRouter(tags=["transparency"])
    Reader = Annotated[Principal, Depends(authenticator.require(*READERS))]

    @router.get(KEYS_PATH, summary="Public keys of receipts and of the log")
    async def read_signing_keys(response: Response) -> KeySet:
        """Every key that ever signed, the newest first. Needs no API key."""
        rows = await database.read(signing_keys.published)
        response.headers["cache-control"] = "public, max-age=300"
        return KeySet(
            keys=[
                PublicKey(
                    kid=row["key_id"],
                    x=row["public_key"],
                    created_at=row["created_at"],
                    retired_at=row["retired_at"],
                )
                for row in rows
            ]
        )

    @router.get("/v1/transparency/root", summary="The log's newest signed root")
    async def read_root(_caller: Reader) -> dict[str, Any]:
        """Keep it: later roots must prove that they grew from it."""
        return _there(await database.read(lambda conn: log_reading.root_view(conn, log)))

    @router.get("/v1/transparency/consistency", summary="Proof that the log only grew")
    async def read_consistency(
        _caller: Reader,
        from_: Annotated[Size, Query(alias="from", description="Size of the older root")],
        to: Annotated[
            Size | None, Query(description="Size of the newer root; left out: the newest")
        ] = None,
    ) -> dict[str, Any]:
        view = await database.read(lambda conn: log_reading.consistency_view(conn, log, from_, to))
        return _there(view)

    @router.get(
        "/v1/registrations/{registration_id}/proof",
        summary="Proof that a registration is in the log",
    )
    async def read_proof(registration_id: str, caller: Reader) -> dict[str, Any]:
        """Under the newest root, with what the registration's own entry says. For a second or two it is
        not sealed yet: 409."""
        actor = actor_of(caller)
        try:
            view = await database.read(
                lambda conn: log_reading.inclusion_view(conn, log, registration_id, actor)
            )
        except log_reading.NotSealed:
            raise Problem(
                409,
                "not-sealed-yet",
                "Not sealed yet",
                "The log is sealed every second; ask again in a moment.",
                headers={"retry-after": "2"},
            ) from None
        return _there(view)

    @router.get(
        "/v1/registrations/{registration_id}/precedence",
        summary="Proof that something earlier was in the log",
    )
    async def read_precedence(registration_id: str, caller: Reader) -> dict[str, Any]:
        """For a contested or duplicate claim: under the last root before it was filed there was an
        earlier entry. Shows that entry's position and nothing else. Nothing is here where there is no
        such claim, no root between the two entries, or where the plan does not wish it."""
        actor = actor_of(caller)

        def work(conn: Connection) -> dict[str, Any] | None:
            if not programme.wishes_precedence_proofs(conn):
                return None
            return log_reading.precedence_view(conn, log, registration_id, actor, keys.signer())

        return _there(await programme.read(database, work))

    return router


def _there(view: dict[str, Any] | None) -> dict[str, Any]:
    if view is None:
        raise not_found()
    return view
