"""What was once published can be read for ever: one example of every event, of every version.

A golden file is never edited: a reader somewhere holds events like it. A new version gets a new file.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from dealreg_shared.contracts.catalogue import CATALOGUE, TOPICS, EventUnreadable, decode, encode
from dealreg_shared.contracts.envelope import Event
from dealreg_shared.contracts.people import PersonUpdated

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).parent / "golden"
NEWEST = [name for name, event_type in CATALOGUE.items() if event_type.upcast is None]

Json = dict[str, Any]


def golden(name: str) -> Json:
    document: Json = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return document


def raw(document: Json) -> bytes:
    return json.dumps(document).encode()


def objects(value: Any, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every JSON object inside ``value``, with the path that leads to it."""
    if isinstance(value, dict):
        yield path, value
        for name, inner in value.items():
            yield from objects(inner, f"{path}/{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from objects(inner, f"{path}/{index}")


def test_every_type_has_a_golden_event_and_no_golden_event_is_without_a_type() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(CATALOGUE)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_golden_event_is_read_and_written_as_it_was(name: str) -> None:
    document = golden(name)

    event = decode(raw(document))

    assert _as_golden(json.loads(encode(event)), document) == document or name not in NEWEST
    assert isinstance(event.data, CATALOGUE[event.type].model)
    assert decode(encode(event)) == event


def _as_golden(written: Any, read: Any) -> Any:
    """What was written, without fields that came after the golden event and have their default."""
    if isinstance(written, dict) and isinstance(read, dict):
        return {
            name: _as_golden(value, read.get(name))
            for name, value in written.items()
            if name in read or (value not in (None, []) and value is not False)
        }
    if isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        return [_as_golden(*pair) for pair in zip(written, read, strict=True)]
    return written


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_golden_event_fits_the_published_schema(name: str) -> None:
    schema = json.loads((ROOT / f"docs/schemas/{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)

    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(
        golden(name)
    )


@pytest.mark.parametrize("name", NEWEST)
def test_a_reader_ignores_what_it_does_not_know(name: str) -> None:
    plain = decode(raw(golden(name)))
    document = golden(name)
    places = [path for path, _ in objects(document)]
    for _, found in list(objects(document)):
        found["added_in_a_later_release"] = {"deeply": ["nested", 1]}

    tolerated = decode(raw(document))

    free = "/data/items" if name == "dealreg.plan.part.v1" else None
    assert len(places) >= 2
    if free is None:
        assert tolerated == plain
    else:  # the items of a plan part are carried as they are; their readers are tolerant in turn
        assert encode(tolerated) != encode(plain)
        for item in tolerated.data.items:
            del item["added_in_a_later_release"]
        assert tolerated == plain


@pytest.mark.parametrize("name", NEWEST)
def test_a_required_field_that_is_missing_is_named(name: str) -> None:
    model = CATALOGUE[name].model
    required = [field for field, info in model.model_fields.items() if info.is_required()]
    assert required

    for field in required:
        document = golden(name)
        del document["data"][field]
        with pytest.raises(EventUnreadable, match=rf"data\.{field}"):
            decode(raw(document))


@pytest.mark.parametrize("name", NEWEST)
def test_a_wrong_type_is_refused_not_converted(name: str) -> None:
    for field, value in golden(name)["data"].items():
        for wrong in _wrong_for(value):
            document = golden(name)
            document["data"][field] = wrong
            with pytest.raises(EventUnreadable, match=rf"data\.{field}"):
                decode(raw(document))


def _wrong_for(value: Any) -> list[Any]:
    """Values of other JSON types than ``value`` that a lenient reader might convert."""
    if isinstance(value, bool):
        return [1, "true"]
    if isinstance(value, int | float):
        return [str(value), True]
    if isinstance(value, str):
        return [12, 12.5, True]
    return [] if value is None else ["text", 12]


def test_a_writer_cannot_make_an_event_of_the_wrong_shape() -> None:
    data = CATALOGUE["dealreg.claim.expired.v1"].model.model_validate_json(
        json.dumps(golden("dealreg.claim.expired.v1")["data"])
    )
    with pytest.raises(ValidationError, match="frozen"):
        data.partner_id = "cascade"  # type: ignore[attr-defined]  # what is refused

    ended = golden("dealreg.registration.lost.v1")["data"]
    with pytest.raises(ValidationError, match="amount_base"):
        CATALOGUE["dealreg.registration.lost.v1"].model.model_validate(
            {**ended, "amount_base": 1.5}
        )


def test_an_envelope_without_a_zone_a_key_or_a_version_is_no_event() -> None:
    good = golden("dealreg.conflict.closed.v1")
    for change in (
        {"time": "2027-03-01T15:30:00"},
        {"time": "0001-01-01T00:00:00+14:00"},
        {"keyversion": 0},
        {"keyversion": "5"},
        {"id": "no uuid"},
        {"specversion": "0.3"},
        {"datacontenttype": "text/plain"},
        {"data": None},
    ):
        with pytest.raises(EventUnreadable, match=next(iter(change))):
            decode(raw({**good, **change}))


def test_what_is_no_event_at_all_is_said_so() -> None:
    with pytest.raises(EventUnreadable, match="not JSON"):
        decode(b"\xff\x00")
    with pytest.raises(EventUnreadable, match="not a JSON object"):
        decode(b"[1]")
    for document in ({}, {"type": 7}, {"type": "dealreg.registration.filed.v99"}):
        with pytest.raises(EventUnreadable, match="unknown event type"):
            decode(raw(document))


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_golden_event_stands_on_its_topic_as_its_owner_writes_it(name: str) -> None:
    document = golden(name)
    topic = TOPICS[CATALOGUE[name].topic]

    assert document["source"] == f"/dealreg/{topic.owner}"
    assert UUID(document["id"]).version == 7
    assert document["partitionkey"] in _keys(topic.key, document)


def _keys(meaning: str, document: Json) -> list[str]:
    """Which fields of an event the words of a topic's key stand for."""
    data = deepcopy(document["data"])
    market = data.get("market") or {}
    words = {
        "account id": [data.get("account_id")],
        "programme id": [document["programme"]],
        "person id": [data.get("person_id")],
        "API key id": [data.get("key_id")],
        "link key id": [data.get("key_id")],
        "market id": [f"{market.get('region')}/{market.get('segment')}"],
        "conflict id or notification id": [data.get("conflict_id"), data.get("notification_id")],
    }
    return [key for key in words[meaning] if key is not None]


def test_the_encoding_is_that_of_the_catalogue() -> None:
    event = decode(raw(golden("dealreg.person.updated.v1")))

    assert type(event) is Event[PersonUpdated]
    assert b"Caf\xc3\xa9" in encode(decode(raw(golden("dealreg.registration.filed.v1"))))
