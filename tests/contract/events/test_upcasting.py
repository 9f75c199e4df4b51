"""An event of an older version reaches its reader as the newest one, whatever lies between."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from dealreg_shared.contracts import catalogue
from dealreg_shared.contracts.base import EventData
from dealreg_shared.contracts.catalogue import EventType, EventUnreadable, decode, encode
from dealreg_shared.contracts.envelope import Event

V1, V2, V3 = (f"dealreg.example.measured.v{number}" for number in (1, 2, 3))


class MeasuredV1(EventData):
    length_inches: int


class MeasuredV2(EventData):
    length_millimetres: int


class MeasuredV3(EventData):
    length_millimetres: int
    measured_by: str


def _to_millimetres(data: dict[str, Any]) -> dict[str, Any]:
    return {"length_millimetres": data["length_inches"] * 25}


def _to_a_measurer(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "measured_by": "unknown"}


@pytest.fixture(autouse=True)
def three_versions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    versions = [
        EventType(V1, MeasuredV1, catalogue.PLAN, "In inches.", (V2, _to_millimetres)),
        EventType(V2, MeasuredV2, catalogue.PLAN, "In millimetres.", (V3, _to_a_measurer)),
        EventType(V3, MeasuredV3, catalogue.PLAN, "By somebody."),
    ]
    known = {version.name: version for version in versions}
    models = {V1: Event[MeasuredV1], V2: Event[MeasuredV2], V3: Event[MeasuredV3]}
    monkeypatch.setattr(catalogue, "CATALOGUE", {**catalogue.CATALOGUE, **known})
    monkeypatch.setattr(catalogue, "_EVENT", {**catalogue._EVENT, **models})
    yield


def document(type_: str, data: Any) -> bytes:
    return json.dumps(
        {
            "specversion": "1.0",
            "id": "0193c1d2-a4b5-7001-8e6f-000000000001",
            "source": "/dealreg/registration",
            "type": type_,
            "subject": "default",
            "time": "2027-03-01T09:15:00.000000Z",
            "programme": "default",
            "partitionkey": "default",
            "keyversion": 7,
            "correlationid": "cor_1",
            "data": data,
        }
    ).encode()


def test_an_old_event_is_raised_version_by_version() -> None:
    event = decode(document(V1, {"length_inches": 4}))

    assert event.type == V3
    assert event.data == MeasuredV3(length_millimetres=100, measured_by="unknown")


def test_the_envelope_stays_what_it_was() -> None:
    event = decode(document(V2, {"length_millimetres": 3}))

    assert (event.id, event.keyversion) == (UUID("0193c1d2-a4b5-7001-8e6f-000000000001"), 7)
    assert decode(encode(event)) == event


def test_the_newest_version_is_read_as_it_is() -> None:
    event = decode(document(V3, {"length_millimetres": 3, "measured_by": "mara"}))

    assert event == Event[MeasuredV3].model_validate(event.model_dump())
    assert event.data.measured_by == "mara"


@pytest.mark.parametrize("data", [{}, {"length_inches": None}, None, 7, {"length_inches": "4"}])
def test_old_data_that_cannot_be_raised_is_unreadable(data: Any) -> None:
    with pytest.raises(EventUnreadable, match=r"measured\.v1: (?!.*v3)"):
        decode(document(V1, data))
