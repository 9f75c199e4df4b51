"""The public keys of links in mails, for anybody: a JSON Web Key Set (RFC 7517, RFC 8037)."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy import Connection

from dealreg_notifier import signing
from dealreg_shared.db import Database, app_now

PATH = "/.well-known/dealreg-keys.json"


class PublicKey(BaseModel):
    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    alg: Literal["EdDSA"] = "EdDSA"
    use: Literal["sig"] = "sig"
    kid: str
    x: str


class KeySet(BaseModel):
    keys: list[PublicKey]


def router(database: Database) -> APIRouter:
    routes = APIRouter(tags=["keys"])

    @routes.get(PATH, summary="Public keys of links in mails")
    async def read_keys(response: Response) -> KeySet:
        """The keys that sign links now, or did until recently. Needs no API key."""

        def work(conn: Connection) -> KeySet:
            rows = signing.published(conn, app_now(conn))
            return KeySet(keys=[PublicKey(kid=row["key_id"], x=row["public_key"]) for row in rows])

        response.headers["cache-control"] = "public, max-age=300"
        return await database.read(work)

    return routes
