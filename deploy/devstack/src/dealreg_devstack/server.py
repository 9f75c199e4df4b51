"""What a server of one's own is, whichever it is: a folder, kept or not, and the way up from it."""

import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from dealreg_devstack.privileges import require_reachable
from dealreg_devstack.temporary import abandoned, temporary_folder


class OwnServer(ABC):
    """Started from a folder that remembers it. With no `folder` it is temporary: `stop` removes it."""

    prefix: ClassVar[str]
    """What the names of its temporary folders begin with."""

    def __init__(self, folder: Path | None) -> None:
        self._temporary = folder is None
        self.folder = folder.resolve() if folder else None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @classmethod
    def attach(cls, folder: Path) -> Self | None:
        """The one that runs from `folder`, whoever started it; None when none does."""
        server = cls(folder)
        server._recall()
        return server if server.running else None

    @property
    @abstractmethod
    def running(self) -> bool:
        """Whether what was started from this folder is alive."""

    def start(self) -> Self:
        """Make what it needs if it is new, start it and wait until it answers.

        Does nothing when it runs. Raises DevstackUnavailable or DevstackFailed.
        """
        self._recall()
        if self.running:
            return self
        if self.folder is None:
            for leftover in abandoned(self.prefix):
                type(self)(leftover).stop()
                shutil.rmtree(leftover, ignore_errors=True)
            self.folder = temporary_folder(self.prefix)
        require_reachable(self.folder)
        try:
            self._bring_up()
        except BaseException:
            self.stop()
            raise
        return self

    @abstractmethod
    def stop(self) -> None:
        """Stop it by its own process ids; remove its data if it is temporary."""

    @abstractmethod
    def _bring_up(self) -> None:
        """Make and start it in `folder`, which exists."""

    @abstractmethod
    def _recall(self) -> None:
        """Take over what its folder remembers, if anything."""
