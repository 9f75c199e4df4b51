"""How long calls of the Kafka client may take, in seconds, and how often it may fail."""

from aiokafka.errors import KafkaError

START = 45.0
CALL = 15.0
PUBLISH = 20.0
STOP = 9.0
HEALTH = 5.0

DISPOSALS = 3
"""So many producers thrown away although Kafka answers, without a success in between, mean that only a
new process helps. While Kafka is away a new process would help nobody."""

FAILURES = (KafkaError, OSError, TimeoutError)
"""What the client raises when it, or Kafka, does not do what it was asked for."""
