"""What a service is given to close is closed once it has stopped, whatever its stop does."""

from pathlib import Path

import pytest

from dealreg_shared.db import Database
from dealreg_shared.runtime import Service
from dealreg_shared.web.app import new_app


class _Told:
    """A service that writes down in which order its parts end."""

    def __init__(self, folder: Path, *, fails: bool = False) -> None:
        self.order: list[str] = []
        self._fails = fails
        self.service = Service(
            name="told",
            app=new_app("Told", "1", service="told"),
            database=Database(f"sqlite:///{folder}/told.db"),
            migrate=self._start,
            flows=(),
            ticks=(),
            start=self._start,
            stop=self._stop,
        )

    async def _start(self) -> None:
        return None

    async def _stop(self) -> None:
        self.order.append("stop")
        if self._fails:
            raise RuntimeError("it does not stop")

    async def bus(self) -> None:
        self.order.append("bus")

    async def file(self) -> None:
        self.order.append("file")


async def test_what_is_closed_afterwards_is_closed_in_the_order_given(tmp_path: Path) -> None:
    told = _Told(tmp_path)
    told.service.close_afterwards(told.bus)
    told.service.close_afterwards(told.file)
    async with told.service.open():
        assert told.order == []
    assert told.order == ["stop", "bus", "file"]


async def test_it_is_closed_also_when_stopping_fails(tmp_path: Path) -> None:
    told = _Told(tmp_path, fails=True)
    told.service.close_afterwards(told.bus)
    with pytest.raises(RuntimeError, match="does not stop"):
        async with told.service.open():
            pass
    assert told.order == ["stop", "bus"]
