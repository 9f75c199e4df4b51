"""Runs servers as an ordinary user even when the caller is root.

PostgreSQL refuses to run as root, and nothing here needs to. Instead of opening root's folders
to the world, what the servers read is copied to folders of root's that everybody may read, and
what they write is given to an unprivileged user id. Nothing else changes its mode or owner.
"""

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TypedDict

from dealreg_devstack.errors import DevstackUnavailable

NOBODY = 65534


class DroppedPrivileges(TypedDict, total=False):
    """The arguments of `subprocess` functions that change the user of a child."""

    user: int
    group: int
    extra_groups: list[int]


def is_root() -> bool:
    """Whether this process may, and therefore must, drop its privileges for servers."""
    return os.geteuid() == 0


def dropped() -> DroppedPrivileges:
    """Arguments for `subprocess`: an unprivileged user when the caller is root, else nothing."""
    if not is_root():
        return {}
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def open_to_all(folder: Path) -> bool:
    """Whether any user may pass through `folder` and everything above it."""
    return all(part.stat().st_mode & stat.S_IXOTH for part in (folder, *folder.parents))


def temporary_root() -> Path:
    """The system's temporary folder, or one that other users can reach when we are root.

    Raises DevstackUnavailable when root has no such folder.
    """
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108  (a new folder is made in it)
    for candidate in candidates:
        folder = candidate.resolve()
        if folder.is_dir() and (not is_root() or open_to_all(folder)):
            return folder
    raise DevstackUnavailable(
        "No temporary folder that an unprivileged user can reach: set TMPDIR to one."
    )


def new_folder(prefix: str) -> Path:
    """A new temporary folder that the caller owns and a server can pass through."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=temporary_root()))
    folder.chmod(0o711 if is_root() else 0o700)
    return folder


def server_folder(folder: Path) -> Path:
    """Make `folder` if need be, for the servers to write in and closed to all others."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_root() and folder.stat().st_uid != NOBODY:
        os.chown(folder, NOBODY, NOBODY)
        folder.chmod(0o700)
    return folder


def require_reachable(folder: Path) -> None:
    """Raise DevstackUnavailable when a server without root's rights could not enter `folder`."""
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(0o711 if is_root() else 0o700)
    if is_root() and not open_to_all(folder.resolve()):
        raise DevstackUnavailable(
            f"The servers run without root's rights and cannot enter {folder}: "
            "name a folder that every user may pass through."
        )


def own_base() -> Path:
    """A lasting folder of the caller's own in the temporary folder, which servers can enter."""
    base = temporary_root() / f"dealreg-devstack-{os.geteuid()}"
    base.mkdir(mode=0o755, exist_ok=True)
    _require_own(base)
    base.chmod(0o755)
    return base


def shared_copy(name: str, sources: dict[str, Path]) -> Path:
    """A copy of `sources` (relative name -> file or folder) that every user may read.

    Only for root. Kept under `name`, which must change when the content does, and used again by
    the next start. A folder of that name that is not root's own is never trusted.
    """
    base = own_base()
    target = base / name
    if target.exists():
        _require_own(target)
        return target
    making = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=base))
    try:
        for relative, source in sources.items():
            place = making / relative
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, place, symlinks=True)
            else:
                shutil.copy2(source, place)
        _let_everybody_read(making)
        try:
            making.rename(target)
        except OSError:  # another process was faster; its copy is the same
            _require_own(target)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return target


def _require_own(folder: Path) -> None:
    status = folder.lstat()
    writable = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or writable:
        raise DevstackUnavailable(
            f"{folder} is not a folder that only this user can write: remove it and try again."
        )


def _let_everybody_read(top: Path) -> None:
    for path in (top, *top.rglob("*")):
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        executable = path.is_dir() or mode & stat.S_IXUSR
        path.chmod(0o755 if executable else 0o644)
