"""Reads the files that people write: plans and deals, in YAML or JSON. Says where a fault lies.

A code such as ``NO`` (Norway) or ``ON`` is text here: only ``true`` and ``false`` are yes and no, as in
YAML 1.2. Dates stay text; the models read them.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from dealreg_shared.contracts.plan_document import PlanDocument


class Unreadable(Exception):
    """The file cannot be used. The message has a line for each fault, with its path in the document."""


class _Loader(yaml.SafeLoader):
    """YAML's core schema: no ``yes``/``no``/``on``/``off``, no dates, no sexagesimal numbers."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool",
    re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"),
    list("tTfF"),
)


def read(path: Path) -> Any:
    """The file's content as JSON values. Raises ``Unreadable``."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path}: {error}") from error
    try:
        if path.suffix == ".json":
            return json.loads(text)
        return yaml.load(text, _Loader)  # noqa: S506  (derived from SafeLoader)
    except (ValueError, yaml.YAMLError) as error:
        raise Unreadable(f"{path}: {error}") from error


def read_plan(path: Path) -> PlanDocument:
    """The plan in ``path``, its shapes and types checked. Raises ``Unreadable`` naming every fault."""
    content = read(path)
    try:
        return PlanDocument.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise Unreadable("\n".join(faults(path, error))) from error


def faults(path: Path, error: ValidationError) -> list[str]:
    """A line for each fault: file, path in the document, what is wrong."""
    return [
        f"{path}: /{'/'.join(str(part) for part in fault['loc'])}: "
        f"{fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors(include_url=False, include_input=False)
    ]
