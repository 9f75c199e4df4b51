"""A plan as it is stored, hashed and sent: canonical, and without people's names and addresses.

Defaults are written out, so that a later version of the format cannot change what an old plan says;
empty lists and absent values are left out. Two documents that mean the same give the same text.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
import yaml

from dealreg_shared.contracts.plan_document import SCHEMA_ID, SECTIONS, PlanDocument
from dealreg_shared.contracts.plan_section import Section
from dealreg_shared.db.types import canonical_json

PART_BYTES = 240_000
"""Items of one part, in bytes of JSON; with its envelope a part stays under 256 KB."""

LONG_SECTION = 1_000

Content = Mapping[str, Any]

_PERSONAL = frozenset({"name", "email"})


def content_of(document: PlanDocument) -> dict[str, Any]:
    """The document as plain JSON values, in the order of its sections."""
    content: dict[str, Any] = {"schema": SCHEMA_ID}
    for section in SECTIONS:
        value = getattr(document, section)
        if isinstance(value, Section):
            content[section] = _bare(value)
        elif value:
            content[section] = [_bare(item) for item in value]
    for person in content.get("people", ()):
        for name in _PERSONAL & person.keys():
            del person[name]
    return content


def _bare(item: Section) -> dict[str, Any]:
    return _without_empty(
        item.model_dump(mode="json", by_alias=True),
        item.model_dump(mode="json", by_alias=True, exclude_defaults=True),
    )


def _without_empty(item: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """Without absent values and empty lists, at any depth, where they are the default anyway: ``told``
    is the item without its defaults. No reminders at all is something else than the usual ones."""
    bare: dict[str, Any] = {}
    for name, value in item.items():
        said = told.get(name)
        if isinstance(value, dict):
            bare[name] = _without_empty(value, said or {})
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            bare[name] = list(map(_without_empty, value, said or [{}] * len(value)))
        elif name in told or value not in (None, []):
            bare[name] = value
    return bare


def canonical_text(content: Content) -> str:
    """The one spelling of a plan's content."""
    return canonical_json(content)


def content_hash(text: str) -> str:
    """SHA-256 of the canonical text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def parts_of(content: Content) -> Iterator[tuple[str, Sequence[dict[str, Any]]]]:
    """The content in parts (section, items) that fit into one event each, in order of sections."""
    for section in SECTIONS:
        value = content.get(section)
        items = [value] if isinstance(value, dict) else value or []
        part: list[dict[str, Any]] = []
        size = 0
        for item in items:
            length = item_bytes(item) + 1
            if part and size + length > PART_BYTES:
                yield section, part
                part, size = [], 0
            part.append(item)
            size += length
        if part:
            yield section, part


def item_bytes(item: Mapping[str, Any]) -> int:
    """How many bytes of JSON an item has."""
    return len(orjson.dumps(item))


def to_yaml(content: Content) -> str:
    """The content as YAML that can be edited and published again.

    Long sections have an item on each line, in YAML's short form: the usual form takes half a minute to
    write for a plan of 100,000 territories, and nobody would scroll through it.
    """
    return "".join(_section_yaml(name, value) for name, value in content.items())


def _section_yaml(name: str, value: Any) -> str:
    if isinstance(value, list) and len(value) > LONG_SECTION:
        return f"{name}:\n" + "".join(f"- {orjson.dumps(item).decode()}\n" for item in value)
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(
        {name: value}, Dumper=dumper, sort_keys=False, allow_unicode=True, width=110
    )
    return text
