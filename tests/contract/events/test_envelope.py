"""The envelope is CloudEvents 1.0, and no event but one says anything of a person.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel

from dealreg_shared.contracts import people
from dealreg_shared.contracts.base import EventData
from dealreg_shared.contracts.catalogue import CATALOGUE
from dealreg_shared.contracts.envelope import Event

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))
REQUIRED = {"id", "source", "specversion", "type"}
OPTIONAL = {"datacontenttype", "dataschema", "subject", "time"}
EXTENSIONS = {
    "programme",
    "partitionkey",
    "keyversion",
    "correlationid",
    "causationid",
    "traceparent",
}
TRACEPARENT = r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"


def attributes(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {name: value for name, value in document.items() if name != "data"}


def test_attributes_are_named_as_cloudevents_asks() -> None:
    names = set(Event.model_fields) - {"data"}

    assert names == (REQUIRED | OPTIONAL | EXTENSIONS) - {"dataschema"}
    assert [name for name in names if not re.fullmatch(r"[a-z0-9]{1,20}", name)] == []


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_attributes_have_the_values_that_cloudevents_asks(path: Path) -> None:
    found = attributes(path)

    assert set(found) >= REQUIRED
    for name, value in found.items():
        assert value is None or isinstance(value, str | bool | int), name
        assert name not in REQUIRED | OPTIONAL or value, name
    assert found["specversion"] == "1.0"
    assert urlsplit(found["source"]).path == found["source"]
    assert re.fullmatch(r"dealreg(\.[a-z-]+)+\.v[1-9]\d*", found["type"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", found["time"])
    assert 1 <= found["keyversion"] < 2**31, "an Integer of CloudEvents has 32 bits"
    trace = found["traceparent"]
    assert trace is None or re.fullmatch(TRACEPARENT, trace)


def test_some_example_is_traced() -> None:
    assert any(attributes(path)["traceparent"] for path in GOLDEN)


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """``model`` and every model inside it."""
    yield model
    for field in model.model_fields.values():
        yield from _inside(field.annotation)


def _inside(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from models(annotation)
    for argument in get_args(annotation):
        yield from _inside(argument)


PERSONAL = re.compile(
    r"name|first|last|e?mail|phone|mobile|contact|address|birth|salutation|signature|note|comment"
)
OF_COMPANIES = {"account_name", "other_account_name"}
"""A company is no person (docs/decisions/0008-what-must-be-erasable.md)."""


def personal_fields(model: type[EventData]) -> list[str]:
    return [
        f"{inner.__name__}.{name}"
        for inner in models(model)
        for name in inner.model_fields
        if PERSONAL.search(name) and name not in OF_COMPANIES
    ]


def test_only_people_events_have_fields_for_a_persons_data() -> None:
    everything = {event_type.model for event_type in CATALOGUE.values()} - {people.PersonUpdated}

    assert {
        model.__name__: found for model in everything if (found := personal_fields(model))
    } == {}
    assert personal_fields(people.PersonUpdated) == ["PersonUpdated.name", "PersonUpdated.email"]


def test_the_search_also_looks_inside() -> None:
    class Contact(EventData):
        email: str

    class Told(EventData):
        told: tuple[Contact, ...] | None

    assert personal_fields(Told) == ["Contact.email"]


def test_people_and_keys_travel_on_their_own_topics() -> None:
    topics = {
        event_type.name: event_type.topic
        for event_type in CATALOGUE.values()
        if event_type.model.__module__ == people.__name__
    }

    assert topics == {
        "dealreg.person.updated.v1": "dealreg.people",
        "dealreg.access.key-updated.v1": "dealreg.access",
    }
