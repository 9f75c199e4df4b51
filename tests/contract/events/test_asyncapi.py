"""The AsyncAPI document is a valid one, and names every topic, event, writer and reader."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT7

from dealreg_shared.contracts.catalogue import CATALOGUE, TOPICS

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent

Json = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Json:
    loaded: Json = yaml.safe_load((ROOT / "docs/asyncapi.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def official() -> Draft7Validator:
    text = (HERE / "data/asyncapi-3.0.0.json").read_text(encoding="utf-8")
    return Draft7Validator(json.loads(text))


def test_it_is_asyncapi_3(document: Json, official: Draft7Validator) -> None:
    assert [error.message for error in official.iter_errors(document)] == []


def test_the_official_schema_refuses_what_is_none(
    document: Json, official: Draft7Validator
) -> None:
    for part, wrong in (
        ("asyncapi", "2.6.0"),
        ("info", {}),
        ("operations", {"x": {"action": "shout"}}),
        ("channels", {"x": {"messages": []}}),
    ):
        assert not official.is_valid({**deepcopy(document), part: wrong}), part


def test_every_topic_is_a_channel_with_all_its_events(document: Json) -> None:
    assert {channel["address"] for channel in document["channels"].values()} == set(TOPICS)
    for channel in document["channels"].values():
        topic = TOPICS[channel["address"]]
        expected = {t.name for t in CATALOGUE.values() if t.topic == topic.name}
        kafka = channel["bindings"]["kafka"]

        assert set(channel["messages"]) == expected
        assert (kafka["partitions"], kafka["topicConfiguration"]["retention.ms"]) == (
            topic.partitions,
            -1,
        )
        assert kafka["topicConfiguration"]["cleanup.policy"] == [
            "compact" if topic.compacted else "delete"
        ]


def test_each_topic_has_one_writer_and_the_readers_that_consume_it(document: Json) -> None:
    operations: Json = document["operations"]
    sends = {name for name, operation in operations.items() if operation["action"] == "send"}
    receives = {
        operation["bindings"]["kafka"]["groupId"]["enum"][0]
        for operation in operations.values()
        if operation["action"] == "receive"
    }

    assert sends == {
        f"{topic.owner}.sends.{topic.name.removeprefix('dealreg.')}" for topic in TOPICS.values()
    }
    assert receives == {
        *(f"coverage-{topic}" for topic in ("access", "plan", "registration")),
        *(f"notifier-{topic}" for topic in ("access", "people", "plan", "registration")),
        "registration-keys",
        "auditor",
    }


def resolved(document: Json, reference: str) -> Any:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for inner in value.values() for ref in references(inner)]
    return [ref for inner in value for ref in references(inner)] if isinstance(value, list) else []


def test_every_reference_leads_somewhere(document: Json) -> None:
    found = references(document)

    assert len(found) > 100
    assert all(isinstance(resolved(document, reference), dict) for reference in found)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_golden_event_fits_the_payload_of_its_message(document: Json, name: str) -> None:
    registry: Registry[Any] = Registry().with_resource(
        "urn:dealreg:asyncapi", DRAFT7.create_resource(document)
    )
    payload = {"$ref": f"urn:dealreg:asyncapi#/components/messages/{name}/payload"}
    golden = json.loads((HERE / f"golden/{name}.json").read_text(encoding="utf-8"))
    validator = Draft7Validator(payload, registry=registry)

    validator.validate(golden)
    assert not validator.is_valid({**golden, "type": "dealreg.other.v1"})
    assert not validator.is_valid({**golden, "data": {}})


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_published_schema_names_its_type(name: str) -> None:
    schema = json.loads((ROOT / f"docs/schemas/{name}.json").read_text(encoding="utf-8"))

    assert schema["$id"] == f"urn:dealreg:event:{name}"
    assert schema["properties"]["type"]["const"] == name
    assert {"specversion", "id", "source", "type"} <= set(schema["required"])
    Draft202012Validator.check_schema(schema)
