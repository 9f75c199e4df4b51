"""What ``channels/port.py`` promises, kept by every channel in the registry, against real servers."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest

from dealreg_notifier.channels import registry
from dealreg_notifier.channels.port import Delivered, Outcome, Refused, Retry
from dealreg_notifier.settings import NotifierSettings
from dealreg_shared.outbound import OutboundClient
from tests.contract.channels.rigs import (
    ADDRESS,
    OWN_WORDS,
    TOKEN,
    Rig,
    email_rig,
    http_rig,
    outbound,
)

RIGS = ("email", "slack", "teams", "webhook")
_numbers = count(1)


@pytest.fixture(params=RIGS)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    made = email_rig() if request.param == "email" else http_rig(request.param)
    async with made as ready:
        yield ready


async def send(rig: Rig, delivery_id: str) -> Outcome:
    async with rig.channel.session() as sender:
        return await sender.send(outbound(delivery_id, rig.place))


def new_id() -> str:
    return f"dlv_{next(_numbers):08}"


def tells_nobody(outcome: Outcome) -> None:
    """What may be published names neither the person nor the place."""
    assert isinstance(outcome, Retry | Refused)
    for secret in (ADDRESS, "Mia", TOKEN, OWN_WORDS, "127.0.0.1"):
        assert secret not in outcome.error
    for secret in (ADDRESS, TOKEN):
        assert secret not in outcome.detail


def test_every_channel_of_the_registry_is_tried_here() -> None:
    settings = NotifierSettings(
        notifier_smtp_host="localhost", notifier_smtp_from="Desk <desk@example.org>"
    )
    assert sorted(registry.channels(settings, OutboundClient())) == list(RIGS)


async def test_a_message_is_delivered_with_its_id(rig: Rig) -> None:
    rig.well()
    first, second = new_id(), new_id()
    async with rig.channel.session() as sender:
        for delivery_id in (first, second):
            outcome = await sender.send(outbound(delivery_id, rig.place))
            assert isinstance(outcome, Delivered)
    assert rig.ids() == [first, second]


async def test_a_busy_server_is_tried_again(rig: Rig) -> None:
    rig.busy()
    outcome = await send(rig, new_id())
    assert isinstance(outcome, Retry)
    tells_nobody(outcome)
    rig.well()
    assert isinstance(await send(rig, new_id()), Delivered)


async def test_a_final_refusal_is_final_and_says_that_the_address_is_no_good(rig: Rig) -> None:
    rig.final()
    outcome = await send(rig, new_id())
    assert isinstance(outcome, Refused)
    assert outcome.gone
    tells_nobody(outcome)


async def test_after_a_failure_the_same_session_goes_on(rig: Rig) -> None:
    async with rig.channel.session() as sender:
        for failing in (rig.busy, rig.final, rig.garbled):
            failing()
            await sender.send(outbound(new_id(), rig.place))
            rig.well()
            assert isinstance(await sender.send(outbound(new_id(), rig.place)), Delivered)


async def test_an_unknown_outcome_is_sent_again_with_the_same_id(rig: Rig) -> None:
    """It was taken, and no answer came."""
    delivery_id = new_id()
    rig.silent()
    outcome = await send(rig, delivery_id)
    assert isinstance(outcome, Retry)
    tells_nobody(outcome)
    rig.well()
    assert isinstance(await send(rig, delivery_id), Delivered)
    assert rig.ids() == [delivery_id, delivery_id]


async def test_nonsense_is_no_answer(rig: Rig) -> None:
    rig.garbled()
    outcome = await send(rig, new_id())
    assert isinstance(outcome, Retry)
    tells_nobody(outcome)


async def test_a_cancelled_sending_lets_go(rig: Rig) -> None:
    rig.silent()
    sending = asyncio.create_task(send(rig, delivery_id := new_id()))
    while delivery_id not in rig.ids():
        await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    rig.well()
    assert isinstance(await send(rig, new_id()), Delivered)


async def test_nobody_is_named_in_the_logs(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    for behave in (rig.busy, rig.final, rig.garbled, rig.silent, rig.well):
        behave()
        await send(rig, new_id())
    said = capsys.readouterr()
    for secret in (ADDRESS, TOKEN, OWN_WORDS, "Mia"):
        assert secret not in said.out + said.err


async def test_its_schedule_ends_and_it_says_how_it_wants_to_be_used(rig: Rig) -> None:
    channel = rig.channel
    assert channel.name in RIGS
    assert channel.schedule.pause_after(channel.schedule.attempts) is None
    assert channel.schedule.pause_after(1) is not None
    assert channel.places == (rig.place is not None)
    assert not (channel.private and channel.places)
    assert TOKEN not in repr(outbound("dlv_1", rig.place))
