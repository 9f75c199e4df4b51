"""Several applications behind one port: paths find their service, descriptions become one."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from dealreg.compose import Joined, OverlappingPaths, join_descriptions
from dealreg_shared.db import Database
from dealreg_shared.runtime import Service
from dealreg_shared.web.app import new_app


async def _nothing() -> None:
    return None


def service(name: str, app: FastAPI, folder: Path) -> Service:
    database = Database(
        f"sqlite:///{folder / name}.db", now=lambda: datetime(2026, 1, 1, tzinfo=UTC)
    )
    return Service(
        name=name,
        app=app,
        database=database,
        migrate=_nothing,
        flows=(),
        ticks=(),
        start=_nothing,
        stop=_nothing,
    )


def deals(checks: dict[str, Any] | None = None) -> FastAPI:
    app = new_app("Deals", "1", service="deals", checks=checks)

    class Item(BaseModel):
        deal: str

    @app.get("/v1/deals/{deal}", response_model=Item)
    async def one(deal: str) -> Item:
        return Item(deal=deal)

    @app.get("/v1/shared/deals")
    async def shared() -> str:
        return "deals"

    return app


def maps() -> FastAPI:
    app = new_app("Maps", "1", service="maps")

    class Item(BaseModel):
        place: str

    @app.get("/v1/maps", response_model=Item)
    async def one() -> Item:
        return Item(place="here")

    @app.get("/v1/shared/maps/{name}")
    async def shared(name: str) -> str:
        return name

    @app.get("/look/{name}")
    async def look(name: str) -> str:
        return name

    return app


@pytest.fixture
async def joined(tmp_path: Path) -> Any:
    services = [service("deals", deals(), tmp_path), service("maps", maps(), tmp_path)]
    transport = httpx.ASGITransport(Joined(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://joined") as client:
        yield client
    for each in services:
        await each.database.dispose()


async def test_each_path_reaches_the_service_that_describes_it(joined: httpx.AsyncClient) -> None:
    assert (await joined.get("/v1/deals/7")).json() == {"deal": "7"}
    assert (await joined.get("/v1/maps")).json() == {"place": "here"}
    assert (await joined.get("/v1/shared/deals")).json() == "deals"
    assert (await joined.get("/v1/shared/maps/a")).json() == "a"
    assert (await joined.get("/look/here")).json() == "here"


async def test_a_path_that_nobody_has_is_a_404_problem(joined: httpx.AsyncClient) -> None:
    answer = await joined.get("/v1/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_one_description_lists_all_and_keeps_equal_names_apart(
    joined: httpx.AsyncClient,
) -> None:
    document = (await joined.get("/openapi.json")).json()
    assert {"/v1/deals/{deal}", "/v1/maps", "/v1/shared/maps/{name}"} <= set(document["paths"])
    assert document["paths"]["/v1/maps"]["get"]["tags"] == ["maps"]
    schemas = document["components"]["schemas"]
    assert "deal" in schemas["Item"]["properties"]
    assert "place" in schemas["maps_Item"]["properties"]
    content = document["paths"]["/v1/maps"]["get"]["responses"]["200"]["content"]
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/maps_Item"}
    assert (await joined.get("/docs")).status_code == 200


async def test_the_root_names_all_services_and_where_to_go_on(joined: httpx.AsyncClient) -> None:
    answer = (await joined.get("/?any=1")).json()

    assert (answer["service"], answer["version"]) == ("dealreg", "1")
    assert answer["services"] == ["deals", "maps"]
    for path in answer["links"].values():
        assert (await joined.get(path)).status_code == 200, path


async def test_one_service_that_is_not_ready_makes_the_whole_not_ready(tmp_path: Path) -> None:
    async def away() -> bool:
        return False

    services = [
        service("maps", maps(), tmp_path),
        service("deals", deals({"bus": away}), tmp_path),
    ]
    transport = httpx.ASGITransport(Joined(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://joined") as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "checks": {"deals bus": "failing"}}
    for each in services:
        await each.database.dispose()


def test_two_services_with_one_path_are_refused() -> None:
    document = {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {"/v1/a": {}}}
    with pytest.raises(OverlappingPaths, match="/v1/a"):
        join_descriptions({"one": document, "two": document})
