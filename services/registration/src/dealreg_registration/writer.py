"""The account writer: the only code that writes an account's claims.

Every command on an account goes through here, one or hundreds in a batch: find the accounts, lock them
in sorted order, then read the clock (``locking.py``), settle and run each command in memory,
write everything in a few statements, commit once, answer everyone. What arrives while a batch commits
is the next batch (group commit); a batch of one is the same path, so there is one path to prove.
On PostgreSQL further batches may start meanwhile, on other accounts: they wait for the database while
one is decided.

A batch that fails in the database is run again one by one, so that a bad command fails alone.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError, IntegrityError

from dealreg_registration import case_store, store, store_rows
from dealreg_registration.batch import Batch
from dealreg_registration.commands import Answer, Command
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.errors import DomainError, NoPlanInForce
from dealreg_registration.domain.settle import next_due
from dealreg_registration.finding import (
    Raced,
    also,
    check_children,
    check_not_merged,
    check_unchanged,
    find_accounts,
    renewed,
    to_lock,
    whole,
)
from dealreg_registration.locking import hold
from dealreg_registration.looking import Known, first_look
from dealreg_registration.metadata import metadata
from dealreg_registration.precedent_reading import precedents_for
from dealreg_registration.programme import Programme, ProgrammeStale
from dealreg_registration.receipting import draft_of, sealed
from dealreg_registration.waiting import Waiting, next_batch, waiting_for
from dealreg_shared.contracts.catalogue import REGISTRATION
from dealreg_shared.crashpoint import crashpoint
from dealreg_shared.db import Database
from dealreg_shared.outbox import Outbox
from dealreg_shared.receipts import Signer
from dealreg_shared.telemetry import metrics
from dealreg_shared.web import idempotency
from dealreg_shared.web.problems import Problem

BATCHES = metrics.counter("dealreg_account_writer_batches", "Transactions committed.")
COMMANDS = metrics.counter("dealreg_account_writer_commands", "Commands committed.")
REFUSED = metrics.counter(
    "dealreg_account_writer_refused",
    "Transactions that the database refused. The locks keep this at 0 unless a command itself is bad.",
)

RACE_LIMIT = 8

IN_FLIGHT = {"sqlite": 1, "postgresql": 3}
"""Batches at once: one waits for its reads, one for its commit, one is decided; the third gave 2 to
8 %. SQLite has one writer."""

WORTH_A_BATCH = 8
"""Commands that must wait before another batch starts beside one: a batch has costs of its own."""


class AccountWriter:
    """One per process. ``signer`` gives what signs receipts now; ``committed`` is called after each
    commit, to wake the relay."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        programme: Programme,
        *,
        audit: Table,
        signer: Callable[[], Signer],
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self.programme = programme
        self._audit = audit
        self._signer = signer
        self._committed = committed
        self._waiting: list[Waiting] = []
        self._in_flight: dict[asyncio.Task[None], Sequence[Waiting]] = {}
        self._most = IN_FLIGHT[database.dialect]
        self._starting = False

    async def submit(self, command: Command) -> Answer:
        """Run a command and wait for its commit. Raises what the command or the database raised.

        The command is carried out even if the caller goes away meanwhile.
        """
        waiting = waiting_for(command)
        self._waiting.append(waiting)
        self._wake()
        return await waiting.answer

    async def submit_all(self, commands: Sequence[Command]) -> list[Answer]:
        """Submit together, so that they share batches."""
        return await asyncio.gather(*(self.submit(command) for command in commands))

    async def finish(self) -> None:
        """Wait until everything submitted is committed and answered."""
        while self._in_flight or self._waiting:
            if self._in_flight:
                await asyncio.wait(self._in_flight)
            else:
                await asyncio.sleep(0)

    def _wake(self) -> None:
        """Start a batch soon, of what is submitted by then, unless enough are in flight."""
        count = len(self._in_flight)
        if not self._starting and (
            (count < self._most and len(self._waiting) >= WORTH_A_BATCH)
            or (count == 0 and self._waiting)
        ):
            self._starting = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        self._starting = False
        busy = {mark for batch in self._in_flight.values() for it in batch for mark in it.marks}
        batch, self._waiting = next_batch(self._waiting, busy)
        if batch:
            task = asyncio.create_task(self._write(batch), name="account-writer")
            self._in_flight[task] = batch
            task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        del self._in_flight[task]
        self._wake()

    async def _write(self, batch: Sequence[Waiting]) -> None:
        try:
            answers = await self._commit([waiting.command for waiting in batch])
        except Exception as error:  # whatever it is, each caller is told of its own command's fault
            if isinstance(error, DBAPIError):
                REFUSED.inc()
            if len(batch) > 1:
                for waiting in batch:
                    await self._write([waiting])
            elif not batch[0].answer.done():
                batch[0].answer.set_exception(error)
            return
        crashpoint("writer.committed")
        BATCHES.inc()
        COMMANDS.inc(len(batch))
        self._committed()
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(answer, Answer):
                waiting.answer.set_result(answer)
            else:
                waiting.answer.set_exception(answer)
        crashpoint("writer.answered")

    async def _commit(self, commands: Sequence[Command]) -> list[Answer | Exception]:
        repeated = False
        for _ in range(RACE_LIMIT):
            try:
                return await self._database.write(lambda conn: self.batch(conn, commands))
            except Raced:
                continue
            except IntegrityError:
                # Another process may have carried out the same request while this one waited for the
                # account: its answer is there now.
                if repeated or len(commands) > 1 or commands[0].idempotency is None:
                    raise
                repeated = True
            except ProgrammeStale:
                await self.programme.refresh(self._database)
        raise Raced("the account's keys changed hands too often; try again")

    def batch(self, conn: Connection, commands: Sequence[Command]) -> list[Answer | Exception]:
        """One transaction: every command's answer, or the error that refused it alone."""
        known = first_look(conn, commands)
        answers = _stored_answers(known, commands)
        fresh = [command for index, command in enumerate(commands) if index not in answers]
        if fresh:
            decided = iter(self._decide(conn, fresh, known))
            for index in range(len(commands)):
                if index not in answers:
                    answers[index] = next(decided)
        return [answers[index] for index in range(len(commands))]

    def _decide(
        self, conn: Connection, commands: Sequence[Command], known: Known
    ) -> list[Answer | Exception]:
        targets, resolutions, made, claims = find_accounts(conn, commands, known)
        claimed, rows, version, now = hold(
            conn, claims, to_lock(conn, commands, targets, resolutions) - made
        )
        crashpoint("writer.locked")
        if not claimed:
            raise Raced
        check_not_merged(commands, targets, resolutions, rows)
        check_children(conn, commands, rows)
        book, standing = self.programme.at_version(version)
        if (plan := book.at(now)) is None:
            raise NoPlanInForce("No plan is in force yet; publish one first.")
        cases = {c.target.conflict_id for c in commands if c.target.conflict_id is not None}
        loaded = store.read_accounts(
            conn,
            rows,
            {c.target.registration_id for c in commands if c.target.registration_id is not None},
            case_ids=cases,
            whole=whole(commands, targets),
            expired_too=book.any_cooling_off,
        )
        check_unchanged(commands, resolutions, loaded)
        if renewals := renewed(commands, targets, loaded):
            store.read_incumbents(conn, loaded, renewals)
        persons = {
            c.actor.person_id
            for c in commands
            if c.target.conflict_id is not None or c.target.by_office
        }
        batch = Batch(
            book,
            Context(plan, standing, now),
            case_store.delegators(conn, {person for person in persons if person is not None}, now),
        )
        if drafts := [it for c in commands if (it := draft_of(c)) is not None]:
            batch.seals = sealed(drafts, plan.number, now, self._signer())
        batch.suspected = case_store.suspected_pairs(conn, also(resolutions))
        ruled = {c.target.conflict_id for c in commands if c.target.rules}
        batch.precedents = precedents_for(conn, {it for it in ruled if it is not None})
        answers: list[Answer | Exception] = []
        for command, account_id, resolution in zip(commands, targets, resolutions, strict=True):
            try:
                answer = batch.run(command, account_id, resolution, loaded)
            except DomainError as refusal:
                answers.append(refusal)
                continue
            answers.append(answer)
            if (key := command.idempotency) is not None:
                batch.new_rows.setdefault(idempotency.TABLE, []).append(
                    idempotency.row(
                        key.scope, key.key, key.request_hash, answer.status, answer.body, now
                    )
                )
        crashpoint("writer.decided")
        self._write_rows(conn, batch, loaded, now)
        return answers

    def _write_rows(
        self,
        conn: Connection,
        batch: Batch,
        loaded: dict[str, store.Loaded],
        now: datetime,
    ) -> None:
        touched = [loaded[account_id] for account_id in sorted(batch.touched)]
        events: list[dict[str, Any]] = []
        for item in touched:
            outgoing = batch.outgoing.get(item.account.id, [])
            events += self._outbox.rows(
                outgoing, now, {(REGISTRATION, item.account.id): item.event_version}
            )
            item.event_version += len(outgoing)
            item.next_due_at = next_due(item.account, batch.book, batch.context.standing)
        further = [(metadata.tables[name], rows) for name, rows in batch.new_rows.items()]
        further += [(self._audit, batch.audit), (self._outbox.tables.outbox, events)]
        merges = [(survivor, merged, moved.taken_at) for survivor, merged, moved in batch.merges]
        store_rows.write_accounts(conn, touched, batch.details, further, now, merges)
        store_rows.replace_contacts(conn, batch.replaced_contacts)
        crashpoint("writer.written")


def _stored_answers(known: Known, commands: Sequence[Command]) -> dict[int, Answer | Exception]:
    """The answers of commands that were carried out before, by their index."""
    answers: dict[int, Answer | Exception] = {}
    for index, command in enumerate(commands):
        key = command.idempotency
        if key is None or (row := known.stored.get((key.scope, key.key))) is None:
            continue
        answer = idempotency.StoredAnswer(row.status, bytes(row.body))
        try:
            idempotency.matching(row.salt, row.request_hash, key.request_hash, answer)
        except Problem as reused:
            answers[index] = reused
        else:
            answers[index] = Answer(answer.status, answer.body)
    return answers
