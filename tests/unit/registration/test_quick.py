"""``@quick`` changes how a frozen class is made, and nothing else."""

import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import Any

import pytest

from dealreg_registration.domain.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 2
    tags: list[str] = field(default_factory=list)


def test_it_is_made_compared_copied_and_shown_as_before() -> None:
    point = Point(1, tags=["a"])

    assert (point.x, point.y, point.tags) == (1, 2, ["a"])
    assert replace(point, y=3) == Point(1, 3, ["a"])
    assert repr(point) == "Point(x=1, y=2, tags=['a'])"
    assert pickle.loads(pickle.dumps(point)) == point  # noqa: S301  (our own)


def test_what_a_factory_makes_is_shared_by_nobody() -> None:
    assert Point(1).tags is not Point(1).tags


def test_it_stays_frozen_and_wants_its_fields() -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(Point(1), "x", 2)  # noqa: B010  (mypy refuses the plain form)
    make: Any = Point
    with pytest.raises(TypeError):
        make()
    with pytest.raises(TypeError):
        make(1, z=1)


def test_a_class_that_is_more_than_its_fields_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Checked:
        x: int

        def __post_init__(self) -> None:
            raise AssertionError

    with pytest.raises(TypeError, match="Checked"):
        quick(Checked)
