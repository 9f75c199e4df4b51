"""Keys of links travel from notifier to registration: made, rotated, taken back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx

from dealreg_notifier.app import build as build_notifier
from dealreg_notifier.settings import NotifierSettings
from dealreg_notifier.signing import Keyring
from dealreg_registration.app import build as build_registration
from dealreg_registration.link_keys import usable
from dealreg_registration.settings import RegistrationSettings
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.links import bytes_of
from dealreg_shared.runtime import Service
from tests.factories.registration_service import START, Clock

DAY = timedelta(days=1)


@asynccontextmanager
async def both(folder: Path) -> AsyncIterator[tuple[Service, Service]]:
    bus = EmbeddedBus(folder / "bus.db")
    notifier = build_notifier(NotifierSettings(data_dir=folder), bus=bus, now=Clock())
    registration = build_registration(RegistrationSettings(data_dir=folder), bus=bus, now=Clock())
    await notifier.migrate()
    await registration.migrate()
    async with notifier.open(), registration.open():
        yield notifier, registration
    await bus.close()


async def known(notifier: Service, registration: Service, later: timedelta) -> dict[str, bytes]:
    while await notifier.drain() or await registration.drain():
        pass
    return await registration.database.read(lambda conn: usable(conn, START + later))


async def test_what_notifier_signs_with_registration_can_check(tmp_path: Path) -> None:
    async with both(tmp_path) as (notifier, registration):
        first = await known(notifier, registration, timedelta())
        (key_id,) = first
        ring: Keyring = notifier.extras["keyring"]
        await notifier.database.write(lambda conn: ring.rotate(conn, START))
        after = await known(notifier, registration, timedelta())
        assert after[key_id] == first[key_id]
        assert len(after) == 2
        assert key_id not in await known(notifier, registration, DAY)
        await notifier.database.write(lambda conn: ring.rotate(conn, START, revoke=True))
        (last,) = await known(notifier, registration, timedelta())
        assert last not in after


async def test_the_keys_on_the_topic_are_those_at_the_well_known_address(tmp_path: Path) -> None:
    async with both(tmp_path) as (notifier, registration):
        transport = httpx.ASGITransport(app=notifier.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://notifier") as http:
            shown = (await http.get("/.well-known/dealreg-keys.json")).json()["keys"]
        assert {key["kid"]: bytes_of(key["x"]) for key in shown} == await known(
            notifier, registration, timedelta()
        )
