"""Every route of every service takes the query parameters that its API description names, no others."""

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from dealreg_coverage.app import build as coverage
from dealreg_coverage.settings import CoverageSettings
from dealreg_notifier.app import build as notifier
from dealreg_notifier.settings import NotifierSettings
from dealreg_registration.app import build as registration
from dealreg_registration.settings import RegistrationSettings
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.bus.port import Bus
from dealreg_shared.db.engine import utc_now
from dealreg_shared.runtime import Service

SERVICES: dict[str, Callable[[Path, Bus], Service]] = {
    "registration": lambda data, bus: registration(
        RegistrationSettings(data_dir=data), bus=bus, now=utc_now
    ),
    "coverage": lambda data, bus: coverage(CoverageSettings(data_dir=data), bus=bus, now=utc_now),
    "notifier": lambda data, bus: notifier(NotifierSettings(data_dir=data), bus=bus, now=utc_now),
}


@pytest.fixture(params=SERVICES)
async def service(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Service]:
    bus = EmbeddedBus(tmp_path / "bus.db")
    made = SERVICES[request.param](tmp_path, bus)
    yield made
    await made.database.dispose()
    await bus.close()


def named(operation: dict[str, Any]) -> str:
    """What a refusal of this operation says about the parameters that it knows."""
    names = sorted(p["name"] for p in operation.get("parameters", ()) if p["in"] == "query")
    return f"known here: {', '.join(names)}" if names else "none is known here"


async def test_a_route_takes_what_its_description_names(service: Service) -> None:
    assert isinstance(service.app, FastAPI)
    document = service.app.openapi()
    asked = {
        (path, method): named(operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    said = {}
    transport = httpx.ASGITransport(service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        for path, method in asked:
            refused = await http.request(method, re.sub(r"{\w+}", "x", path) + "?no_such=1")
            assert refused.status_code == 422, (path, method)
            said[path, method] = refused.json()["errors"][0]["rule"].partition("; ")[2]
    assert asked
    assert said == asked
