"""Describes the events as the catalogue has them: for people, programs and validators.

Holds no fact about an event: models, their docstrings and the catalogue say all of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic.json_schema import models_json_schema

from dealreg_shared.contracts.base import EventData
from dealreg_shared.contracts.catalogue import CATALOGUE, TOPICS, EventType, Topic, event_model
from dealreg_shared.contracts.envelope import Event

JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
CONTENT_TYPE = "application/cloudevents+json"

Schema = dict[str, Any]


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
