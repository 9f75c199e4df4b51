"""Two results of one decision: every place where they differ is named, and only those."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealreg_registration.domain.comparing import compare, differences

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("stored", "again", "words"),
    [
        ({"a": [1, {"b": "x"}]}, {"a": [1, {"b": "y"}]}, "/a/1/b: stored 'x', decided again 'y'"),
        ({"a": 1}, {"a": 1, "b": 2}, "/b: stored None, decided again 2"),
        ({"a": [1]}, {"a": [1, 2]}, "/a: stored [1], decided again [1, 2]"),
        (1, True, "/: stored 1, decided again True"),
    ],
)
def test_a_difference_is_named_with_its_place(stored: Any, again: Any, words: str) -> None:
    assert list(differences(stored, again)) == [words]


@given(values)
def test_the_same_value_differs_nowhere(value: Any) -> None:
    assert list(differences(value, value)) == []


def _result(outcome: str, **changes: Any) -> dict[str, Any]:
    line = {"line": "platform", "outcome": outcome, "referred": [None, None], "until": None}
    return {"lines": [line | {"trace": ["words"]} | changes]}


FILED = {"filing": {"registration": "reg_1", "partner": "acme"}, "lines": ["platform"]}


def test_other_words_are_no_flip_other_terms_are_told_and_another_target_is_a_flip() -> None:
    stored = _result("protected")
    assert compare(FILED, stored, _result("protected", trace=[])).other_terms == 0
    assert compare(FILED, stored, _result("protected", until="later")).other_terms == 1
    to_a, to_b = (_result("referred", referred=["partner", who]) for who in "ab")
    [flip] = compare(FILED, to_a, to_b).flips
    assert (flip.kind, flip.was_to, flip.now_to) == ("referred -> referred", "a", "b")


def test_another_is_promoted() -> None:
    waiting = [
        {"claim": f"clm_{who}", "registration": f"reg_{who}", "partner": who, "line": "platform"}
        for who in "ab"
    ]
    inputs = {"standby": "platform", "claims": waiting}
    stored, again = ({"claim": f"clm_{who}", "outcome": "protected"} for who in "ab")
    flips = compare(inputs, stored, again).flips
    assert [(flip.partner_id, flip.kind) for flip in flips] == [
        ("a", "protected -> standby"),
        ("b", "standby -> protected"),
    ]
    [flip] = compare(inputs, stored, None, promotes=False).flips
    assert (flip.partner_id, flip.kind) == ("a", "protected -> closed")
