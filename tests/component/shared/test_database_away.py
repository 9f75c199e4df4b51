"""A database that does not answer is a 503 to try again; a fault in our own statement stays a 500."""

import socket
from pathlib import Path

import httpx
from sqlalchemy import text

from dealreg_shared.db import Database
from dealreg_shared.web.app import new_app


async def answer(database: Database, statement: str) -> httpx.Response:
    app = new_app("Shop", "1", service="away-shop")

    @app.get("/rows")
    async def rows() -> int:
        return await database.read(lambda conn: len(conn.execute(text(statement)).all()))

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://shop"
    ) as http:
        response = await http.get("/rows")
    await database.dispose()
    return response


async def test_a_server_that_cannot_be_reached_is_a_503() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    response = await answer(Database(f"postgresql+asyncpg://u:hush@127.0.0.1:{port}/d"), "SELECT 1")

    assert response.status_code == 503
    assert response.json()["type"] == "/problems/database-unavailable"
    assert response.headers["retry-after"] == "2"
    assert str(port) not in response.text


async def test_a_wrong_statement_is_a_500(tmp_path: Path) -> None:
    response = await answer(Database(f"sqlite:///{tmp_path}/x.db"), "SELECT nothing FROM nowhere")

    assert response.status_code == 500
    assert "nowhere" not in response.text
