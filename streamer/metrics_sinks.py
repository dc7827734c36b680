"""What Prometheus is told of sinks; and the names of all metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from streamer.outgoing import SinkSnapshot

PREFIX: Final = "plate_streamer_"

_Family = type[CounterMetricFamily] | type[GaugeMetricFamily]
_FAMILIES: Final[tuple[tuple[_Family, str, str, Callable[[SinkSnapshot], float]], ...]] = (
    (GaugeMetricFamily, "sink_lag_events", "Events in the store that the sink has not had.", lambda sink: sink.lag_events),
    (GaugeMetricFamily, "sink_lag_seconds", "How long ago the oldest of them was recorded.", lambda sink: sink.lag_s),
    (GaugeMetricFamily, "sink_dead_letters", "Events that were given up, and are kept.", lambda sink: sink.dead_letters),
    (GaugeMetricFamily, "sink_failing", "1 while the sink fails.", lambda sink: sink.failure is not None or not sink.alive),
    (CounterMetricFamily, "sink_delivered", "Events that the sink took.", lambda sink: sink.delivered),
    (CounterMetricFamily, "sink_errors", "Attempts that failed.", lambda sink: sink.errors),
    (CounterMetricFamily, "sink_skipped", "Files of evidence erased before they could be sent.", lambda sink: sink.skipped),
)


def label(text: str) -> str:
    """Make a text fit for a label: names of files may hold what UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def sink_families(sinks: Sequence[SinkSnapshot]) -> Iterator[Metric]:
    """Give the metrics of all sinks."""
    for family, name, text, get in _FAMILIES:
        metric = family(PREFIX + name, text, labels=["sink", "type"])
        for sink in sinks:
            metric.add_metric([label(sink.name), label(sink.kind)], get(sink))
        yield metric
