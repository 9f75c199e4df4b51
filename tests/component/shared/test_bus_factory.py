"""The settings choose the bus."""

from pathlib import Path

from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.bus.factory import make_bus
from dealreg_shared.bus.port import Message
from dealreg_shared.config import SharedSettings


async def test_without_a_setting_the_bus_is_a_file_in_the_data_folder(tmp_path: Path) -> None:
    bus = make_bus(SharedSettings(data_dir=tmp_path / "data"))
    await bus.publish([Message("dealreg.registration", "acc_1", b"{}")])
    await bus.close()

    assert isinstance(bus, EmbeddedBus)
    assert (tmp_path / "data" / "bus.db").exists()
