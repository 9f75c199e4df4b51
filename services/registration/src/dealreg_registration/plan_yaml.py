"""Reads the text of a plan, YAML or JSON, into plain lists and objects, and refuses what is ambiguous.

YAML is read from the parser's events, never by a loader that can make Python objects. Plain words mean
what people expect: only true, false, null, whole and decimal numbers are special, so the country ``NO``
is Norway and dates stay texts. A key given twice, anchors, aliases, tags and a second document are
faults.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from dealreg_registration.domain.plan_fault import Fault, join

MAX_BYTES = 20_000_000
MAX_DEPTH = 20

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9]\d{0,17})")  # 0123 stays a text
_DECIMAL = re.compile(r"[-+]?(\d{1,18}\.\d*|\.\d+|\d{1,18}(\.\d*)?[eE][-+]?\d{1,3})")
_WORDS: dict[str, Any] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}


class Unreadable(Exception):
    """The text is no plan at all: the faults say where and why."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(faults[0].sentence)
        self.faults = faults


def read_text(raw: bytes) -> tuple[Any, list[Fault]]:
    """The document as plain values, and the keys that stand in it twice.

    Raises ``Unreadable`` for a text too large, not UTF-8, neither JSON nor YAML, or nested too deeply.
    """
    if len(raw) > MAX_BYTES:
        raise _unreadable("too_large", f"The plan has {len(raw)} bytes.", f"at most {MAX_BYTES}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(
            "not_utf8", f"Byte {error.start + 1} is not UTF-8 text.", "UTF-8"
        ) from None
    if "\0" in text:
        raise _unreadable("not_text", "The plan contains a NUL character.", "text without NUL")
    try:
        return _read_json(text) if text.lstrip()[:1] == "{" else _read_yaml(text)
    except RecursionError:
        raise _too_deep() from None


def _read_json(text: str) -> tuple[Any, list[Fault]]:
    twice: list[tuple[dict[str, Any], str]] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) != len(items):
            seen: set[str] = set()
            for name, _ in items:
                if name in seen:
                    twice.append((made, name))
                seen.add(name)
        return made

    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is no JSON number")

    try:
        document = json.loads(
            text, object_pairs_hook=pairs, parse_int=_json_integer, parse_constant=refuse
        )
    except json.JSONDecodeError as error:
        try:  # a YAML flow mapping begins with a brace too
            return _read_yaml(text)
        except Unreadable:
            raise _unreadable(
                "not_json",
                f"Line {error.lineno}, column {error.colno}: {error.msg}.",
                "a JSON object, or YAML",
            ) from None
    except ValueError as error:
        raise _unreadable("not_json", f"{error}.", "a JSON object, or YAML") from None
    if _depth_exceeds(document, MAX_DEPTH):
        raise _too_deep()
    faults = []
    if twice:
        where = {id(made): path for path, made in _objects(document, "")}
        faults = [_duplicate(where.get(id(made), ""), name) for made, name in twice]
    return document, faults


def _json_integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= 19 else digits


def _objects(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        yield path, value
        for name, item in value.items():
            yield from _objects(item, join(path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _objects(item, join(path, index))


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        following: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                following += [inner for inner in item.values() if isinstance(inner, dict | list)]
            elif isinstance(item, list):
                following += [inner for inner in item if isinstance(inner, dict | list)]
        if not following:
            return False
        level = following
    return True


def _read_yaml(text: str) -> tuple[Any, list[Fault]]:
    builder = _Builder()
    loader = _LOADER(text)
    try:
        while loader.check_event():
            builder.take(loader.get_event())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"Line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = error.problem or error.context or "not YAML"
        raise _unreadable("not_yaml", f"{place}{problem}.", "YAML or JSON") from None
    except yaml.YAMLError as error:
        raise _unreadable("not_yaml", f"{str(error).splitlines()[0]}.", "YAML or JSON") from None
    finally:
        loader.dispose()
    return builder.document, builder.faults


class _Builder:
    """Plain values from YAML events."""

    def __init__(self) -> None:
        self.document: Any = None
        self.faults: list[Fault] = []
        self._documents = 0
        # Each open collection: the collection, the key that waits for its value, and its path.
        self._open: list[tuple[Any, str]] = []
        self._key: list[str | None] = []

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_extras(event)
            plain = event.implicit[0]
            self._value(_scalar(event.value) if plain else event.value, event, plain)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._refuse_extras(event)
            made: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            path = self._path()
            self._value(made, event, False)
            if len(self._open) >= MAX_DEPTH:
                raise _too_deep()
            self._open.append((made, path))
            self._key.append(None)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._open.pop()
            self._key.pop()
        elif isinstance(event, yaml.AliasEvent):
            raise _at(event, "yaml_alias", "aliases are not read here", "write the value out")
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _at(event, "several_documents", "a second document begins", "one document")

    def _refuse_extras(self, event: Any) -> None:
        if event.anchor is not None:
            raise _at(event, "yaml_anchor", "anchors are not read here", "write the value out")
        if event.tag is not None and event.tag != "!":
            raise _at(event, "yaml_tag", "tags are not read here", "a plain value")

    def _path(self) -> str:
        if not self._open:
            return ""
        made, path = self._open[-1]
        if isinstance(made, list):
            return join(path, len(made))
        return join(path, self._key[-1] or "")

    def _value(self, value: Any, event: Any, plain: bool) -> None:
        if not self._open:
            self.document = value
            return
        made, path = self._open[-1]
        if isinstance(made, list):
            made.append(value)
            return
        key = self._key[-1]
        if key is None:
            if not isinstance(event, yaml.ScalarEvent):
                raise _at(event, "yaml_key", "a key must be a word", "a field's name")
            if plain and event.value == "<<":
                raise _at(event, "yaml_merge", "merge keys are not read here", "fields by name")
            self._key[-1] = event.value
            if event.value in made:
                mark = event.start_mark
                place = f" (line {mark.line + 1})" if mark is not None else ""
                self.faults.append(_duplicate(path, event.value, place))
            return
        made[key] = value
        self._key[-1] = None


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first.isdigit() or first in "+-.":
        if _INTEGER.fullmatch(text):
            return int(text)
        if _DECIMAL.fullmatch(text):
            return float(text)
    return text


def _duplicate(path: str, name: str, place: str = "") -> Fault:
    return Fault(
        join(path, name), "duplicate_key", f"The field `{name}` stands here twice{place}.", "once"
    )


def _unreadable(code: str, sentence: str, allowed: str) -> Unreadable:
    return Unreadable(Fault("", code, sentence, allowed))


def _too_deep() -> Unreadable:
    return _unreadable("too_deep", "The plan is nested too deeply.", f"{MAX_DEPTH} levels")


def _at(event: Any, code: str, problem: str, allowed: str) -> Unreadable:
    mark = event.start_mark
    return _unreadable(code, f"Line {mark.line + 1}, column {mark.column + 1}: {problem}.", allowed)
