"""What a benchmark prints: tables, and the facts of the machine without which a figure says nothing."""

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version

Row = Mapping[str, str]


def table(rows: Sequence[Row]) -> str:
    """Rows of named cells as a Markdown table with even columns."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [columns, *([row.get(name, "") for name in columns] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    shown = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(shown)


def machine(postgres: str | None) -> str:
    """Processors, Python, PostgreSQL and the libraries on the measured path."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    libraries = ", ".join(
        f"{name} {version(name)}"
        for name in ("fastapi", "uvicorn", "pydantic", "sqlalchemy", "asyncpg")
    )
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), load average before the run {load}; "
        f"Python {platform.python_version()}; "
        + (f"PostgreSQL {postgres}, fsync on; " if postgres else "")
        + libraries
    )
