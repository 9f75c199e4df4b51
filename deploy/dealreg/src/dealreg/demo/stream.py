"""The data stream of ``examples/stream`` as events in order of time.

Reads registrations and closings, never the truth file: that is the parity comparison's alone.
"""

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from dealreg.registration_rows import body_of, columns_of


class StreamMissing(Exception):
    """The folder does not hold the stream."""


@dataclass(frozen=True, slots=True)
class Filing:
    """A partner files a registration. ``body`` is the API's."""

    at: datetime
    event_id: str
    partner_id: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Closing:
    """The deal of an earlier filing is won or lost."""

    at: datetime
    event_id: str
    partner_id: str
    outcome: Literal["won", "lost"]


def find(given: Path | None) -> Path:
    """The folder of the stream: the one given, else ``examples/stream`` below the working folder or of
    the checkout this program runs from. Raises ``StreamMissing``."""
    checkout = Path(__file__).resolve().parents[5]
    candidates = [given] if given else [Path("examples/stream"), checkout / "examples" / "stream"]
    for folder in candidates:
        if (folder / "registrations.csv").is_file():
            return folder
    raise StreamMissing(
        "The data stream is not here; run this in a checkout of the project, "
        "or name its examples/stream folder with --stream."
    )


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read(folder: Path) -> list[Filing | Closing]:
    """All events; at one instant filings come first, then by event id."""
    registrations = rows(folder, "registrations.csv")
    columns = columns_of(list(registrations[0]))
    filings = [
        Filing(_at(row["received_at"]), row["event_id"], row["partner_id"], body_of(row, columns))
        for row in registrations
    ]
    partner_of = {filing.event_id: filing.partner_id for filing in filings}
    closings = [
        Closing(
            _at(row["closed_at"]),
            row["event_id"],
            partner_of[row["event_id"]],
            "won" if row["outcome"] == "won" else "lost",
        )
        for row in rows(folder, "closings.csv")
    ]
    events: list[Filing | Closing] = [*filings, *closings]
    events.sort(key=lambda event: (event.at, isinstance(event, Closing), event.event_id))
    return events


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
