"""Whatever the bus's contract allows it to deliver, the same state comes out."""

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.bus.port import Message
from dealreg_shared.contracts.catalogue import PLAN
from dealreg_shared.db import Database
from dealreg_shared.inbox import ReplayStopped, consume
from tests.factories.inbox_story import METADATA, Story, plain

_EXAMPLE = count()


@pytest.fixture(params=["one by one", "together"])
async def story(
    database: Database,
    embedded_bus: EmbeddedBus,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Story:
    await database.write(METADATA.create_all)
    monkeypatch.setattr(consume, "BATCH", 4)
    monkeypatch.setattr(consume, "RETRY_SECONDS", 0.0)
    return Story(database, embedded_bus, together=request.param == "together")


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[dict[str, int], list[tuple[str, int]]]:
    """Versions per key, and places (key, version) in an order that the contract allows.

    First appearances per key are in version order; anything that has appeared may appear again.
    """
    lengths = {key: draw(st.integers(1, 5), label=key) for key in "abc"}
    pending = dict.fromkeys(lengths, 1)
    order: list[tuple[str, int]] = []
    while unfinished := [key for key in lengths if pending[key] <= lengths[key]]:
        repeat: bool = draw(st.booleans())
        if order and repeat:
            order.append(draw(st.sampled_from(order)))
            continue
        key = draw(st.sampled_from(unfinished))
        order.append((key, pending[key]))
        pending[key] += 1
    order += draw(st.lists(st.sampled_from(order), max_size=6))
    return lengths, order


@given(
    delivered=deliveries(),
    cuts=st.sets(st.integers(0, 20), max_size=4),
    troubles=st.dictionaries(
        st.tuples(st.sampled_from("abc"), st.integers(1, 5)),
        st.sampled_from(["poison", "missing"]),
        max_size=3,
    ),
)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_the_same_state_comes_out(
    story: Story,
    delivered: tuple[dict[str, int], list[tuple[str, int]]],
    cuts: set[int],
    troubles: dict[tuple[str, int], str],
) -> None:
    lengths, order = delivered
    name = f"{next(_EXAMPLE)}-"
    bodies: dict[tuple[str, int], Message] = {
        place: plain(name + place[0], place[1])[0] for place in order
    }
    story.poison = {(name + k, v) for (k, v), kind in troubles.items() if kind == "poison"}
    story.missing = {
        (name + k, v): "later" for (k, v), kind in troubles.items() if kind != "poison"
    }
    for index, place in enumerate(order):
        await story.publish(bodies[place])
        if index in cuts:
            await story.consumer.drain()
    await story.consumer.drain()
    for key, length in lengths.items():
        first_trouble = min(
            (v for k, v in troubles if k == key and v <= length), default=length + 1
        )
        assert await story.seen(name + key) == list(range(1, first_trouble))

    story.poison, story.missing = set(), {}
    await story.consumer.drain()
    for key, length in lengths.items():
        while (await story.status(name + key))[1] is not None:
            try:
                await story.consumer.replay(PLAN, name + key)
            except ReplayStopped as stopped:
                raise AssertionError("nothing stands in its way any more") from stopped
        assert await story.seen(name + key) == list(range(1, length + 1))
        assert await story.aside(name + key) == []
