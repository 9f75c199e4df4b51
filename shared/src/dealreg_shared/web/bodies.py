"""Request bodies: strict models, read straight from the JSON text.

``StrictBody`` refuses unknown fields, other types than those asked for, NUL bytes and lone surrogates
(neither of which a database stores), and texts beyond a length. Read one with ``parse`` in a plain
route, or with ``body: JsonBody[Filing]`` in a FastAPI route; a bare ``body: Filing`` there would be
validated after parsing, where strictness refuses dates.
"""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
)
from pydantic_core import CoreSchema, core_schema
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from dealreg_shared.web.problems import Problem, invalid, malformed_json
from dealreg_shared.web.texts import storable

Place = tuple[str | int, ...]

MAX_TEXT = 2000
"""Characters in any one text, where the field does not say less."""

TEXT_RULE = "must be Unicode text without NUL characters"


class StrictBody(BaseModel):
    """Base of request bodies, and of the objects inside them."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, str_max_length=MAX_TEXT)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a body. Raises ``Problem``: 400 for what is no JSON, 422 for what breaks a rule."""
        try:
            body = cls.model_validate_json(raw)
        except ValidationError as error:
            raise _problem(error, raw) from None
        if texts := _text_faults(raw):
            raise invalid(texts)
        return body


async def whole(receive: Receive) -> bytes:
    """A request's body. Raises ``ClientDisconnect``. Starlette's own is a generator for bodies of any
    length and takes 4 us more; ``RequestLimits`` has limited the length here."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body


def _problem(error: ValidationError, raw: bytes) -> Problem:
    faults = error.errors(include_url=False, include_input=False)
    if faults[0]["type"] != "json_invalid":
        return invalid([*faults, *_text_faults(raw)])
    # The strict parser calls an escaped lone surrogate bad JSON. It is JSON, with an impossible text.
    try:
        texts = _text_faults(raw)
    except (ValueError, RecursionError):
        texts = []
    reason = str(faults[0].get("ctx", {}).get("error", ""))
    return invalid(texts) if texts else malformed_json(reason)


def _text_faults(raw: bytes) -> list[dict[str, Any]]:
    """In JSON a NUL or half of a surrogate pair is written as an escape, or it is no JSON."""
    if b"\\u" not in raw:
        return []
    places = _impossible_texts(json.loads(raw))
    return [{"type": "text", "loc": place, "msg": TEXT_RULE} for place in places]


def _impossible_texts(value: Any, place: Place = ()) -> Iterator[Place]:
    """Where texts stand that no database stores. A name that is one stands for its whole object."""
    if isinstance(value, str):
        if not storable(value):
            yield place
    elif isinstance(value, dict):
        for name, item in value.items():
            if storable(name):
                yield from _impossible_texts(item, (*place, name))
            else:
                yield (*place, name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _impossible_texts(item, (*place, index))


BodyT = TypeVar("BodyT")


class _FromJson(Generic[BodyT]):
    """Validates what FastAPI has parsed as if it were still text, so that strict types can be read."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        if not (isinstance(source, type) and issubclass(source, StrictBody)):
            raise TypeError("JsonBody[...] takes a StrictBody")

        def read(value: Any) -> Any:
            if isinstance(value, source | bytes):
                return source.model_validate(value)
            try:
                text = json.dumps(value, ensure_ascii=True, allow_nan=False)
            except ValueError:
                raise ValueError("numbers must be finite") from None
            return source.parse(text.encode())

        return core_schema.no_info_before_validator_function(
            read, handler(source), json_schema_input_schema=handler(source)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema)


JsonBody = Annotated[BodyT, _FromJson()]
"""``body: JsonBody[Filing]``: the body of a FastAPI route, validated strictly from its JSON."""
