"""What a running program tells Prometheus of its clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from streamer.clips import ClipState, Missing
from streamer.metrics_sinks import PREFIX, label

_Family = type[CounterMetricFamily] | type[GaugeMetricFamily]
_FAMILIES: Final[tuple[tuple[_Family, str, str, Callable[[ClipState], float]], ...]] = (
    (GaugeMetricFamily, "clip_ring_seconds", "Seconds of packets that are kept for clips.", lambda state: state.seconds),
    (GaugeMetricFamily, "clip_ring_bytes", "Bytes of packets that are kept for clips.", lambda state: state.size),
    (CounterMetricFamily, "clips", "Clips recorded.", lambda state: state.clips),
    (CounterMetricFamily, "clip_bytes", "Bytes of clips recorded.", lambda state: state.clip_bytes),
    (
        CounterMetricFamily,
        "clip_ring_overflows",
        "Times that packets were given up for want of a key frame.",
        lambda state: state.overflows,
    ),
)


def clip_families(clips: Sequence[ClipState]) -> Iterator[Metric]:
    """Give the metrics of all cameras that have clips."""
    for kind, name, text, get in _FAMILIES:
        family = kind(PREFIX + name, text, labels=["camera"])
        for state in clips:
            family.add_metric([label(state.source_id)], get(state))
        yield family
    missing = CounterMetricFamily(PREFIX + "clips_missing", "Events without a clip, by cause.", labels=["camera", "cause"])
    for state in clips:
        for cause in get_args(Missing):
            missing.add_metric([label(state.source_id), cause], state.missing.get(cause, 0))
    yield missing
