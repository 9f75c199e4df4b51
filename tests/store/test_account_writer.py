"""The account writer under contention, and batches with a bad command."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine

from dealreg_registration import tables
from dealreg_registration.app import make_database
from dealreg_registration.commands import Actor, Answer, IdempotencyKey, Target
from dealreg_registration.domain.facts import Band, Facts
from dealreg_registration.filing import Filing
from dealreg_registration.handlers.edit_account import EditAccount
from dealreg_registration.handlers.end_registration import EndRegistration
from dealreg_registration.handlers.file_registration import FileRegistration
from dealreg_registration.programme import Programme
from dealreg_registration.receipting import draft
from dealreg_registration.settings import RegistrationSettings
from dealreg_registration.writer import REFUSED, AccountWriter
from dealreg_shared.db import Database
from dealreg_shared.db.engine import utc_now
from dealreg_shared.ids import new_id
from dealreg_shared.outbox import Outbox
from tests.factories.migrated import migrated, postgres_url
from tests.factories.registration_service import PLAN, SIGNER, seed

SOMEBODY_WAITS = text("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")

PARTNERS = ("acme", "techstart", "fourth")


@dataclass
class Writers:
    """Several account writers, each with connections of its own, as processes have them."""

    databases: list[Database]
    writers: list[AccountWriter]

    async def file(self, number: int, domain: str, **changes: str) -> Answer:
        writer = self.writers[number % len(self.writers)]
        return await writer.submit(filing(PARTNERS[number % 3], domain, **changes))


def filing(partner_id: str, domain: str, receipt: str | None = None) -> FileRegistration:
    it = Filing(
        partner_id=partner_id,
        account_name="Customer Inc",
        facts=Facts(country="US"),
        product_lines=("platform",),
        amount=Decimal(1000),
        currency="USD",
        close_date=date(2100, 1, 1),
        domain=domain,
    )
    registration_id = new_id("reg")
    return FileRegistration(
        filing=it,
        target=Target(keys=it.keys(), name=it.account_name, facts=it.facts),
        actor=Actor(f"partner:{partner_id}", "partner", partner_id),
        registration_id=registration_id,
        receipt=replace(draft(registration_id), number=receipt or new_id("rcp")),
        correlation_id="test",
        idempotency=IdempotencyKey(partner_id, new_id("key"), "0"),
    )


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.devstack)])
async def writers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Writers]:
    async with AsyncExitStack() as stack:
        url = None
        if request.param == "postgresql":
            server = request.getfixturevalue("postgres_server")
            url = await stack.enter_async_context(postgres_url(server, "registration"))
        settings = RegistrationSettings(data_dir=tmp_path, registration_database_url=url)
        databases = []
        for _ in range(2):
            databases.append(make_database(settings))
            stack.push_async_callback(databases[-1].dispose)
        await migrated(databases[0], "registration")
        await databases[0].write(seed({}, PLAN, utc_now() - timedelta(days=1)))
        outbox = Outbox(tables.outbox, "/test", "default")
        yield Writers(
            databases,
            [
                AccountWriter(
                    database,
                    outbox,
                    Programme(),
                    audit=tables.audit,
                    signer=lambda: SIGNER,
                )
                for database in databases
            ],
        )


async def test_two_writers_give_each_line_one_holder_and_gapless_places(writers: Writers) -> None:
    clients, contenders, accounts = 10, 30, 10
    refused = REFUSED._value.get()

    async def client(first: int) -> None:
        """One after the other, so that batches of both writers keep meeting."""
        for n in range(first, contenders * accounts, clients):
            await writers.file(first, f"contended-{(n // 7) % accounts}.com")

    await asyncio.gather(*(client(first) for first in range(clients)))
    assert REFUSED._value.get() == refused, "the locks, not the index, keep the order"
    claim = tables.claim
    query = select(
        claim.c.account_id,
        func.count(),
        func.count(func.distinct(claim.c.place)),
        func.max(claim.c.place),
        func.sum(func.cast(claim.c.state == "protected", tables.claim.c.place.type)),
    ).group_by(claim.c.account_id)
    rows = await writers.databases[0].read(lambda conn: conn.execute(query).all())
    assert len(rows) == accounts
    assert sum(row[1] for row in rows) == contenders * accounts
    for _, claims, places, last_place, holders in rows:
        assert claims == places == last_place
        assert holders == 1
    outbox = tables.outbox.outbox
    versions = await writers.databases[0].read(
        lambda conn: conn.execute(
            select(outbox.c.key, outbox.c.version).order_by(outbox.c.id)
        ).all()
    )
    by_key: dict[str, list[int]] = {}
    for key, version in versions:
        by_key.setdefault(key, []).append(version)
    for found in by_key.values():
        assert found == list(range(1, len(found) + 1))


async def test_a_command_that_the_database_refuses_fails_alone(writers: Writers) -> None:
    await writers.writers[0].submit(filing("acme", "first.com", receipt="taken"))
    answers = await asyncio.gather(
        *(writers.writers[0].submit(filing("acme", f"good-{n}.com")) for n in range(5)),
        writers.writers[0].submit(filing("acme", "bad-one.com", receipt="taken")),
        *(writers.writers[0].submit(filing("acme", f"fine-{n}.com")) for n in range(5)),
        return_exceptions=True,
    )
    failed = [answer for answer in answers if isinstance(answer, BaseException)]
    assert [type(error) for error in failed] == [IntegrityError]
    stored = await writers.databases[0].read(
        lambda conn: conn.execute(select(func.count()).select_from(tables.registration)).scalar()
    )
    assert stored == 11
    keys = await writers.databases[0].read(
        lambda conn: conn.execute(select(tables.account_key.c.key)).scalars().all()
    )
    assert "domain:bad-one.com" not in keys


async def test_the_caller_may_go_away_and_the_command_is_carried_out(writers: Writers) -> None:
    command = filing("acme", "gone.com")
    caller = asyncio.create_task(writers.writers[0].submit(command))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await writers.writers[0].finish()
    end = EndRegistration("win", command.registration_id, command.actor, "test")
    assert (await writers.writers[1].submit(end)).status == 200


async def test_two_writers_racing_to_make_accounts_with_several_keys_do_not_deadlock(
    writers: Writers,
) -> None:
    """Each filing claims a domain and a name key; pairs overlap crosswise."""

    def crosswise(number: int) -> FileRegistration:
        command = filing("acme", f"cross-{number % 7}.com")
        keys = [f"domain:cross-{number % 7}.com", f"name1:cross {(number * 3) % 7}|US|94105"]
        return FileRegistration(
            **{
                name: getattr(command, name)
                for name in ("filing", "actor", "registration_id", "receipt")
            },
            target=Target(keys=keys, name="Cross", facts=Facts(country="US")),
            correlation_id="test",
        )

    answers = await asyncio.gather(
        *(writers.writers[n % 2].submit(crosswise(n)) for n in range(120))
    )
    assert {answer.status for answer in answers} == {201}


async def test_one_request_sent_to_two_writers_acts_once_and_both_get_its_answer(
    writers: Writers,
) -> None:
    await writers.file(0, "customer.com")
    for _ in range(10):
        first = filing("techstart", "customer.com")
        again = replace(filing("techstart", "customer.com"), idempotency=first.idempotency)
        answers = await asyncio.gather(
            writers.writers[0].submit(first), writers.writers[1].submit(again)
        )
        assert answers[0].body == answers[1].body

    table = tables.metadata.tables["registration"]
    query = select(func.count()).select_from(table)
    assert await writers.databases[0].read(lambda conn: conn.execute(query).scalar_one()) == 11


async def account_ids(writers: Writers, *domains: str) -> list[str]:
    """New accounts with these domains."""
    table = tables.metadata.tables["account_key"]
    for domain in domains:
        await writers.writers[0].submit(filing("acme", domain))
    rows = await writers.databases[0].read(lambda conn: conn.execute(select(table)).all())
    holder_of = {row.key: row.account_id for row in rows}
    return [holder_of[f"domain:{domain}"] for domain in domains]


async def test_of_two_edits_of_an_account_at_one_version_one_is_carried_out(
    writers: Writers,
) -> None:
    """In one batch, and in two processes."""
    [account_id] = await account_ids(writers, "edited.com")
    staff = Actor("it", "staff", role="admin")

    def edit(employees: int, version: int) -> EditAccount:
        facts = Facts(employees=Band(employees, employees))
        return EditAccount(account_id, staff, "test", facts, version=version)

    for version, second in ((1, 0), (2, 1)):
        outcomes = await asyncio.gather(
            writers.writers[0].submit(edit(5, version)),
            writers.writers[second].submit(edit(6, version)),
            return_exceptions=True,
        )
        assert sorted(type(outcome).__name__ for outcome in outcomes) == [
            "Answer",
            "VersionConflict",
        ]


async def test_a_filing_that_adds_nothing_to_an_account_leaves_its_version(
    writers: Writers,
) -> None:
    [account_id] = await account_ids(writers, "known.com")
    await writers.file(1, "known.com")
    edit = EditAccount(
        account_id, Actor("it", "staff", role="admin"), "test", Facts(sic="73"), version=1
    )
    assert (await writers.writers[0].submit(edit)).status == 200


async def test_two_writers_that_name_each_others_accounts_as_parents_do_not_deadlock(
    writers: Writers,
) -> None:
    first, second = await account_ids(writers, "one.com", "other.com")
    third, fourth = await account_ids(writers, "third.com", "fourth.com")
    refused = REFUSED._value.get()
    pairs = ((first, second), (second, first))
    for n in range(40):
        # The parent changes each time: only then does the database lock its row.
        others = (third, fourth) if n % 2 else (second, first)
        edits = [
            EditAccount(child, Actor("it", "staff", role="admin"), "test", parent_id=parent)
            for (child, _), parent in zip(pairs, others, strict=True)
        ]
        await asyncio.gather(
            *(w.submit(edit) for w, edit in zip(writers.writers, edits, strict=True))
        )
    assert REFUSED._value.get() == refused


# What another transaction may hold while a batch waits: the key to claim, the account that is
# there, of the programme while a plan is published.
WAITS = {
    "key": "INSERT INTO account_key (key, account_id) VALUES ('domain:{domain}', 'acc_other')",
    "account": "SELECT id FROM account FOR UPDATE",
    "programme": "SELECT version FROM programme_state FOR UPDATE",
}


@pytest.mark.parametrize("waits_for", WAITS)
@pytest.mark.parametrize("writers", ["postgresql"], indirect=True)
async def test_the_clock_is_read_when_the_last_lock_was_got(
    writers: Writers, waits_for: str
) -> None:
    await writers.file(0, "known.com")
    domain = "new.com" if waits_for == "key" else "known.com"
    engine = create_async_engine(writers.databases[1].url)
    async with engine.connect() as other:
        await other.execute(text(WAITS[waits_for].format(domain=domain)))
        filed = asyncio.create_task(writers.file(0, domain))
        while not (await other.execute(SOMEBODY_WAITS)).scalar_one():
            await asyncio.sleep(0.01)
        let_go = (await other.execute(text("SELECT app_now()"))).scalar_one()
        await other.rollback()
    answer = await filed
    await engine.dispose()
    assert datetime.fromisoformat(json.loads(answer.body)["filed_at"]) > let_go


async def test_accounts_that_are_known_and_new_are_taken_together(writers: Writers) -> None:
    await writers.file(0, "known.com")
    commands = [filing("acme", domain) for domain in ("new1.com", "known.com", "new2.com")]
    answers = await writers.writers[0].submit_all(commands)
    states = [json.loads(answer.body)["claims"][0]["state"] for answer in answers]
    assert [answer.status for answer in answers] == [201] * 3
    assert len(set(states)) == 2, states
