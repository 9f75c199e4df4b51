"""Writes closings.csv: when each deal of the stream was won or lost.

The only facts taken from registrations_truth.csv are the event id, the outcome and its time: what a CRM
would report later. Run it from anywhere: ``python examples/stream/make_closings.py``.
"""

import csv
from pathlib import Path

HERE = Path(__file__).resolve().parent


def closings(truth: Path) -> list[tuple[str, str, str]]:
    """(event_id, outcome, closed_at) of every deal that closed, in order of time, then of event id."""
    with truth.open(encoding="utf-8", newline="") as file:
        rows = [
            (row["event_id"], row["outcome"], row["closed_at"])
            for row in csv.DictReader(file)
            if row["outcome"]
        ]
    return sorted(rows, key=lambda row: (row[2], row[0]))


def main() -> None:
    with (HERE / "closings.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("event_id", "outcome", "closed_at"))
        writer.writerows(closings(HERE / "registrations_truth.csv"))


if __name__ == "__main__":
    main()
