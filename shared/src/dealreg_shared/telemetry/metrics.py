"""The process's metrics, in one registry of our own, and the text that Prometheus reads.

A module that measures something makes its metric here, with a name that begins with ``dealreg_`` and
ends with its unit. Labels hold names from a small closed set: never an id, a path or anything a caller
chose, since every new label value costs memory for ever.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""

CONTENT_TYPE = CONTENT_TYPE_LATEST


def counter(name: str, meaning: str, *labels: str) -> Counter:
    """A number that only grows. Prometheus appends ``_total`` to its name."""
    return Counter(name, meaning, labels, registry=REGISTRY)


def gauge(name: str, meaning: str, *labels: str) -> Gauge:
    """A number that goes up and down."""
    return Gauge(name, meaning, labels, registry=REGISTRY)


def histogram(name: str, meaning: str, *labels: str) -> Histogram:
    """How long something took, in seconds."""
    return Histogram(name, meaning, labels, registry=REGISTRY, buckets=LATENCY_BUCKETS)


def exposition() -> bytes:
    """All metrics in the Prometheus text format."""
    return generate_latest(REGISTRY)
