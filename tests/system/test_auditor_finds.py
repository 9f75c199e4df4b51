"""Every fault that the auditor is there for is planted, and named. One installation takes all of them,
one after the other, each on a subject of its own."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from dealreg.auditor.report import AuditHealth
from dealreg_shared.bus.embedded import EmbeddedBus
from tests.factories.audit_faults import FAULTS, LONG_AGO, Fault
from tests.factories.audit_world import audit_world

pytestmark = pytest.mark.timeout(300)


@dataclass
class Told:
    """What the auditor said of a sound installation, and once everything was planted."""

    sound: AuditHealth
    broken: AuditHealth
    about: dict[str, str]


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.devstack)]
)
async def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Told]:
    folder = tmp_path_factory.mktemp("audited")
    bus = EmbeddedBus(folder / "bus.db")
    urls = None
    if request.param == "postgresql":
        name = f"audit_{secrets.token_hex(4)}"
        postgres = request.getfixturevalue("postgres_server")
        urls = {
            service: postgres.create_database(f"{name}_{service}", f"{name}_{service}")
            for service in ("registration", "coverage", "notifier")
        }
    async with audit_world(folder, bus, urls) as world:
        for number in range(14):
            await world.file("acme", f"account-{number}")
        for number in (10, 11, 12, 13):
            await world.file("techstart", f"account-{number}")
        await world.settle()
        await world.travel(seconds=LONG_AGO.total_seconds())
        await world.settle()
        sound = await world.audit()
        about = {fault.plant.__name__: await fault.plant(world) for fault in FAULTS}
        yield Told(sound, await world.audit(), about)
    await bus.close()


async def test_an_installation_without_a_fault_is_clean(told: Told) -> None:
    assert told.sound.findings == []
    assert told.sound.status == "clean"
    assert told.sound.last_clean_at is not None
    assert {check.state for check in told.sound.checks} == {"clean"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.plant.__name__)
async def test_the_fault_is_named(told: Told, fault: Fault) -> None:
    about = told.about[fault.plant.__name__]
    sentences = [
        finding.sentence
        for finding in told.broken.findings
        if finding.check == fault.check and about in finding.ids
    ]
    assert [sentence for sentence in sentences if fault.words in sentence], told.broken.findings
    assert told.broken.status == "findings"
    assert told.broken.last_clean_at == told.sound.last_clean_at


def test_every_check_has_its_fault(told: Told) -> None:
    elsewhere = {"heartbeats", "auditor"}  # tests/system/test_auditor_watches.py
    elsewhere |= {"log-lost"}  # tests/system/test_auditor_log_losses.py
    same = {"log-known", "applied"}  # one check, for each topic
    planted = {fault.check.split(":")[0] for fault in FAULTS}

    assert {check.check.split(":")[0] for check in told.sound.checks} == planted | elsewhere
    assert same <= planted
