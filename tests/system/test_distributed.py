"""Three processes on a real PostgreSQL and a real Kafka: the main story, over HTTP, with kills."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from dealreg_devstack.kafka import Kafka
from dealreg_devstack.postgres import Postgres

pytestmark = [pytest.mark.devstack, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]
SERVICES = ("registration", "coverage", "notifier")
PATIENCE = 60.0


@dataclass
class Installation:
    """The three services, each its own process."""

    environment: dict[str, str]
    databases: dict[str, str]
    logs: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    admin_key: str = ""

    def start(self, name: str) -> None:
        log = (self.logs / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-m", f"dealreg_{name}", "serve"],
            env=self.environment | {"DEALREG_HTTP_PORT": str(self.ports[name])},
            stdout=log,
            stderr=log,
        )
        log.close()

    async def ready(self, client: httpx.AsyncClient, name: str) -> None:
        async def answers() -> bool:
            assert self.processes[name].poll() is None, self.log(name)
            try:
                answer = await client.get(self.url(name, "/readyz"))
            except httpx.TransportError:
                return False
            return answer.status_code == 200

        await until(answers, f"{name} is ready")

    def url(self, name: str, path: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}{path}"

    def whole_log(self, name: str) -> str:
        return (self.logs / f"{name}.log").read_text()

    def log(self, name: str) -> str:
        return self.whole_log(name)[-4000:]

    async def advance(self, **elapsed: float) -> None:
        """Move the databases' clock ahead; the processes notice by asking it."""
        [(unit, amount)] = elapsed.items()
        for name in ("registration", "notifier"):
            conn = await asyncpg.connect(self.databases[name].replace("+asyncpg", ""))
            await conn.execute(
                "CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
                f"$$SELECT clock_timestamp() + interval '{amount} {unit}'$$"
            )
            await conn.close()


async def until(fact: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Wait for a fact, not for a time."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if found := await fact():
                return found
            await asyncio.sleep(0.1)
    raise AssertionError(what)


@pytest.fixture
async def installation(
    postgres_server: Postgres, tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> AsyncIterator[Installation]:
    suffix = f"{os.getpid()}_{tmp_path.name[-6:]}".replace("-", "_")
    databases = {
        name: postgres_server.create_database(f"{name}_{suffix}", f"{name}_{suffix}")
        for name in SERVICES
    }
    with Kafka() as kafka:  # of its own: topic names are the installation's
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("DEALREG_")},
            **{f"DEALREG_{n.upper()}_DATABASE_URL": url for n, url in databases.items()},
            "DEALREG_BUS": "kafka",
            "DEALREG_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "DEALREG_DATA_DIR": str(tmp_path),
        }
        it = Installation(environment, databases, tmp_path)
        it.ports = {name: unused_tcp_port_factory() for name in SERVICES}
        for name in SERVICES:
            it.start(name)
        yield it
        said = {name: len(it.whole_log(name)) for name in SERVICES}
        for process in it.processes.values():
            process.send_signal(signal.SIGTERM)
        codes = {name: process.wait(20) for name, process in it.processes.items()}
        assert set(codes.values()) == {0}, (codes, [it.log(name) for name in SERVICES])
        for name, before in said.items():
            assert '"level": "error"' not in it.whole_log(name)[before:], it.log(name)
    for name in SERVICES:
        postgres_server.drop_database(f"{name}_{suffix}", f"{name}_{suffix}")


async def test_the_main_story_on_postgresql_and_kafka(installation: Installation) -> None:
    async with httpx.AsyncClient(timeout=20) as client:
        for name in SERVICES:
            await installation.ready(client, name)
        made = subprocess.run(
            [sys.executable, "-m", "dealreg_registration", "admin-key"],
            env=installation.environment,
            capture_output=True,
            check=True,
            text=True,
        )
        client.headers["authorization"] = f"Bearer {made.stdout.strip()}"
        await story(client, installation)


async def story(client: httpx.AsyncClient, it: Installation) -> None:
    plan = (ROOT / "examples/template/plan.yaml").read_bytes()
    published = await client.post(
        it.url("registration", "/v1/plans"),
        content=plan,
        headers={"content-type": "application/yaml"},
    )
    assert published.status_code == 201, published.text

    first = await file(client, it, "acme")
    second = await file(client, it, "cascade")
    assert first["claims"][0]["outcome"] == "protected"
    assert second["claims"][0]["outcome"] == "contested"
    [case] = (await client.get(it.url("registration", "/v1/conflicts"))).json()["items"]

    async def coverage_knows() -> bool:
        answer = await client.get(it.url("coverage", "/v1/coverage/scores/acme"))
        return answer.status_code == 200 and "na-west" in answer.text

    await until(coverage_knows, "coverage has the plan, the key and the registrations")

    async def level() -> int | None:
        answer = await client.get(it.url("notifier", f"/v1/escalations/{case['id']}"))
        return answer.json()["level"] if answer.status_code == 200 else None

    async def told(person: str) -> list[dict[str, Any]]:
        answer = await client.get(
            it.url("notifier", "/v1/notifications"), params={"recipient": person}
        )
        return [item for item in answer.json()["items"] if case["id"] in str(item)]

    manager, vp, ceo = (d["person_id"] for d in case["deadlines"])

    async def is_level(expected: int) -> bool:
        return await level() == expected

    await until(lambda: is_level(1), "the notifier has the case")
    await until(lambda: told(manager), "the manager is told at once")

    it.processes["notifier"].kill()
    it.processes["notifier"].wait()
    await it.advance(hours=4)
    it.start("notifier")
    await it.ready(client, "notifier")
    await until(lambda: is_level(2), "the VP's turn, although the notifier was down")
    await until(lambda: told(vp), "the VP is told")

    await it.advance(hours=24)
    await until(lambda: is_level(3), "the CEO's turn")
    assert len(await until(lambda: told(ceo), "the CEO is told")) == 1

    it.processes["coverage"].kill()
    it.processes["coverage"].wait()
    withdrawn = await client.post(
        it.url("registration", f"/v1/registrations/{first['id']}/withdraw")
    )
    assert withdrawn.status_code == 200, withdrawn.text
    it.start("coverage")
    await it.ready(client, "coverage")

    async def closed() -> bool:
        answer = await client.get(it.url("notifier", "/v1/escalations"), params={"open": "true"})
        return bool(answer.json()["items"] == [])

    await until(closed, "the case is closed when one claim is left")
    promoted = await client.get(it.url("registration", f"/v1/registrations/{second['id']}"))
    assert promoted.json()["claims"][0]["state"] == "protected"


async def file(client: httpx.AsyncClient, it: Installation, partner: str) -> dict[str, Any]:
    answer = await client.post(
        it.url("registration", "/v1/registrations"),
        headers={"idempotency-key": f"story-{partner}"},
        json={
            "partner_id": partner,
            "account": {
                "name": "Initech Inc",
                "domain": "initech.com",
                "country": "US",
                "subdivision": "US-CA",
                "employees": 60,
            },
            "product_lines": ["platform"],
            "amount": {"amount": "25000.00", "currency": "USD"},
            "close_date": "2099-06-30",
        },
    )
    assert answer.status_code == 201, answer.text
    view: dict[str, Any] = answer.json()
    return view
