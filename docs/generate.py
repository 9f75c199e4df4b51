"""Writes what is generated from the code into this folder, or checks that it is up to date.

``python -m docs.generate`` writes, ``python -m docs.generate --check`` compares and names what differs.
The code is the only source: nothing here may hold a fact about an event, a setting or a route. The same
code gives the same bytes; environment, clock and machine have no part in it.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from fastapi import FastAPI

from dealreg_shared.contracts.catalogue import CATALOGUE, TOPICS
from dealreg_shared.runtime import Service
from docs.event_pages import Schema, asyncapi, event_schema, events_page

FOLDER = Path(__file__).parent

Documents = dict[str, str]


def documents() -> Documents:
    """Path under this folder -> content, of everything that is generated."""
    from dealreg_registration.plan_schema import plan_schema

    readers, openapi = asyncio.run(_from_services())
    made = {
        "events.md": events_page(readers),
        "asyncapi.yaml": yaml.safe_dump(
            asyncapi(readers), sort_keys=False, allow_unicode=True, width=100
        ),
        "settings.md": _settings_page(),
        "plan.schema.json": _json(plan_schema()),
    }
    made |= {f"schemas/{name}.json": _json(event_schema(t)) for name, t in CATALOGUE.items()}
    made |= {f"openapi/{name}.json": _json(document) for name, document in openapi.items()}
    return {name: content.rstrip("\n") + "\n" for name, content in sorted(made.items())}


async def _from_services() -> tuple[dict[str, list[str]], dict[str, Schema]]:
    """Topic -> names of the groups that read it; service -> its OpenAPI document. Moves nothing."""
    from dealreg.auditor.app import build as build_auditor
    from dealreg.auditor.log_book import GROUP
    from dealreg.auditor.settings import AuditorSettings
    from dealreg.settings import all_settings
    from dealreg_coverage.app import build as coverage
    from dealreg_coverage.settings import CoverageSettings
    from dealreg_notifier.app import build as notifier
    from dealreg_notifier.settings import NotifierSettings
    from dealreg_registration.app import build as registration
    from dealreg_registration.settings import RegistrationSettings
    from dealreg_shared.bus.embedded import EmbeddedBus
    from dealreg_shared.db.engine import utc_now
    from dealreg_shared.inbox import Consumer

    readers: dict[str, list[str]] = {topic: [] for topic in TOPICS}
    openapi: dict[str, Schema] = {}
    with TemporaryDirectory() as folder:
        data = Path(folder)
        bus = EmbeddedBus(data / "bus.db")
        for service in (
            registration(RegistrationSettings(data_dir=data), bus=bus, now=utc_now),
            coverage(CoverageSettings(data_dir=data), bus=bus, now=utc_now),
            notifier(NotifierSettings(data_dir=data), bus=bus, now=utc_now),
        ):
            openapi[service.name] = _described(service)
            for flow in service.flows:
                if isinstance(flow, Consumer):
                    for topic in flow.topics:
                        readers[topic].append(flow.group)
            await service.database.dispose()
        auditor = build_auditor(
            AuditorSettings(data_dir=data), all_settings(data_dir=data), bus=bus
        )
        openapi[auditor.name] = _described(auditor)
        await auditor.stop()
        await auditor.database.dispose()
        for topic in TOPICS:
            readers[topic].append(GROUP)
        await bus.close()
    return readers, openapi


def _described(service: Service) -> Schema:
    assert isinstance(service.app, FastAPI)  # noqa: S101  (they all are)
    return service.app.openapi()


def _settings_page() -> str:
    from dealreg.api_client import DEFAULT_URL, KEY_HELP, URL_HELP
    from dealreg.auditor.settings import AuditorSettings
    from dealreg_coverage.settings import CoverageSettings
    from dealreg_notifier.settings import NotifierSettings
    from dealreg_registration.settings import RegistrationSettings
    from dealreg_shared.config import SharedSettings, docs_table

    services = docs_table(
        [
            SharedSettings,
            RegistrationSettings,
            CoverageSettings,
            NotifierSettings,
            AuditorSettings,
        ]
    )
    client = f"""
## Client

What the commands need that talk to a running Dealreg: `import`, `export`, `plan publish`.

| variable | takes | default | meaning |
|---|---|---|---|
| `DEALREG_CLIENT_URL` | text | `{DEFAULT_URL}` | {URL_HELP} Of several processes: registration. |
| `DEALREG_CLIENT_KEY` | secret text | none | {KEY_HELP} |
"""
    return services + client


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _faults(made: Documents) -> Iterator[str]:
    for name, content in made.items():
        path = FOLDER / name
        if not path.exists():
            yield f"docs/{name} is missing"
        elif path.read_text(encoding="utf-8") != content:
            yield f"docs/{name} is not what the code says"
    for name in _leftovers(made):
        yield f"docs/{name} describes nothing that exists"


def _leftovers(made: Documents) -> list[str]:
    found = (path for part in ("schemas", "openapi") for path in (FOLDER / part).glob("*"))
    names = (path.relative_to(FOLDER).as_posix() for path in found)
    return sorted(name for name in names if name not in made)


def main() -> int:
    """0 when all is up to date (or was written), 1 when ``--check`` finds a difference."""
    parser = argparse.ArgumentParser(description="Write or check the generated documentation.")
    parser.add_argument("--check", action="store_true", help="change nothing, name what differs")
    check = parser.parse_args().check
    for variable in [name for name in os.environ if name.upper().startswith("DEALREG_")]:
        del os.environ[variable]
    made = documents()
    if check:
        faults = list(_faults(made))
        for fault in faults:
            sys.stderr.write(f"{fault}; run make docs\n")
        return 1 if faults else 0
    for name in _leftovers(made):
        (FOLDER / name).unlink()
    for name, content in made.items():
        path = FOLDER / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
