"""A real PostgreSQL and a real Apache Kafka without Docker, Maven or an installed Java.

For tests, benchmarks and `dealreg up --distributed`. No service may import this package.
"""

from dealreg_devstack.errors import DevstackFailed, DevstackUnavailable
from dealreg_devstack.kafka import Kafka
from dealreg_devstack.postgres import Postgres
from dealreg_devstack.stack import Stack

__all__ = ["DevstackFailed", "DevstackUnavailable", "Kafka", "Postgres", "Stack"]
