"""What Prometheus is told of the disk: how much of it is free, and which evidence was left out of events for want of room."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from streamer.metrics_sinks import PREFIX
from streamer.shedding import SheddingState


def disk_families(state: SheddingState) -> Iterator[Metric]:
    """Give the metrics of the disk; every kind of evidence is told, zeros too."""
    shed = CounterMetricFamily(PREFIX + "evidence_shed", "Pictures left out of events because the disk gets full.", labels=["kind"])
    for kind, count in state.shed.items():
        shed.add_metric([kind], count)
    yield shed
    now = GaugeMetricFamily(PREFIX + "evidence_shedding", "1 while this kind of evidence is left out of events.", labels=["kind"])
    for kind in state.shed:
        now.add_metric([kind], kind in state.kinds)
    yield now
    if state.free_bytes is not None:
        yield GaugeMetricFamily(PREFIX + "disk_free_bytes", "Of the disk of the record, when it was last looked at.", state.free_bytes)
