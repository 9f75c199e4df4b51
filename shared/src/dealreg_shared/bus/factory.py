"""Makes the bus that the settings ask for. The client library of the other one is not even imported."""

from dealreg_shared.bus.port import Bus
from dealreg_shared.config import SharedSettings


def make_bus(settings: SharedSettings) -> Bus:
    """The embedded bus on its file, or Kafka. Connects to nothing yet."""
    if settings.bus == "kafka":
        from dealreg_shared.bus.kafka import KafkaBus

        assert settings.kafka_bootstrap is not None  # noqa: S101  (the settings check it)
        return KafkaBus(settings.kafka_bootstrap, replication=settings.kafka_replication)
    from dealreg_shared.bus.embedded import EmbeddedBus

    settings.prepare()
    return EmbeddedBus(settings.bus_file)
