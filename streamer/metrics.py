"""What a running program tells Prometheus: durations as they happen; cameras, queues and clocks when they are asked for.

Names follow https://prometheus.io/docs/practices/naming/: base units, ``_total`` for what only grows. Labels hold names of cameras,
causes and models; never plates, addresses or credentials.
"""

from __future__ import annotations

import logging
import math
import platform
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from streamer.clips import ClipState
from streamer.live.health_state import HostClockState, QueueState, Recent
from streamer.live.stats import CameraSnapshot
from streamer.metrics_cameras import camera_families
from streamer.metrics_clips import clip_families
from streamer.metrics_disk import disk_families
from streamer.metrics_sinks import PREFIX, label, sink_families
from streamer.metrics_timestamps import timestamp_families
from streamer.outgoing import SinkSnapshot
from streamer.shedding import SheddingState
from streamer.timestamping import StampState
from streamer.types import ModelInfo

_log = logging.getLogger(__name__)

# Fine where the work on two cores lies, and with the default of live.max_age_s (1 s) among them.
_STAGE_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_BATCH_BUCKETS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64)
_AGE_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0)
# A vehicle's event comes when its track ends: tracker.lost_after_s (1.5 s) after its last frame, at the earliest.
_LATENCY_BUCKETS: Final = (0.25, 0.5, 1.0, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0)

_RECENT_FRAMES: Final = 1000
_RECENT_EVENTS: Final = 200
_RECENT_BATCHES: Final = 200


class Metrics(Collector):
    """All metrics of one program, in a registry of their own. A ``ports.Meter``; all methods from any thread."""

    def __init__(self, version: str) -> None:
        """Take the program's version."""
        self._registry = CollectorRegistry()
        self._version = version
        self._cameras: Callable[[], Sequence[CameraSnapshot]] = tuple
        self._host_clock: Callable[[], HostClockState | None] = lambda: None
        self._queues: dict[str, Callable[[], QueueState]] = {}
        self._sinks: Callable[[], Sequence[SinkSnapshot]] = tuple
        self._clips: Callable[[], Sequence[ClipState]] = tuple
        self._timestamps: Callable[[], StampState | None] = lambda: None
        self._disk: Callable[[], SheddingState | None] = lambda: None
        self._models: dict[str, ModelInfo] = {}
        self._failures = 0
        self._recent_lock = threading.Lock()
        self._recent_batches: deque[float] = deque(maxlen=_RECENT_BATCHES)
        self._recent_ages: deque[float] = deque(maxlen=_RECENT_FRAMES)
        self._recent_latencies: deque[float] = deque(maxlen=_RECENT_EVENTS)
        self._stages = self._histogram("stage_seconds", "How long one step of the work took for one batch.", ["stage"], _STAGE_BUCKETS)
        self._batches = self._histogram("batch_frames", "Frames that were analysed together.", [], _BATCH_BUCKETS)
        self._ages = self._histogram("frame_age_seconds", "How old a frame was when its analysis began.", ["camera"], _AGE_BUCKETS)
        self._latencies = self._histogram(
            "event_latency_seconds", "From a vehicle's last frame to its event in the record.", ["camera", "state"], _LATENCY_BUCKETS
        )
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(self)

    def stage(self, name: str, seconds: float) -> None:
        """Take how long one step took for one batch."""
        self._stages.labels(label(name)).observe(_duration(seconds))

    def batch(self, frames: int) -> None:
        """Take how many frames one batch had."""
        self._batches.observe(frames)
        with self._recent_lock:
            self._recent_batches.append(frames)

    def frame_age(self, source_id: str, seconds: float) -> None:
        """Take how old a frame was when its analysis began."""
        self._ages.labels(label(source_id)).observe(_duration(seconds))
        with self._recent_lock:
            self._recent_ages.append(_duration(seconds))

    def event_latency(self, source_id: str, state: str, seconds: float) -> None:
        """Take how long it took from a vehicle's last frame to its preview or final event in the record."""
        self._latencies.labels(label(source_id), state).observe(_duration(seconds))
        with self._recent_lock:
            self._recent_latencies.append(_duration(seconds))

    def watch(self, cameras: Callable[[], Sequence[CameraSnapshot]]) -> None:
        """Take what gives the cameras of the moment; it is called at every scrape."""
        self._cameras = cameras

    def watch_queue(self, name: str, state: Callable[[], QueueState]) -> None:
        """Take what gives the state of a queue (``recorder``); it is called at every scrape."""
        self._queues = {**self._queues, name: state}

    def watch_sinks(self, sinks: Callable[[], Sequence[SinkSnapshot]]) -> None:
        """Take what gives the sinks of the moment; it is called at every scrape."""
        self._sinks = sinks

    def watch_clips(self, clips: Callable[[], Sequence[ClipState]]) -> None:
        """Take what gives the state of the clips; it is called at every scrape."""
        self._clips = clips

    def watch_timestamps(self, state: Callable[[], StampState]) -> None:
        """Take what says how it goes with the timestamps of the chain; it is called at every scrape."""
        self._timestamps = state

    def watch_disk(self, state: Callable[[], SheddingState | None]) -> None:
        """Take what says which evidence is left out because the disk gets full; it is called at every scrape."""
        self._disk = state

    def watch_host_clock(self, clock: Callable[[], HostClockState | None]) -> None:
        """Take what gives the state of this machine's clock. It is called at every scrape, so it must not wait for a time service."""
        self._host_clock = clock

    def tell_models(self, *, detector: ModelInfo, reader: ModelInfo) -> None:
        """Take which models do the work."""
        self._models = {"detector": detector, "reader": reader}

    def forget(self, source_id: str) -> None:
        """Drop the histograms of a camera that was removed."""
        self._ages.remove(label(source_id))
        self._latencies.remove_by_labels({"camera": label(source_id)})

    def recent(self) -> Recent:
        """Give how the work has gone lately: the last 200 batches, 1000 frames and 200 events."""
        with self._recent_lock:
            batches, ages, latencies = list(self._recent_batches), list(self._recent_ages), list(self._recent_latencies)
        return Recent(
            batch_frames=sum(batches) / len(batches) if batches else None,
            frame_age_p50_s=_quantile(ages, 0.5),
            frame_age_p95_s=_quantile(ages, 0.95),
            event_latency_p50_s=_quantile(latencies, 0.5),
            event_latency_p95_s=_quantile(latencies, 0.95),
        )

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Give everything as text and its content type: OpenMetrics or Prometheus's text, by the HTTP header ``Accept``."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        """Give what is asked for at scrape time. What fails is left out, logged and counted, so that the rest is told."""
        parts = (self._build, self._of_cameras, self._of_queues, self._of_clock, self._of_sinks, self._of_clips)
        for name, part in zip(("build", "cameras", "queues", "clock", "sinks", "clips"), parts, strict=True):
            try:
                # Whole parts only: a family with half of its cameras would look like cameras that went away.
                families = list(part())
            except Exception:  # noqa: BLE001 - whatever a part meets, the scrape must tell the others
                self._failures += 1
                _log.warning("metrics of the %s could not be given", name, exc_info=True)
            else:
                yield from families
        failures = CounterMetricFamily(PREFIX + "scrape_failures", "Parts of the metrics that could not be given.")
        failures.add_metric([], self._failures)
        yield failures

    def _histogram(self, name: str, text: str, labels: Sequence[str], buckets: Sequence[float]) -> Histogram:
        return Histogram(PREFIX + name, text, labels, registry=self._registry, buckets=buckets)

    def _build(self) -> Iterator[Metric]:
        build = InfoMetricFamily(PREFIX + "build", "Which program this is.")
        build.add_metric([], {"version": label(self._version), "python": platform.python_version()})
        yield build
        models = InfoMetricFamily(PREFIX + "model", "Which models do the work.", labels=["role"])
        for role, model in self._models.items():
            models.add_metric([role], {"name": label(model.name), "sha256": label(model.sha256), "backend": label(model.backend)})
        yield models

    def _of_queues(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily(PREFIX + "queue_entries", "What waits in a queue.", labels=["queue"])
        oldest = GaugeMetricFamily(PREFIX + "queue_oldest_age_seconds", "How long the oldest entry has waited.", labels=["queue"])
        for name, give in self._queues.items():
            state = give()
            depth.add_metric([label(name)], state.depth)
            oldest.add_metric([label(name)], state.oldest_s)
        yield from (depth, oldest)
        stamps = self._timestamps()
        if stamps is not None:
            yield from timestamp_families(stamps)
        disk = self._disk()
        if disk is not None:
            yield from disk_families(disk)

    def _of_sinks(self) -> Iterator[Metric]:
        return sink_families(self._sinks())

    def _of_clips(self) -> Iterator[Metric]:
        return clip_families(self._clips())

    def _of_clock(self) -> Iterator[Metric]:
        clock = self._host_clock()
        if clock is None:
            return
        for name, text, value in (
            ("host_clock_synchronised", "1 if this machine's clock is synchronised.", clock.synchronised),
            ("host_clock_offset_seconds", "How far this machine's clock is ahead of true time.", clock.offset_s),
            ("host_clock_error_seconds", "Largest error of this machine's clock, as estimated.", clock.error_s),
        ):
            if value is not None:
                yield GaugeMetricFamily(PREFIX + name, text, value=float(value))

    def _of_cameras(self) -> Iterator[Metric]:
        return camera_families(self._cameras())


def _duration(seconds: float) -> float:
    """Give zero for what is no duration: a sum that fell or became NaN would break every rate made of it."""
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0


def _quantile(values: Sequence[float], share: float) -> float | None:
    """Give the nearest rank, which is a value that was measured."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else None
