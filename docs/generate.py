"""Writes what is generated from the code into this folder, or checks that it is up to date.

``python docs/generate.py`` writes, ``python docs/generate.py --check`` compares and names what differs.
The code is the only source: nothing here may hold a fact about an event, a setting or a route. The same
code gives the same bytes; environment, clock and machine have no part in it.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from dealreg_shared.contracts.base import EventData
from dealreg_shared.contracts.catalogue import CATALOGUE, TOPICS, EventType, Topic, event_model
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.runtime import Service

FOLDER = Path(__file__).parent
JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
CONTENT_TYPE = "application/cloudevents+json"

Schema = dict[str, Any]
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


def event_schema(event_type: EventType) -> Schema:
    """JSON Schema (2020-12) of a whole event of a type, as a reader may rely on it."""
    schema = event_model(event_type.name).model_json_schema()
    schema["properties"]["type"] = {"const": event_type.name, "type": "string"}
    schema["required"] = ["specversion", *schema["required"]]
    return {
        "$schema": JSON_SCHEMA,
        "$id": f"urn:dealreg:event:{event_type.name}",
        **_plain(schema),
        "title": event_type.name,
        "description": event_type.summary,
    }


def asyncapi(readers: Mapping[str, Sequence[str]]) -> Schema:
    """The AsyncAPI 3.0 document: a channel per topic, a send per owner, a receive per consumer group."""
    models = list(dict.fromkeys(event_type.model for event_type in CATALOGUE.values()))
    _, shapes = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    operations: Schema = {}
    for topic in TOPICS.values():
        operations[f"{topic.owner}.sends.{_short(topic)}"] = {
            "action": "send",
            "summary": f"{topic.owner} tells what happened. It is this topic's only writer.",
            **_on(topic),
        }
        for group in readers[topic.name]:
            operations[f"{group.split('-')[0]}.receives.{_short(topic)}"] = {
                "action": "receive",
                "summary": f"Read by the consumer group {group}.",
                **_on(topic),
                "bindings": {
                    "kafka": {
                        "groupId": {"type": "string", "enum": [group]},
                        "bindingVersion": "0.5.0",
                    }
                },
            }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Dealreg events",
            "version": "1.0.0",
            "description": "What registration, coverage and notifier tell each other and the world. "
            "At least once; within a key in order of `keyversion`. See events.md.",
            "license": {
                "name": "Apache-2.0",
                "url": "https://www.apache.org/licenses/LICENSE-2.0",
            },
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {_short(topic): _channel(topic) for topic in TOPICS.values()},
        "operations": operations,
        "components": {
            "messages": {t.name: _message(t) for t in CATALOGUE.values()},
            "schemas": {"Envelope": _envelope(), **_plain(shapes["$defs"])},
        },
    }


def _channel(topic: Topic) -> Schema:
    return {
        "address": topic.name,
        "description": f"Owner: {topic.owner}. Key: {topic.key}. "
        + ("Compacted: the latest value of a key wins." if topic.compacted else "Kept for ever."),
        "messages": {t.name: {"$ref": f"#/components/messages/{t.name}"} for t in _types_of(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": ["compact" if topic.compacted else "delete"],
                    "retention.ms": -1,
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _on(topic: Topic) -> Schema:
    channel = f"#/channels/{_short(topic)}"
    return {
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{t.name}"} for t in _types_of(topic)],
    }


def _message(event_type: EventType) -> Schema:
    topic = TOPICS[event_type.topic]
    data = {"$ref": f"#/components/schemas/{event_type.model.__name__}"}
    return {
        "name": event_type.name,
        "title": event_type.name,
        "summary": event_type.summary,
        "contentType": CONTENT_TYPE,
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/Envelope"},
                {
                    "type": "object",
                    "required": ["data"],
                    "properties": {"type": {"const": event_type.name}, "data": data},
                },
            ]
        },
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": topic.key},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _envelope() -> Schema:
    """The CloudEvents envelope without its data."""
    schema = Event[EventData].model_json_schema()
    del schema["properties"]["data"], schema["$defs"]
    required = ["specversion", *(name for name in schema["required"] if name != "data")]
    described = "The CloudEvents 1.0 envelope, in the structured mode of its JSON format."
    return {
        **_plain(schema),
        "title": "Envelope",
        "description": described,
        "required": required,
    }


def events_page(readers: Mapping[str, Sequence[str]]) -> str:
    """The catalogue for people: every topic, its events, and every field."""
    lines = [
        "# Events",
        "",
        "Every event is JSON in a CloudEvents 1.0 envelope. Delivery is at least once; `keyversion`",
        "counts the events of a key from 1 without gaps, so that a repetition is recognised and a gap",
        "seen. A type ends in its version: within a version fields are only added, and only as optional",
        "ones, so ignore what you do not know. The same as [AsyncAPI 3.0](asyncapi.yaml).",
        "",
        "## Envelope",
        "",
        *_fields(_envelope(), {}),
        "| `data` | the type's data, below | yes | |",
    ]
    shapes: Schema = {}
    for topic in TOPICS.values():
        lines += ["", f"## {topic.name}", "", *_topic_lines(topic, readers[topic.name])]
        models = list(dict.fromkeys(event_type.model for event_type in _types_of(topic)))
        for model in models:
            schema = model.model_json_schema()
            shapes |= schema.get("$defs", {})
            lines += ["", f"### {model.__name__}", "", _sentence(schema), ""]
            lines += _fields(schema, schema.get("$defs", {}))
    lines += ["", "## Shapes inside events"]
    for name, shape in sorted(shapes.items()):
        lines += ["", f"### {name}", ""]
        if "description" in shape:
            lines += [_sentence(shape), ""]
        lines += _fields(shape, shapes)
    return "\n".join(lines)


def _topic_lines(topic: Topic, groups: Sequence[str]) -> Iterator[str]:
    kept = "compacted, the latest value of a key wins" if topic.compacted else "kept for ever"
    yield f"- owner, the only writer: {topic.owner}"
    yield f"- key: {topic.key}; partitions: {topic.partitions}; {kept}"
    yield f"- read by: {', '.join(f'`{group}`' for group in groups) or 'nobody here'}"
    yield ""
    yield "| type | says | data |"
    yield "|---|---|---|"
    for event_type in _types_of(topic):
        name, model = event_type.name, event_type.model.__name__
        link = f"[{model}](#{model.lower()})"
        yield f"| [`{name}`](schemas/{name}.json) | {_cell(event_type.summary)} | {link} |"


def _fields(schema: Schema, shapes: Mapping[str, Any]) -> Iterator[str]:
    yield "| field | is | required | meaning |"
    yield "|---|---|---|---|"
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        meaning = _cell(field.get("description", ""))
        needed = "yes" if name in required else "no"
        yield f"| `{name}` | {_words(field, shapes)} | {needed} | {meaning} |"


def _words(field: Schema, shapes: Mapping[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(_words(part, shapes) for part in field["anyOf"])
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"list of: {_words(field['items'], shapes)}"
    if field.get("format") == "date-time":
        return "instant (RFC 3339, UTC)"
    if field.get("format") in ("date", "uuid"):
        return str(field["format"])
    if "pattern" in field and field.get("examples"):
        return "decimal, as text"
    return {"string": "text", "integer": "whole number", "null": "null", "object": "object"}.get(
        field.get("type", ""), str(field.get("type", "any"))
    )


def _sentence(schema: Schema) -> str:
    return " ".join(str(schema.get("description", "")).split())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _plain(schema: Any) -> Any:
    """Without the titles that are only field names in capitals."""
    if isinstance(schema, Mapping):
        return {
            key: _plain(value)
            for key, value in schema.items()
            if not (key == "title" and isinstance(value, str))
        }
    return [_plain(item) for item in schema] if isinstance(schema, list) else schema


def _types_of(topic: Topic) -> Iterable[EventType]:
    return [t for t in CATALOGUE.values() if t.topic == topic.name]


def _short(topic: Topic) -> str:
    return topic.name.removeprefix("dealreg.")


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
            sys.stderr.write(f"{fault}; run docs/generate.py\n")
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
