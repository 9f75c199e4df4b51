"""Every error is a problem, whoever raises it, and no body makes a 5xx."""

import json
import string
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from dealreg_shared.web import problems
from dealreg_shared.web.bodies import MAX_TEXT, TEXT_RULE
from tests.factories.problem_app import JSON, client, make_app, problem


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return make_app()


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app) as opened:
        yield opened


async def test_our_own_problem_is_answered_as_it_was_raised(http: httpx.AsyncClient) -> None:
    response = await http.get("/v1/refused")

    assert problem(response, 409, "line-held")["detail"] == "Somebody was first."
    assert response.headers["x-why"] == "first"


async def test_the_frameworks_errors_are_problems_too(http: httpx.AsyncClient) -> None:
    problem(await http.get("/nowhere"), 404, "not-found")
    problem(await http.get("/v1/filings/1/"), 404, "not-found")
    refused = await http.put("/v1/filings/1")
    problem(refused, 405, "method-not-allowed")
    assert refused.headers["allow"] == "GET"
    found = await http.get("/v1/filings/x?page=y")
    assert problem(found, 422, "invalid-request")["errors"] == [
        {"field": "path number", "rule": found.json()["errors"][0]["rule"]},
        {"field": "?page", "rule": found.json()["errors"][1]["rule"]},
    ]
    problem(await http.get("/docs-files/../problems.py"), 404, "not-found")


async def test_unknown_query_parameters_are_all_named(http: httpx.AsyncClient) -> None:
    refused = await http.get("/v1/filings/1?pgae=2&page=2&%ff=1&pgae=3")
    assert problem(refused, 422, "invalid-request")["errors"] == [
        {"field": "?pgae", "rule": "is not a known parameter; known here: page"},
        {"field": "?\ufffd", "rule": "is not a known parameter; known here: page"},
    ]
    bare = await http.post("/v1/filings?dry_run=true", json={"name": "a", "close": "2027-01-01"})
    assert problem(bare, 422, "invalid-request")["errors"] == [
        {"field": "?dry_run", "rule": "is not a known parameter; none is known here"}
    ]
    assert (await http.get("/v1/filings/1?page=2")).json() == 3
    for path in ("/", "/docs", "/openapi.json", "/metrics", "/healthz", "/readyz"):
        assert (await http.get(f"{path}?any=1")).status_code == 200, path
    problem(await http.get("/nowhere?any=1"), 404, "not-found")
    problem(await http.put("/v1/filings/1?any=1"), 405, "method-not-allowed")


async def test_the_root_says_what_answers_and_where_to_go_on(http: httpx.AsyncClient) -> None:
    answer = (await http.get("/")).json()

    assert (answer["service"], answer["version"]) == ("shop", "1")
    for path in answer["links"].values():
        assert (await http.get(path)).status_code == 200, path


async def test_an_unforeseen_exception_is_a_500_that_tells_nothing(
    http: httpx.AsyncClient,
) -> None:
    response = await http.get("/v1/broken", headers={"x-correlation-id": "mine-7"})

    assert problem(response, 500, "internal-error")["correlation_id"] == "mine-7"
    assert "secret" not in response.text
    assert "RuntimeError" not in response.text


async def test_an_answer_that_breaks_half_way_is_cut(http: httpx.AsyncClient) -> None:
    with pytest.raises(RuntimeError, match="torn"):
        await http.get("/v1/half")


async def test_a_good_body_is_taken_by_both_kinds_of_route(http: httpx.AsyncClient) -> None:
    body = {"name": "Ä\U0001f600", "close": "2027-03-31", "amount": "12.50", "lines": []}
    for path in ("/plain", "/v1/filings"):
        response = await http.post(path, json=body)

        assert response.status_code == 200, response.text
        assert response.json() == {**body, "seats": None, "renewal": False}


@pytest.mark.parametrize("path", ["/plain", "/v1/filings"])
async def test_every_fault_of_a_body_is_listed(path: str, http: httpx.AsyncClient) -> None:
    body = {
        "name": 5,
        "amount": 1.5,
        "seats": False,
        "renewal": "yes",
        "lines": [{"product": "a\0b", "tags": {"a": ["\0"]}}, {"product": "x" * 21}, 7],
        "a/b~c": 1,
        "close": "tomorrow",
    }

    response = await http.post(path, json=body)

    errors = {
        error["field"]: error["rule"]
        for error in problem(response, 422, "invalid-request")["errors"]
    }
    assert errors == {
        "/name": "must be a text",
        "/close": "must be a date such as 2027-03-31",
        "/amount": errors["/amount"],
        "/seats": "must be a whole number",
        "/renewal": "must be true or false",
        "/lines/0/product": TEXT_RULE,
        "/lines/0/tags/a/0": TEXT_RULE,
        "/lines/1/product": "must have at most 20 characters",
        "/lines/2": "must be an object",
        "/a~1b~0c": "is not a known field",
    }
    assert "tomorrow" not in response.text


@pytest.mark.parametrize("path", ["/plain", "/v1/filings"])
@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"{", 400, "malformed-json"),
        (b"\xff\xfe", 400, None),
        (b'{"name": "a" "b"}', 400, "malformed-json"),
        (b"[" * 10_000, 400, None),
        (b'{"name": ' * 1_500 + b"1" + b"}" * 1_500, None, None),
        (b'{"name":"\\ud800","close":"2027-01-01"}', 422, "invalid-request"),
        (b'{"name":"a","close":"2027-01-01","\\udfff":1}', 422, "invalid-request"),
        (b'{"name":"\\u0000","close":"2027-01-01"}', 422, "invalid-request"),
        (b'{"name":"a","close":NaN}', 422, "invalid-request"),
        (b'{"name":"a","close":"2027-01-01","seats":1e999}', 422, "invalid-request"),
        (b'{"name":"a","close":"2027-01-01","amount":"NaN"}', 422, "invalid-request"),
        (b'{"name":"a","close":"2027-01-01","seats":' + b"9" * 5000 + b"}", None, None),
        (b"null", 422, "invalid-request"),
        (b'"text"', 422, "invalid-request"),
        (b"[]", 422, "invalid-request"),
        (b"x" * 20_001, 413, "body-too-large"),
    ],
)
async def test_bad_bodies(
    raw: bytes, status: int | None, code: str | None, path: str, http: httpx.AsyncClient
) -> None:
    response = await http.post(path, content=raw, headers=JSON)

    assert response.headers["content-type"] == "application/problem+json"
    assert response.status_code in ((400, 422) if status is None else (status,))
    if code is not None:
        problem(response, response.status_code, code)


async def test_no_text_is_longer_than_the_limit(http: httpx.AsyncClient) -> None:
    body = {"name": "x" * (MAX_TEXT + 1), "close": "2027-01-01"}

    for path in ("/plain", "/v1/filings"):
        response = await http.post(path, json=body)
        assert problem(response, 422, "invalid-request")["errors"] == [
            {"field": "/name", "rule": f"must have at most {MAX_TEXT} characters"}
        ]


async def test_a_body_of_another_kind_is_a_415(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/filings", content=b"{}", headers={"content-type": "text/xml"})

    problem(response, 415, "unsupported-media-type")
    assert response.headers["accept"] == "application/json"
    problem(await http.post("/v1/filings", content=b"{}"), 415, "unsupported-media-type")
    problem(await http.post("/v1/filings"), 422, "invalid-request")


async def test_a_body_without_a_length_is_counted_as_it_comes(http: httpx.AsyncClient) -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 1000
            yield b" " * 1000

    for path in ("/plain", "/v1/filings"):
        problem(await http.post(path, content=pieces(), headers=JSON), 413, "body-too-large")


@pytest.mark.parametrize("length", ["99999999999999999999", "-1", "1_0", "²"])
async def test_a_length_that_is_none_is_refused(length: str, app: FastAPI) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}"}

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/plain",
        "query_string": b"",
        "headers": [(b"content-length", length.encode("latin-1"))],
    }
    await app(scope, receive, send)

    assert sent[0]["status"] == 413


async def test_a_caller_who_goes_away_is_no_error(app: FastAPI) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/plain",
        "query_string": b"",
        "headers": [],
    }
    await app(scope, receive, send)

    assert sent == []


async def test_nul_in_an_address_finds_nothing(http: httpx.AsyncClient) -> None:
    problem(await http.get("/v1/filings/%00"), 404, "not-found")
    problem(await http.get("/v1/filings/1?page=%00"), 404, "not-found")


async def test_the_description_tells_of_problems_and_not_of_the_frameworks_errors(
    http: httpx.AsyncClient,
) -> None:
    document = (await http.get("/openapi.json")).json()

    operation = document["paths"]["/v1/filings"]["post"]
    assert set(operation["responses"]) == {"200", "default"}
    content = operation["responses"]["default"]["content"]
    assert content["application/problem+json"]["schema"]["$ref"] == "#/components/schemas/Problem"
    assert "HTTPValidationError" not in json.dumps(document)
    assert document["components"]["schemas"]["Filing"]["additionalProperties"] is False


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from(["2027-01-01", "12.5", "\ud800", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["name", "close", "amount", "seats", "lines", "product", "tags"])
            | st.text(st.characters(), max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    body=anything.map(lambda value: json.dumps(value).encode())
    | st.binary()
    | st.text(st.sampled_from('{}[]",:\\u0d8' + string.digits)).map(str.encode),
    path=st.sampled_from(["/plain", "/v1/filings"]),
)
@example(body=b'{"name":"\\u0000","close":"2027-01-01"}', path="/v1/filings")
@example(body=b'{"\\ud800":1}', path="/v1/filings")
async def test_no_body_makes_a_5xx(body: bytes, path: str, app: FastAPI) -> None:
    async with client(app) as http:
        response = await http.post(path, content=body, headers=JSON)

    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        response.json()


@pytest.mark.parametrize(
    ("kind", "bounds", "value", "rule"),
    [
        (tuple[int, ...], {"min_length": 1}, [], "must have at least 1 item"),
        (list[int], {"max_length": 2}, [1, 2, 3], "must have at most 2 items"),
        (dict[str, int], {"min_length": 1}, {}, "must have at least 1 item"),
        (str, {"min_length": 1}, "", "must have at least 1 character"),
        (str, {"pattern": "^a$"}, "b", "must match pattern '^a$'"),
        (Decimal, {"max_digits": 3}, "12345", "must have at most 3 digits"),
        (Decimal, {"decimal_places": 1}, "1.25", "must have at most 1 decimal place"),
        (Decimal, {}, "x", "must be a decimal number"),
        (int, {}, "x", "must be a whole number"),
        (int, {}, "9" * 5000, "must be a smaller whole number"),
        (int, {"ge": 1}, 0, "must be greater than or equal to 1"),
        (bool, {}, "x", "must be true or false"),
        (AwareDatetime, {}, "2027-01-01T00:00:00", "must be a time with its zone"),
    ],
)
def test_rules_speak_of_what_was_sent_and_not_of_the_program(
    kind: Any, bounds: dict[str, Any], value: Any, rule: str
) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[kind, Field(**bounds)])
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value)
    [fault] = caught.value.errors(include_url=False, include_input=False)
    assert problems.rule(fault).startswith(rule)
