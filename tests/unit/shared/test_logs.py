"""Log lines: JSON with the correlation id, and never a secret."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from dealreg_shared.auth import keys
from dealreg_shared.config import SharedSettings
from dealreg_shared.telemetry import configure_logging, correlation_id, get_logger

SECRET = keys.new_key().secret


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    for name in (
        "uvicorn",
        "uvicorn.error",
        "uvicorn.access",
    ):  # another test's server may have set them
        library = logging.getLogger(name)
        library.handlers[:], library.propagate, library.disabled = [], True, False
        library.setLevel(logging.NOTSET)
    yield
    root.handlers[:], level = before
    root.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = False
    structlog.reset_defaults()


def written(log: Any, **settings: Any) -> list[dict[str, Any]]:
    stream = io.StringIO()
    configure_logging(SharedSettings(**settings), stream)
    log()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_time_level_and_facts() -> None:
    (line,) = written(lambda: get_logger("here").info("timer fired", timer="tmr_1", level=2))

    assert line["event"] == "timer fired"
    assert line["logger"] == "here"
    assert line["timer"] == "tmr_1"
    assert line["time"].endswith("Z")


def test_a_line_names_the_request_it_was_written_for() -> None:
    token = correlation_id.set("cor_7")
    try:
        (line,) = written(lambda: get_logger("x").info("a"))
    finally:
        correlation_id.reset(token)
    (outside,) = written(lambda: get_logger("x").info("a"))

    assert line["correlation_id"] == "cor_7"
    assert "correlation_id" not in outside


def test_lines_of_libraries_go_the_same_way() -> None:
    lines = written(lambda: logging.getLogger("uvicorn.error").info("listening on %s", "port"))

    assert [line["event"] for line in lines] == ["listening on port"]


def test_access_lines_are_written_only_when_asked_for() -> None:
    def log() -> None:
        logging.getLogger("uvicorn.access").info("GET /")

    assert written(log) == []
    assert len(written(log, http_access_log=True)) == 1


def test_a_level_below_the_setting_is_not_written() -> None:
    def log() -> None:
        get_logger("x").info("a")

    assert written(log, log_level="warning") == []


def test_secrets_are_masked_by_name_by_shape_and_however_deep() -> None:
    def log() -> None:
        get_logger("x").info(
            f"called with {SECRET}",
            authorization="Bearer abc",
            body='{"amount": 5}',
            url="postgresql+asyncpg://dealreg:hush@db/dealreg",
            deep={"list": [{"token": "hush"}, f"Bearer {SECRET}"], "plain": 5},
        )
        logging.getLogger("lib").warning("sent %s", SECRET)

    text = json.dumps(written(log))

    assert SECRET not in text
    assert SECRET.split("_")[2] not in text
    assert "hush" not in text
    assert "amount" not in text
    assert '"plain": 5' in text


def test_a_traceback_is_written_without_the_secrets_in_it() -> None:
    def log() -> None:
        try:
            int(SECRET)
        except ValueError:
            get_logger("x").exception("failed")

    (line,) = written(log)

    assert "ValueError: invalid literal for int() with base 10: '***'" in line["exception"]
    assert SECRET not in json.dumps(line)


def test_people_can_have_plain_lines() -> None:
    stream = io.StringIO()
    configure_logging(SharedSettings(log_format="console"), stream)
    get_logger("x").info("timer fired", timer="tmr_1", key=SECRET)

    assert "timer fired" in stream.getvalue()
    assert "timer=tmr_1" in stream.getvalue()
    assert SECRET not in stream.getvalue()
