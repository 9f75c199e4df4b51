"""The Compose file is valid, complete and harmless; what it mounts does what it says."""

import json
import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml
from jsonschema import Draft202012Validator
from sqlalchemy import URL, Connection, select
from sqlalchemy.exc import ProgrammingError

from dealreg_coverage.auditing import AUDITED as COVERAGE
from dealreg_devstack import Postgres
from dealreg_devstack.postgres_programs import find_programs
from dealreg_devstack.processes import run
from dealreg_shared.db import Database, app_now
from dealreg_shared.db.migrate import migrate
from dealreg_shared.heartbeat import AUDITOR, beat

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((Path(__file__).parent / "data" / "compose-spec.json").read_text())
PORTS = {"registration": "8001", "coverage": "8002", "notifier": "8003"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return content


def _faults(compose: dict[str, Any]) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(compose)]


def test_the_file_follows_the_compose_specification(compose: dict[str, Any]) -> None:
    assert _faults(compose) == []


def test_the_schema_would_notice(compose: dict[str, Any]) -> None:
    broken = {**compose, "services": {"postgres": {"image": "postgres:18", "port": ["5432"]}}}
    assert any("port" in fault for fault in _faults(broken))


def test_every_part_is_there_and_has_a_health_check(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {*PORTS, "auditor", "postgres", "kafka", "mailpit"}
    assert [name for name, service in services.items() if "healthcheck" not in service] == []
    assert [name for name, service in services.items() if "image" not in service] == []


def test_every_image_of_others_is_pinned(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if "build" not in service:
            tag = service["image"].partition(":")[2]
            assert re.match(r"v?\d", tag), f"{name} runs whatever {service['image']} is today"


@pytest.mark.parametrize("name", PORTS)
def test_each_service_is_its_own_container(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["command"] == [f"dealreg-{name}", "serve"]
    assert service["build"]["args"] == {"SERVICE": name}
    assert (ROOT / service["build"]["dockerfile"]).is_file()
    environment = service["environment"]
    assert environment["DEALREG_BUS"] == "kafka"
    assert environment["DEALREG_HTTP_PORT"] == PORTS[name]
    assert service["ports"] == [f"127.0.0.1:{PORTS[name]}:{PORTS[name]}"]
    urls = [variable for variable in environment if variable.endswith("_DATABASE_URL")]
    assert urls == [f"DEALREG_{name.upper()}_DATABASE_URL"]
    assert f"dealreg_{name}:" in environment[urls[0]]
    assert environment[urls[0]].endswith(f"/dealreg_{name}")
    for needed in ("postgres", "kafka"):
        assert service["depends_on"][needed] == {"condition": "service_healthy"}


def test_ports_are_open_to_this_machine_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_mounted_files_exist(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in compose["volumes"] or (ROOT / source).is_file()


def test_the_image_does_not_run_as_root() -> None:
    lines = (ROOT / "deploy/docker/Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] not in {"0", "root"}
    assert any(line.startswith("HEALTHCHECK ") for line in lines)


def test_the_build_script_can_be_run() -> None:
    assert os.access(ROOT / "deploy/docker/build-images.sh", os.X_OK)


@pytest.mark.devstack
async def test_the_mounted_script_gives_each_service_its_own_database(
    compose: dict[str, Any],
) -> None:
    script = ROOT / "deploy/docker/postgres-init.sql"
    passwords = {f"{name.upper()}_PASSWORD": f"it's {name}" for name in (*PORTS, "auditor")}
    assert passwords.keys() <= compose["services"]["postgres"]["environment"].keys()
    with Postgres(fsync=False) as server:
        superuser = server.admin_url.replace("+asyncpg", "")
        run(
            [find_programs()["psql"], "-X", "-q", superuser],
            stdin=script.read_text(),
            environment=passwords,
        )
        for name in PORTS:
            for other in PORTS:
                role, password = f"dealreg_{name}", passwords[f"{name.upper()}_PASSWORD"]
                connecting = asyncpg.connect(
                    host="127.0.0.1",
                    port=server.port,
                    user=role,
                    password=password,
                    database=f"dealreg_{other}",
                )
                if name == other:
                    connection = await connecting
                    await connection.execute("CREATE TABLE mark (id int)")
                    await connection.close()
                else:
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await connecting
        await _the_auditor_may_read(server.port, passwords)


async def _the_auditor_may_read(port: int, passwords: dict[str, str]) -> None:
    """All tables, and write its heartbeat alone, once the service has migrated."""

    def database(role: str) -> Database:
        url = URL.create(
            "postgresql+asyncpg",
            f"dealreg_{role}",
            passwords[f"{role.upper()}_PASSWORD"],
            "127.0.0.1",
            port,
            "dealreg_coverage",
        )
        return Database(url.render_as_string(hide_password=False))

    owner, auditor = database("coverage"), database("auditor")
    try:
        await migrate(owner, "dealreg_coverage")
        await auditor.write(lambda conn: beat(conn, COVERAGE.heartbeat, [AUDITOR], app_now(conn)))
        await auditor.write(lambda conn: beat(conn, COVERAGE.heartbeat, [AUDITOR], app_now(conn)))
        assert await auditor.read(lambda conn: conn.execute(select(COVERAGE.inbox.key)).all()) == []
        for statement in (
            "DELETE FROM heartbeat",
            "DELETE FROM outbox",
            "CREATE TABLE mine (id int)",
        ):
            with pytest.raises(ProgrammingError, match="permission denied"):
                await auditor.write(partial(Connection.exec_driver_sql, statement=statement))
    finally:
        await owner.dispose()
        await auditor.dispose()


def test_the_auditor_is_its_own_container(compose: dict[str, Any]) -> None:
    service = compose["services"]["auditor"]
    assert service["command"] == ["dealreg", "auditor", "serve"]
    assert (ROOT / service["build"]["dockerfile"]).is_file()
    environment = service["environment"]
    for name in PORTS:
        assert "dealreg_auditor:" in environment[f"DEALREG_{name.upper()}_DATABASE_URL"]
        assert environment[f"DEALREG_{name.upper()}_DATABASE_URL"].endswith(f"/dealreg_{name}")
