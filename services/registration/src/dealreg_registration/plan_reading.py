"""From the text of a plan to a ``PlanDocument``, or to every fault of its shape at once.

Shape is what one place of the document can show by itself: fields, types, patterns, ranges. What needs a
look at several places is ``domain.plan_checks``' affair. Must not know storage or HTTP.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ValidationError

from dealreg_registration.domain.plan_fault import Fault, join, listed, nearest
from dealreg_registration.plan_yaml import Unreadable, read_text
from dealreg_shared.contracts.plan_document import SECTIONS, PlanDocument
from dealreg_shared.web.problems import rule
from dealreg_shared.web.texts import storable

LISTS = tuple(
    name
    for name, info in PlanDocument.model_fields.items()
    if name in SECTIONS and get_origin(info.annotation) is tuple
)
"""Sections that are lists; ``programme`` and ``policy`` are single objects."""


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SUSPECT = re.compile(r"\\([bfnrt]|ud|u00[01]|u007f)|\x7f")
"""How JSON spells what a text must not contain; or an innocent backslash, so look closer."""


@dataclass(frozen=True, slots=True)
class Reading:
    """``document`` is there if and only if there are no faults. ``tree`` is what stood in the text;
    ``faulty`` are the places in it whose shape is wrong, such as ("tiers", 0, "rank")."""

    document: PlanDocument | None
    tree: Mapping[str, Any]
    faults: Sequence[Fault] = ()
    faulty: Sequence[Sequence[int | str]] = ()


def read_plan(raw: bytes | str) -> Reading:
    """Read a plan, YAML or JSON. Never raises for what stands in the text."""
    try:
        tree, faults = read_text(raw.encode() if isinstance(raw, str) else raw)
    except Unreadable as unreadable:
        return Reading(None, {}, unreadable.faults)
    if not isinstance(tree, dict):
        return Reading(None, {}, [Fault("", "not_an_object", "A plan is an object.", "sections")])
    text = json.dumps(tree, ensure_ascii=True)
    said: set[str] = set()
    if _SUSPECT.search(text) and (unstorable := _unstorable(tree, "")):
        faults += unstorable
        said = {fault.path for fault in unstorable}
        tree = _cleaned(tree)
        text = json.dumps(tree, ensure_ascii=True)
    document = None
    places: list[tuple[int | str, ...]] = []
    try:
        document = PlanDocument.model_validate_json(text)
    except ValidationError as error:
        for shape in error.errors(include_url=False):
            if join("", *shape["loc"]) not in said:
                faults.append(_fault(shape))
            if shape["type"] != "extra_forbidden":  # the fields beside it can still be looked at
                places.append(shape["loc"])
    if faults:
        document = None
    return Reading(document, tree, faults, places)


def _unstorable(value: Any, path: str) -> list[Fault]:
    """Texts with half a surrogate pair, which no database can keep, or with control characters, which
    no name has and no mail can carry in its subject."""
    if isinstance(value, dict):
        bad = [name for name in value if not _clean(name)]
        if bad:
            return [Fault(path, "not_text", "A field's name is no Unicode text.", "Unicode text")]
        return [
            fault for name, item in value.items() for fault in _unstorable(item, join(path, name))
        ]
    if isinstance(value, list):
        return [fault for i, item in enumerate(value) for fault in _unstorable(item, join(path, i))]
    if isinstance(value, str) and not _clean(value):
        sentence = "This text contains half a character or a control character."
        return [Fault(path, "not_text", sentence, "Unicode text on one line")]
    return []


def _cleaned(value: Any) -> Any:
    """The same with question marks in such texts, so that the rest can be looked at."""
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, str) and not _clean(value):
        return _CONTROL.sub("?", value).encode("utf-8", "replace").decode("utf-8")
    return value


def _clean(text: str) -> bool:
    return storable(text) and not _CONTROL.search(text)


def _fault(shape: Mapping[str, Any]) -> Fault:
    place = shape["loc"]
    kind = shape["type"]
    path = join("", *place)
    name = str(place[-1]) if place else "plan"
    if kind == "extra_forbidden":
        fields = _fields(_model_at(place[:-1]))
        near = nearest(name, fields)
        hint = f" Did you mean `{near}`?" if near else ""
        sentence = f"`{name}` is not a known field here.{hint}"
        return Fault(path, "unknown_field", sentence, listed(fields, 30))
    what = f"`{name}`" if not name.isdigit() else f"Item {name} of `{_list_name(place)}`"
    allowed = _allowed(shape, place)
    if kind == "missing":
        return Fault(path, "required", f"{what} is required.", allowed)
    given = shape.get("input")
    # A person's name or address is not repeated: reports are passed around.
    repeat = isinstance(given, str | int | float) and place[0] != "people"
    said = f", not {json.dumps(given)[:60]}" if repeat else ""
    sentence = f"{what} {_rule(shape)}{said}."
    return Fault(path, _CODES.get(kind, kind), sentence, allowed)


_CODES = {
    "string_pattern_mismatch": "bad_format",
    "literal_error": "not_among",
    "value_error": "bad_value",
    "int_type": "wrong_type",
    "string_type": "wrong_type",
    "bool_type": "wrong_type",
    "tuple_type": "wrong_type",
    "model_type": "wrong_type",
    "dict_type": "wrong_type",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than_equal": "out_of_range",
    "string_too_short": "out_of_range",
    "string_too_long": "out_of_range",
    "date_from_datetime_parsing": "bad_date",
    "date_parsing": "bad_date",
    "date_type": "bad_date",
}


def _rule(shape: Mapping[str, Any]) -> str:
    context = shape.get("ctx", {})
    match shape["type"]:
        case "string_pattern_mismatch":
            return "has the wrong form"
        case "value_error":
            return f"must be given otherwise: {context.get('error', shape['msg'])}"
        case "string_too_short":
            return "must not be empty"
        case "string_too_long":
            return f"must have at most {context.get('max_length')} characters"
        case _:
            return rule(shape)


def _allowed(shape: Mapping[str, Any], place: Sequence[int | str]) -> str | None:
    """What the field takes, in words, from the model itself."""
    context = shape.get("ctx", {})
    match shape["type"]:
        case "literal_error":
            return str(context.get("expected"))
        case "greater_than_equal":
            return f"{context['ge']} or more"
        case "greater_than":
            return f"more than {context['gt']}"
        case "less_than_equal":
            return f"{context['le']} or less"
        case "string_too_short" | "string_too_long":
            return "1 character or more" if "min_length" in context else None
        case "date_type" | "date_parsing" | "date_from_datetime_parsing":
            return "a date such as 2027-03-31"
    described = _description(place)
    if shape["type"] == "string_pattern_mismatch":
        pattern = f"the pattern {context['pattern']}"
        return f"{described}; {pattern}" if described else pattern
    return described


@lru_cache(maxsize=64)
def _hints(model: type[BaseModel]) -> dict[str, Any]:
    """Field by its name in the document -> its type, with all annotations."""
    hints = get_type_hints(model, include_extras=True)
    return {info.alias or name: hints[name] for name, info in model.model_fields.items()}


def _fields(model: type[BaseModel] | None) -> list[str]:
    return list(_hints(model)) if model else []


def _model_at(place: Sequence[int | str]) -> type[BaseModel] | None:
    kind: Any = PlanDocument
    for part in place:
        if isinstance(part, int):
            kind = _item_type(kind)
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = _bare(_hints(kind).get(part))
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _description(place: Sequence[int | str]) -> str | None:
    """The nearest words that the model says about a field, or the kind of value it takes."""
    kind: Any = PlanDocument
    for part in place:
        kind = _bare(kind)
        if isinstance(part, int):
            kind = _item_type(kind)
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = _hints(kind).get(part)
        else:
            return None
    words = next((w for w in _words(kind) if w), None)
    bare = _bare(kind)
    if words:
        return words
    if get_origin(bare) is Literal:
        return listed(str(value) for value in get_args(bare))
    if get_origin(bare) is tuple:
        return "a list"
    if isinstance(bare, type) and issubclass(bare, BaseModel):
        return "an object with " + listed(_hints(bare), 20)
    return {str: "a text", int: "a whole number", bool: "true or false"}.get(bare)


def _words(kind: Any) -> list[str]:
    if get_origin(kind) is Annotated:
        inner, *notes = get_args(kind)
        said = [getattr(note, "description", None) for note in notes]
        schemas = [getattr(note, "json_schema", None) or {} for note in notes]
        said += [schema.get("description") for schema in schemas]
        return [text for text in said if text] + _words(inner)
    if get_origin(kind) in (Union, UnionType):
        return [text for part in get_args(kind) for text in _words(part)]
    return []


def _bare(kind: Any) -> Any:
    """A type without annotations and without ``| None``."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return _bare(next(part for part in get_args(kind) if part is not type(None)))
    return kind


def _item_type(kind: Any) -> Any:
    bare = _bare(kind)
    return get_args(bare)[0] if get_origin(bare) is tuple else None


def _list_name(place: Sequence[int | str]) -> str:
    return next((str(part) for part in reversed(place[:-1]) if isinstance(part, str)), "plan")
