"""ETags and cursors: round trips, and no input that breaks them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from dealreg_shared.web.etag import check_if_match, etag
from dealreg_shared.web.paging import Position, decode, encode, page
from dealreg_shared.web.problems import Problem

versions = st.integers(0, 10**12)


def if_match(value: str) -> Headers:
    return Headers(raw=[(b"if-match", value.encode("latin-1"))])


@given(versions)
def test_the_tag_of_a_version_matches_it(version: int) -> None:
    check_if_match(if_match(etag(version)), version)
    check_if_match(if_match(f'"other", {etag(version)}'), version)
    check_if_match(if_match("*"), version)


@given(versions, versions)
def test_the_tag_of_another_version_does_not(version: int, other: int) -> None:
    if version == other:
        return
    with pytest.raises(Problem) as caught:
        check_if_match(if_match(etag(other)), version)

    assert (caught.value.status, caught.value.code) == (412, "version-changed")
    assert (caught.value.headers or {})["etag"] == etag(version)


@given(versions)
def test_a_weak_tag_never_matches(version: int) -> None:
    with pytest.raises(Problem) as caught:
        check_if_match(if_match("W/" + etag(version)), version)

    assert caught.value.status == 412


def test_without_a_tag_nothing_is_changed() -> None:
    with pytest.raises(Problem) as caught:
        check_if_match(Headers(raw=[]), 1)

    assert (caught.value.status, caught.value.code) == (428, "if-match-required")


@given(st.text(st.characters(max_codepoint=255)))
@example('"v1')
@example('v1"')
@example("v1")
def test_any_header_is_a_match_or_a_412(value: str) -> None:
    try:
        check_if_match(if_match(value), 1)
    except Problem as problem:
        assert problem.status == 412
    else:
        assert '"v1"' in value or value.strip() == "*"


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
sort_keys = (
    texts
    | st.integers(-(2**63), 2**63 - 1)
    | st.datetimes(
        datetime(1970, 1, 1), datetime(2999, 1, 1),  # noqa: DTZ001  (the strategy adds the zone)
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
    )
)  # fmt: skip


@given(sort_keys, texts)
def test_a_cursor_is_read_as_it_was_written(key: str | int | datetime, id_: str) -> None:
    cursor = encode(Position(key, id_))

    assert decode(cursor) == Position(key, id_)
    assert cursor.isascii()
    assert not set(cursor) & set("+/=?&# ")


@given(st.text(max_size=60))
@example("")
@example("W10")  # []
@example("WzEsMV0")  # [1,1]
@example("W3RydWUsImEiXQ")  # [true,"a"]
@example("WyJcdWQ4MDAiLCJhIl0")  # ["\ud800","a"]
@example("WyJcdTAwMDAiLCJhIl0")  # ["\u0000","a"]
@example("W3sidCI6Ii0xIn0sImEiXQ")
@example("é")
def test_any_other_text_is_a_problem_of_the_caller(text: str) -> None:
    with pytest.raises(Problem) as caught:
        decode(text)

    assert (caught.value.status, caught.value.code) == (422, "invalid-cursor")


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 7))
def test_pages_show_every_row_once(keys: list[int], limit: int) -> None:
    rows = sorted((key, f"id{number:02}") for number, key in enumerate(keys))
    seen: list[tuple[int, str]] = []
    cursor = None
    while True:
        rest = rows
        if cursor is not None:
            position = decode(cursor)
            rest = [row for row in rows if row > (position.sort_key, position.id)]
        shown, cursor = page(rest[: limit + 1], limit, lambda row: Position(*row))
        seen += shown
        assert len(shown) <= limit
        if cursor is None:
            break

    assert seen == rows
