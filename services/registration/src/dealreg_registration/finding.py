"""Which accounts a batch of commands is for: found by id, registration, case or key, or made.

Works on the account writer's connection. Must not decide anything about claims and must not commit.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from dealreg_registration import case_store, store
from dealreg_registration.commands import Command
from dealreg_registration.domain.account import Account
from dealreg_registration.domain.facts import first
from dealreg_registration.domain.identity import Resolution, resolve
from dealreg_registration.looking import Known
from dealreg_shared.ids import new_id


class Raced(Exception):
    """What was found before the locks has changed: another process was faster. Look again."""


def new_account(command: Command, account_id: str, now: datetime) -> store.Loaded:
    target = command.target
    known, sources = first(target.facts, target.said_by)
    return store.Loaded(
        account=Account(
            id=account_id, name=target.name, facts=known, sources=sources, keys=frozenset()
        ),
        event_version=0,
        created_at=now,
        is_new=True,
    )


class Found(NamedTuple):
    """Each command's account and how it was found, in order of arrival; the new accounts' ids; and the
    keys to claim, each with the account that it is for."""

    targets: list[str | None]
    resolutions: list[Resolution | None]
    made: set[str]
    claims: dict[str, str]


def find_accounts(conn: Connection, commands: Sequence[Command], known: Known) -> Found:
    """Find or make the commands' accounts; unknown keys are to be claimed for new ones."""
    holder_of, keys_of = dict(known.holder_of), known.keys_of
    by_registration = store.account_of(
        conn, {c.target.registration_id for c in commands if c.target.registration_id is not None}
    )
    by_case = case_store.account_of_case(
        conn, {c.target.conflict_id for c in commands if c.target.conflict_id is not None}
    )
    wanted: dict[str, str] = {}
    made: set[str] = set()
    targets: list[str | None] = []
    resolutions: list[Resolution | None] = []
    for command in commands:
        target = command.target
        if target.registration_id is not None:
            targets.append(by_registration.get(target.registration_id))
            resolutions.append(None)
            continue
        if target.conflict_id is not None:
            targets.append(by_case.get(target.conflict_id))
            resolutions.append(None)
            continue
        if target.account_id is not None:
            targets.append(target.account_id)
            resolutions.append(None)
            continue
        resolution = resolve(target.keys, holder_of, keys_of)
        account_id = resolution.account_id
        if account_id is None:
            account_id = new_id("acc")
            made.add(account_id)
        for key in resolution.attach:
            wanted[key] = holder_of[key] = account_id
            keys_of.setdefault(account_id, set()).add(key)
        targets.append(account_id)
        resolutions.append(resolution)
    return Found(targets, resolutions, made, wanted)


def also(resolutions: Sequence[Resolution | None]) -> set[str]:
    """The second accounts that filings' keys name."""
    return {r.also for r in resolutions if r is not None and r.also is not None}


def to_lock(
    conn: Connection,
    commands: Sequence[Command],
    targets: Sequence[str | None],
    resolutions: Sequence[Resolution | None],
) -> set[str]:
    """The commands' accounts, the parents they name, as writing a parent's id locks its row too, second
    accounts, so that a pair is suspected once, and a merged account's subsidiaries."""
    named = {target for target in targets if target is not None} | also(resolutions)
    named |= {c.target.parent_id for c in commands if c.target.parent_id is not None}
    merged = _merged(commands)
    return named | merged | store.children_of(conn, merged)


def _merged(commands: Sequence[Command]) -> set[str]:
    return {c.target.merged_id for c in commands if c.target.merged_id is not None}


def children_of(merged_id: str, survivor_id: str, loaded: dict[str, store.Loaded]) -> list[Account]:
    """The subsidiaries of an account that is merged, but for the one that it is merged into."""
    return [
        item.account
        for _, item in sorted(loaded.items())
        if item.account.parent_id == merged_id and item.account.id != survivor_id
    ]


def check_children(conn: Connection, commands: Sequence[Command], rows: Sequence[Any]) -> None:
    """Whoever names a parent locks it, so after the locks a merged account gets no further subsidiary.
    Raises ``Raced`` if it got one just before."""
    if not store.children_of(conn, _merged(commands)) <= {row.id for row in rows}:
        raise Raced


def whole(commands: Sequence[Command], targets: Sequence[str | None]) -> set[str]:
    """Accounts of which every claim is read: a case is worked on, a deal is won, two are merged."""
    found: set[str | None] = set()
    for command, target in zip(commands, targets, strict=True):
        if command.target.conflict_id is not None or command.target.whole:
            found.add(target)
        if command.target.merged_id is not None:
            found |= {target, command.target.merged_id}
    return {account_id for account_id in found if account_id is not None}


def check_not_merged(
    commands: Sequence[Command],
    targets: Sequence[str | None],
    resolutions: Sequence[Resolution | None],
    rows: Sequence[Any],
) -> None:
    """What was found before the locks may have been merged meanwhile. Raises ``Raced``; what the caller
    itself named is refused with its command."""
    merged = {row.id for row in rows if row.merged_into is not None}
    if not merged.isdisjoint(also(resolutions)):
        raise Raced
    for command, target in zip(commands, targets, strict=True):
        named = {command.target.account_id, command.target.parent_id} & merged
        if not named and target in merged:
            raise Raced


def parent_keys_of(command: Command, loaded: dict[str, store.Loaded]) -> frozenset[str]:
    parent = loaded.get(command.target.parent_id or "")
    return frozenset() if parent is None else parent.account.keys


def renewed(
    commands: Sequence[Command], targets: Sequence[str | None], loaded: dict[str, store.Loaded]
) -> set[str]:
    """Known accounts on which a renewal may be decided: it is filed now, or was and is decided again."""
    filed = {
        target for c, target in zip(commands, targets, strict=True) if target and c.target.renewal
    }
    return {
        account_id
        for account_id, item in loaded.items()
        if account_id in filed
        or any(r.deal_type == "renewal" for r in item.account.registrations.values())
    }


def check_unchanged(
    commands: Collection[Command],
    resolutions: Sequence[Resolution | None],
    loaded: dict[str, store.Loaded],
) -> None:
    """What was resolved before the locks must still hold after them."""
    for command, resolution in zip(commands, resolutions, strict=True):
        if resolution is None or resolution.account_id not in loaded:
            continue
        held = loaded[resolution.account_id].account.keys
        again = resolve(
            command.target.keys,
            dict.fromkeys(held & set(command.target.keys), resolution.account_id),
            {resolution.account_id: held},
        )
        if again.account_id != resolution.account_id:
            raise Raced
