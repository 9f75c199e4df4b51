"""One programme in which everything has happened that could tell partners of each other."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from dealreg_devstack import Postgres
from tests.factories.rivals import Rivals, rivals


@pytest.fixture(scope="session")
async def met(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rivals]:
    async with rivals(tmp_path_factory.mktemp("rivals")) as it:
        await _story(it)
        yield it


@pytest.fixture(scope="session")
async def met_on_postgres(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: Postgres
) -> AsyncIterator[Rivals]:
    """The same on PostgreSQL."""
    names = {
        name: f"{name}_{uuid4().hex[:12]}" for name in ("registration", "coverage", "notifier")
    }
    databases = {
        name: postgres_server.create_database(database, database)
        for name, database in names.items()
    }
    async with rivals(tmp_path_factory.mktemp("rivals"), databases) as it:
        await _story(it)
        yield it
    for database in names.values():
        postgres_server.drop_database(database, database)


async def _story(it: Rivals) -> None:
    # Contested and undecided, with a third, and a question to one side.
    await it.file("alderline", 1)
    asked = await it.file("birchcore", 1)
    await it.file("elmstack", 1)
    case = await it.newest_case()
    await it.act(
        "quill-manager",
        f"/v1/conflicts/{case['id']}/request-info",
        version=case["version"],
        registration_id=asked["id"],
        question="When did you first meet them?",
    )
    await it.act(
        "quill-manager",
        f"/v1/registrations/{asked['id']}/request-info",
        question="Which SKU exactly?",
    )
    # Settled as a co-sell.
    await it.file("elmstack", 2)
    await it.file("pinegate", 2)
    case = await it.newest_case()
    lead, co_holder = (claim["id"] for claim in case["claims"])
    await it.decide("quill-manager", case, ruling="co_sell", claim=lead, co_holders=[co_holder])
    # Awarded to the second, and appealed by the first.
    first = await it.file("alderline", 3)
    await it.file("birchcore", 3)
    case = await it.newest_case()
    await it.decide("quill-manager", case, ruling="award", claim=case["claims"][1]["id"])
    await it.act(
        "alderline",
        f"/v1/registrations/{first['id']}/appeal",
        text="We were first.",
        evidence=["an order"],
    )
    await it.newest_case()
    # Referred, and taken up without consent; referred, and not answered yet.
    for number in (4, 5):
        await it.file("cedarium", number)
    for referral in (await it.ok("alderline", "GET", "/v1/referrals"))["items"]:
        if referral["account"]["name"].startswith("Harbor 4"):
            await it.act(
                "alderline",
                f"/v1/referrals/{referral['id']}/accept",
                amount={"amount": "4141.41", "currency": "USD"},
                close_date="2035-05-05",
            )
    # Lost, and offered to who waited.
    lost = await it.file("alderline", 6)
    await it.file("birchcore", 6)
    await it.newest_case()
    await it.act("alderline", f"/v1/registrations/{lost['id']}/lose")
    # Perhaps the same customer: the keys name two accounts.
    await it.file("alderline", 7)
    await it.file(
        "birchcore",
        8,
        account={"domain": "harbor8.com", "external_ids": [{"issuer": "DUNS", "value": "88"}]},
    )
    await it.file(
        "pinegate",
        9,
        account={"domain": "harbor7.com", "external_ids": [{"issuer": "DUNS", "value": "88"}]},
    )
    await it.newest_case()
    await it.look_back()
    # Expired and promoted, with reminders on the way.
    await it.later(days=61)
    await it.later(days=40)
    await it.look_back()
