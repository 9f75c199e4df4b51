"""Request bodies: strict models, read straight from the JSON text.

``StrictBody`` refuses unknown fields, other types than those asked for, NUL bytes and lone surrogates
(neither of which a database stores), and texts beyond a length. Read one with ``parse`` in a plain
route, or with ``body: JsonBody[Filing]`` in a FastAPI route; a bare ``body: Filing`` there would be
validated after parsing, where strictness refuses dates.
"""

import json
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from dealreg_shared.web.problems import Problem, from_validation, invalid, malformed_json
from dealreg_shared.web.texts import has_surrogate, storable

MAX_TEXT = 2000
"""Characters in any one text, where the field does not say less."""

TEXT_RULE = "must be Unicode text without NUL characters"


class StrictBody(BaseModel):
    """Base of request bodies, and of the objects inside them."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, str_max_length=MAX_TEXT)

    @model_validator(mode="after")
    def _texts_can_be_stored(self) -> Self:
        faults = [
            InitErrorDetails(type=PydanticCustomError("text", TEXT_RULE), loc=(name,), input=None)
            for name, value in self.__dict__.items()
            if not storable(value)
        ]
        if faults:
            raise ValidationError.from_exception_data(type(self).__name__, faults)
        return self

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a body. Raises ``Problem``: 400 for what is no JSON, 422 for what breaks a rule."""
        try:
            return cls.model_validate_json(raw)
        except ValidationError as error:
            raise _problem(error, raw) from None


def _problem(error: ValidationError, raw: bytes) -> Problem:
    faults = error.errors(include_url=False, include_input=False)
    if faults[0]["type"] != "json_invalid":
        return from_validation(error)
    # The strict parser calls an escaped lone surrogate bad JSON. It is JSON, with an impossible text.
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return malformed_json(str(faults[0].get("ctx", {}).get("error", "")))
    place = _impossible_text(document, ())
    if place is None:
        return malformed_json(str(faults[0].get("ctx", {}).get("error", "")))
    return invalid([{"type": "text", "loc": place, "msg": TEXT_RULE}])


def _impossible_text(value: Any, place: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
    """Where the first text with a lone surrogate stands."""
    if isinstance(value, str):
        return place if has_surrogate(value) else None
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        for name in value:
            if has_surrogate(name):
                return (*place, name)
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for name, item in items:
        found = _impossible_text(item, (*place, name))
        if found is not None:
            return found
    return None


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
            try:
                return source.model_validate_json(text)
            except ValidationError as error:
                faults = error.errors(include_url=False, include_input=False)
                if faults[0]["type"] != "json_invalid":
                    raise
                place = _impossible_text(value, ())
                raise ValidationError.from_exception_data(
                    source.__name__,
                    [
                        InitErrorDetails(
                            type=PydanticCustomError(
                                "text",
                                TEXT_RULE if place is not None else "must be nested less deeply",
                            ),
                            loc=place or (),
                            input=None,
                        )
                    ],
                ) from None

        return core_schema.no_info_before_validator_function(
            read, handler(source), json_schema_input_schema=handler(source)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema)


JsonBody = Annotated[BodyT, _FromJson()]
"""``body: JsonBody[Filing]``: the body of a FastAPI route, validated strictly from its JSON."""
