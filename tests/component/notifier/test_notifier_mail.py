"""Mail through a real SMTP server: taken, put off, refused, unreachable, and a sender that dies."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select

from dealreg_notifier.channels import registry
from dealreg_notifier.channels.port import Outbound, Outcome, Refused
from dealreg_notifier.deliveries import Claimed
from dealreg_notifier.tables import delivery
from dealreg_shared.contracts.people import PersonUpdated
from tests.factories import notifier as make
from tests.factories import notifier_world as stage
from tests.factories.notifier import MANAGER
from tests.factories.notifier_mail import LEASE, PinBoard, deliveries, mail_world, open_case
from tests.factories.notifier_world import MailServer, World


@pytest.fixture
async def world(tmp_path: Path, mail: MailServer) -> AsyncIterator[World]:
    async with mail_world(tmp_path, mail) as made:
        yield made


async def claim(world: World) -> Sequence[Claimed]:
    """What a sender would send now."""
    postman = world.service.extras["postman"]
    work = partial(postman.claim, postman.channels["email"], 100)
    claimed: Sequence[Claimed] = (await world.service.database.write(work))[0]
    return claimed


async def test_a_mail_has_both_parts_and_names_its_reader(world: World, mail: MailServer) -> None:
    await open_case(world)
    (message,) = mail.to(MANAGER)
    assert message["To"] == "Mia Example <mia@example.com>"
    assert message["From"] == "Partner desk <desk@example.org>"
    assert str(message["Subject"]).startswith("Decide by 2 Mar 2026 13:00 UTC (08:00 EST)")
    assert message["Auto-Submitted"] == "auto-generated"
    text, html = message.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert "Hello Mia Example," in text.get_content()
    assert html.get_content_type() == "text/html"
    assert "Hello Mia Example," in html.get_content()
    delivered = [d for d in await deliveries(world, state="delivered") if d["recipient"] == MANAGER]
    assert [delivery["attempts"] for delivery in delivered] == [1]


async def test_every_contact_of_a_partner_is_written_to(world: World, mail: MailServer) -> None:
    second = make.person("arne", "partner_contact", partner_id="acme")
    await world.others.say("person.updated", second, "arne")
    await world.settle()
    await world.others.say("registration.filed", make.filed("reg_a", "acme"))
    await world.settle()
    assert len(mail.to("anna")) == len(mail.to("arne")) == 1
    assert mail.to("rob") == []


async def test_a_451_is_tried_again_with_the_same_message_id(
    world: World, mail: MailServer
) -> None:
    mail.answers = ["451 4.7.1 greylisted, try later"]
    await world.others.say("conflict.opened", make.opened(claims=()))
    await world.settle()
    (waiting,) = await deliveries(world, state="pending")
    assert (waiting["recipient"], waiting["attempts"]) == (MANAGER, 1)
    assert waiting["error"].startswith("SMTP 451")
    await world.at(timedelta(seconds=29))
    assert mail.to(MANAGER) == []
    await world.at(timedelta(seconds=30))
    (message,) = mail.to(MANAGER)
    assert message["Message-ID"] == f"<{waiting['id']}@example.org>"
    await world.at(timedelta(hours=1))
    assert len(mail.to(MANAGER)) == 1


async def test_a_550_is_put_aside_at_once_shown_and_replayed(
    world: World, mail: MailServer
) -> None:
    mail.answers = ["550 5.1.1 <mia@example.com> no such user"]
    await world.others.say("conflict.opened", make.opened(claims=()))
    await world.settle()
    (dead,) = await deliveries(world, state="dead")
    assert dead["recipient"] == MANAGER
    assert dead["attempts"] == 1
    assert "SMTP 550" in dead["error"]
    assert "mia@example.com" not in dead["error"]
    failed = [e for e in await world.events() if e.type == "dealreg.notification.failed.v1"]
    assert [(e.data.recipient_id, e.data.attempts, e.data.channel) for e in failed] == [
        (MANAGER, 1, "email")
    ]
    assert "no such user" not in failed[0].data.error
    await world.at(timedelta(days=2))
    assert f"<{dead['id']}@example.org>" not in [m["Message-ID"] for m in mail.messages]

    admin = await world.others.key("admin")
    await world.settle()
    answer = await world.http.post(f"/v1/deliveries/{dead['id']}/replay", headers=admin)
    assert (answer.status_code, answer.json()["state"]) == (200, "pending")
    await world.settle()
    assert f"<{dead['id']}@example.org>" in [m["Message-ID"] for m in mail.messages]
    (done,) = [d for d in await deliveries(world, state="delivered") if d["id"] == dead["id"]]
    assert done["attempts"] == 2  # counted on, so that an older sender cannot record anything
    again = await world.http.post(f"/v1/deliveries/{dead['id']}/replay", headers=admin)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/delivery-not-dead")


async def test_an_unreachable_server_is_retried_until_the_attempts_are_spent(
    tmp_path: Path,
) -> None:
    async with stage.mail_server() as gone:
        settings = stage.mail_settings(gone)
    async with stage.world(tmp_path, **settings, notifier_delivery_attempts=3) as world:
        await world.others.people()
        await world.others.plan()
        await world.others.say(
            "conflict.opened", make.opened(claims=(), people=(MANAGER, None, None))
        )
        await world.settle()
        mine = [d for d in await deliveries(world) if d["recipient"] == MANAGER]
        assert [(d["state"], d["attempts"]) for d in mine] == [("pending", 1)]
        assert "cannot be reached" in mine[0]["error"]
        await world.at(timedelta(seconds=30))
        await world.at(timedelta(seconds=90))
        mine = [d for d in await deliveries(world) if d["recipient"] == MANAGER]
        assert [(d["state"], d["attempts"]) for d in mine] == [("dead", 3)]
        headers = await world.others.key("partner_manager", person_id=MANAGER)
        await world.settle()
        assert len(await world.inbox(headers)) == 1


async def test_a_sender_that_dies_after_sending_sends_again_with_the_same_id(
    world: World, mail: MailServer
) -> None:
    """Killed between the server's 250 and the record: nothing is written, the lease runs out."""
    taken, answered = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        taken.set()
        await answered.wait()

    mail.after_taking = hold
    await world.others.say("conflict.opened", make.opened(claims=()))
    while await world.service.drain():
        pass
    sending = asyncio.create_task(world.service.extras["postman"].deliver_due())
    await taken.wait()
    sending.cancel()
    answered.set()
    with pytest.raises(asyncio.CancelledError):
        await sending
    mail.after_taking = None
    (lost,) = await deliveries(world, state="sending")
    assert (lost["recipient"], lost["attempts"]) == (MANAGER, 1)
    await world.at(LEASE - timedelta(seconds=1))
    assert len(mail.to(MANAGER)) == 1
    await world.at(LEASE)
    first, second = mail.to(MANAGER)
    assert first["Message-ID"] == second["Message-ID"] == f"<{lost['id']}@example.org>"
    (done,) = [d for d in await deliveries(world, state="delivered") if d["id"] == lost["id"]]
    assert done["attempts"] == 2


async def test_a_sender_that_is_alive_keeps_its_deliveries_beyond_their_lease(
    world: World, mail: MailServer
) -> None:
    postman = replace(world.service.extras["postman"], lease=timedelta(seconds=0.3))
    taken, answered = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        taken.set()
        await answered.wait()

    mail.after_taking = hold
    await world.others.say("conflict.opened", make.opened(claims=()))
    while await world.service.drain():
        pass
    sending = asyncio.create_task(postman.deliver_due())
    await taken.wait()
    world.clock.at += LEASE
    until = select(func.max(delivery.c.due_at)).where(delivery.c.state == "sending")
    while (
        await world.service.database.read(lambda conn: conn.execute(until).scalar_one())
        <= world.clock.at
    ):
        await asyncio.sleep(0.01)
    assert await postman.deliver_due() == 0
    answered.set()
    assert await sending == 1
    assert len(mail.to(MANAGER)) == 1


async def test_a_result_that_comes_after_the_lease_is_not_written(
    world: World, mail: MailServer
) -> None:
    await world.others.say("conflict.opened", make.opened(claims=()))
    while await world.service.drain():
        pass
    postman = world.service.extras["postman"]
    (stale,) = await claim(world)
    await world.at(LEASE)
    assert len(mail.to(MANAGER)) == 1
    await world.service.database.write(
        lambda conn: postman.record(conn, [(stale, Refused("too late"))])
    )
    (done,) = [d for d in await deliveries(world) if d["id"] == stale.delivery_id]
    assert (done["state"], done["attempts"], done["error"]) == ("delivered", 2, None)


async def test_a_delivery_whose_senders_always_die_is_put_aside(
    world: World, mail: MailServer
) -> None:
    await world.others.say("conflict.opened", make.opened(claims=()))
    while await world.service.drain():
        pass
    for attempt in range(4):
        world.clock.to(attempt * LEASE)
        (claimed,) = await claim(world)
        assert claimed.attempt == attempt + 1
    await world.at(4 * LEASE)
    assert mail.to(MANAGER) == []
    (dead,) = await deliveries(world, state="dead")
    assert dead["error"] == "no attempt came to an end"


async def test_a_recipient_that_the_server_refuses_is_put_aside(
    world: World, mail: MailServer
) -> None:
    mail.refused = {"mia@example.com"}
    await open_case(world)
    (dead,) = await deliveries(world, state="dead")
    assert dead["error"].startswith("SMTP 550")
    assert "mia@" not in dead["error"]
    assert len(mail.to("anna")) == len(mail.to("rob")) == 1


async def test_a_login_that_fails_is_our_fault_and_is_tried_again(tmp_path: Path) -> None:
    async with stage.mail_server({b"desk": b"right"}) as server:
        settings = {**stage.mail_settings(server), "notifier_smtp_user": "desk"}
        for password, state in (("wrong", "pending"), ("right", "delivered")):
            async with stage.world(tmp_path, **settings, notifier_smtp_password=password) as world:
                if password == "wrong":
                    await world.others.people()
                    await world.others.plan(partners=[])
                    await world.others.say("conflict.opened", make.opened(claims=()))
                await world.at(timedelta(minutes=0 if password == "wrong" else 1))
                (delivery,) = await deliveries(world)
                assert delivery["state"] == state, delivery
                if state == "pending":
                    assert delivery["error"] == "SMTP 535: the mail server refused our login"


async def test_a_name_cannot_add_a_header_and_letters_beyond_ascii_arrive(
    world: World, mail: MailServer
) -> None:
    someone = PersonUpdated(
        person_id=MANAGER,
        name="Zoë\r\nBcc: all@example.com",
        email="zoe@münchen.example",
        roles=("partner_manager",),
    )
    await world.others.say("person.updated", someone, MANAGER)
    await world.others.say("conflict.opened", make.opened(claims=(), account_name="Łódź\r\nX: 1"))
    await world.settle()
    (message,) = mail.messages
    assert message["Bcc"] is None
    assert message["X"] is None
    assert str(message["Subject"]).endswith("conflict on Łódź X: 1")
    assert "Zoë Bcc: all@example.com" in str(message["To"])
    assert "zoe@xn--mnchen-3ya.example" in str(message["To"])


async def test_an_address_that_no_server_takes_is_put_aside(world: World, mail: MailServer) -> None:
    someone = PersonUpdated(
        person_id=MANAGER, name="Zoë", email="zoë@example.com", roles=("partner_manager",)
    )
    await world.others.say("person.updated", someone, MANAGER)
    await open_case(world)
    (dead,) = await deliveries(world, state="dead")
    assert dead["error"] == "the address has letters that mail servers do not take"
    assert len(mail.to("anna")) == 1


async def test_a_channel_that_breaks_down_holds_up_nobody(
    tmp_path: Path, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(PinBoard):
        async def send(self, outbound: Outbound) -> Outcome:
            raise RuntimeError("a fault of the channel's own")

    builders = (*registry.BUILDERS, lambda _settings, _outbound: Broken())
    monkeypatch.setattr(registry, "BUILDERS", builders)
    async with stage.world(tmp_path, **stage.mail_settings(mail)) as world:
        await world.others.people()
        await world.others.plan()
        await open_case(world)
        (waiting,) = await deliveries(world, state="pending")
        assert waiting["error"] == "the channel failed (RuntimeError)"
        assert len(mail.to(MANAGER)) == 1
