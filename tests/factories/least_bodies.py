"""The least body that an API description asks for, for tests that try every route."""

from collections.abc import Mapping
from typing import Any


def example(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    """The least that a schema asks for."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return example(document["components"]["schemas"][name], document)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return example(schema[several][0], document)
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {k: example(properties[k], document) for k in schema.get("required", ())}
        case "array":
            return [example(schema["items"], document)] * schema.get("minItems", 0)
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case _:
            known = {"date": "2035-01-01", "date-time": "2035-01-01T00:00:00Z"}
            return known.get(schema.get("format", ""), "platform")


def body_of(operation: Any, document: Any) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return {} if content is None else {"json": example(content["schema"], document)}
