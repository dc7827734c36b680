"""What Prometheus is told of the timestamps of the chain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from streamer.metrics_sinks import PREFIX

if TYPE_CHECKING:
    from streamer.timestamping import StampState


def timestamp_families(state: StampState) -> Iterator[Metric]:
    """Give the metrics."""
    yield CounterMetricFamily(PREFIX + "timestamps", "Timestamps of the chain that were made.", state.made)
    yield CounterMetricFamily(PREFIX + "timestamp_errors", "Attempts that failed.", state.errors)
    yield GaugeMetricFamily(PREFIX + "timestamps_failing", "1 while none can be had.", float(state.failure is not None))
    yield GaugeMetricFamily(PREFIX + "timestamps_waiting_entries", "Entries that no timestamp speaks for yet.", state.waiting)
    if state.last_time is not None:
        yield GaugeMetricFamily(PREFIX + "timestamp_last_seconds", "When the last one was made, Unix time.", state.last_time.timestamp())
