"""Preferences as rows: kept per person, read when a notice is written, deleted with the person."""

from collections.abc import Collection, Mapping
from datetime import datetime, time
from typing import Any

from sqlalchemy import Connection, delete, update

from dealreg_notifier.domain.preferences import Digest, Preferences, QuietHours
from dealreg_notifier.tables import Fields, preference
from dealreg_shared.db.among import rows_among


def read(conn: Connection, person_ids: Collection[str]) -> dict[str, Preferences]:
    """What these people wish; who wishes nothing is left out."""
    if not person_ids:
        return {}
    rows = rows_among(conn, preference.c.person_id, person_ids).mappings()
    return {row["person_id"]: _of(row) for row in rows}


def put(conn: Connection, person_id: str, wished: Preferences, now: datetime) -> None:
    """Replace everything that this person wished before."""
    values = {**_row(wished), "updated_at": now}
    mine = preference.c.person_id == person_id
    if not conn.execute(update(preference).where(mine).values(values)).rowcount:
        conn.execute(preference.insert().values(person_id=person_id, **values))


def forget(conn: Connection, person_id: str) -> None:
    """The person is erased."""
    conn.execute(delete(preference).where(preference.c.person_id == person_id))


def _row(wished: Preferences) -> dict[str, Any]:
    quiet, digest = wished.quiet_hours, wished.digest
    return {
        "channels": {name: sorted(channels) for name, channels in wished.channels.items()},
        "quiet_hours": None
        if quiet is None
        else {"zone": quiet.zone, "start": _text(quiet.start), "end": _text(quiet.end)},
        "digest": None
        if digest is None
        else {"zone": digest.zone, "at": _text(digest.at), "groups": sorted(digest.groups)},
        "language": wished.language,
    }


def _of(row: Fields) -> Preferences:
    quiet: Mapping[str, Any] | None = row["quiet_hours"]
    digest: Mapping[str, Any] | None = row["digest"]
    return Preferences(
        channels={name: frozenset(channels) for name, channels in row["channels"].items()},
        quiet_hours=None
        if quiet is None
        else QuietHours(
            quiet["zone"], time.fromisoformat(quiet["start"]), time.fromisoformat(quiet["end"])
        ),
        digest=None
        if digest is None
        else Digest(digest["zone"], time.fromisoformat(digest["at"]), frozenset(digest["groups"])),
        language=row["language"],
    )


def _text(value: time) -> str:
    return value.isoformat(timespec="minutes")
