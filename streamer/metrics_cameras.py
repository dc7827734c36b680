"""What Prometheus is told of cameras."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from streamer.errors import SourceReason
from streamer.live.stats import Blind, CameraSnapshot, CameraState, DropCause
from streamer.metrics_sinks import PREFIX, label
from streamer.ports import StreamFacts

_Get = Callable[[CameraSnapshot], float | None]
_Family = CounterMetricFamily | GaugeMetricFamily


def _of_stream(get: Callable[[StreamFacts], float | None]) -> _Get:
    return lambda camera: None if camera.facts is None else get(camera.facts)


_COUNTERS: Final[tuple[tuple[str, str, _Get], ...]] = (
    ("frames_offered", "Frames that the camera's sessions gave.", lambda c: c.offered),
    ("frames_analysed", "Frames in which plates were looked for.", lambda c: c.analysed),
    ("frames_suspect", "Frames offered that may be damaged: nothing of them is read.", lambda c: c.suspect),
    ("sessions", "Connections to the camera that gave a picture.", lambda c: c.sessions),
    ("events", "Events recorded, one for each vehicle.", lambda c: c.events),
    ("plates", "Events recorded that have a plate.", lambda c: c.plates),
    ("stream_received_bytes", "Bytes of video that came.", _of_stream(lambda f: f.bytes_read)),
    ("stream_packets", "Packets of video that came.", _of_stream(lambda f: f.packets)),
    ("stream_packets_skipped", "Packets that were not decoded on purpose.", _of_stream(lambda f: f.packets_skipped)),
    ("stream_clock_reports", "Sender reports (RTCP) that told the camera's clock.", _of_stream(lambda f: f.clock_reports)),
)

_GAUGES: Final[tuple[tuple[str, str, _Get], ...]] = (
    ("frames_waiting", "Frames offered whose turn has not come.", lambda c: c.waiting),
    ("camera_state_age_seconds", "How long the camera's state has lasted.", lambda c: c.since_s),
    ("frames_per_second", "Frames a second that come, over some seconds.", lambda c: c.fps),
    ("analysed_frames_per_second", "Frames a second that are analysed, over some seconds.", lambda c: c.analysed_fps),
    ("rate_limit_frames_per_second", "Rate that a busy machine allows; absent where there is no limit.", lambda c: c.rate_limit_fps),
    ("last_frame_age_seconds", "Time since the last frame came.", lambda c: c.frame_age_s),
    ("last_plate_age_seconds", "Time since a plate was seen in any frame.", lambda c: c.plate_age_s),
    ("brightness_ratio", "Mean of the grey picture, from 0 (black) to 1 (white).", lambda c: c.brightness),
    ("sharpness", "How sharp the picture is; to be compared with the same camera's usual value.", lambda c: c.sharpness),
    ("clock_offset_seconds", "From exposure by the camera's clock to arrival by this machine's.", lambda c: c.clock_offset_s),
    ("stream_key_frame_interval_seconds", "Time between the last two key frames.", _of_stream(lambda f: f.key_frame_interval_s)),
    ("stream_announced_frames_per_second", "Rate that the camera announces.", _of_stream(lambda f: f.fps)),
)


def camera_families(cameras: Sequence[CameraSnapshot]) -> Iterator[Metric]:
    """Give all metrics of cameras."""
    for name, text, get in _COUNTERS:
        yield _filled(CounterMetricFamily(PREFIX + name, text, labels=["camera"]), cameras, get)
    for name, text, get in _GAUGES:
        yield _filled(GaugeMetricFamily(PREFIX + name, text, labels=["camera"]), cameras, get)
    yield _split(
        CounterMetricFamily(PREFIX + "frames_dropped", "Frames that were not analysed, by cause.", labels=["camera", "cause"]),
        cameras,
        get_args(DropCause),
        lambda camera: camera.dropped,
    )
    yield _split(
        CounterMetricFamily(PREFIX + "faults", "Sessions and attempts that ended, by reason.", labels=["camera", "reason"]),
        cameras,
        get_args(SourceReason),
        lambda camera: camera.faults,
    )
    yield _split(
        GaugeMetricFamily(PREFIX + "camera_state", "1 for the state that the camera is in.", labels=["camera", "state"]),
        cameras,
        get_args(CameraState),
        lambda camera: {camera.state: 1},
    )
    yield _split(
        GaugeMetricFamily(PREFIX + "blind", "1 for what makes a live camera no use.", labels=["camera", "kind"]),
        cameras,
        get_args(Blind),
        lambda camera: {camera.blind: 1},
    )
    yield _split(
        GaugeMetricFamily(PREFIX + "clock_source", "1 for where times of exposure come from.", labels=["camera", "source"]),
        cameras,
        ("rtcp", "arrival"),
        lambda camera: {camera.clock: 1},
    )
    yield _streams(cameras)


def _filled(family: _Family, cameras: Iterable[CameraSnapshot], get: _Get) -> _Family:
    for camera in cameras:
        value = get(camera)
        if value is not None:
            family.add_metric([label(camera.source_id)], value)
    return family


def _split(
    family: _Family,
    cameras: Iterable[CameraSnapshot],
    kinds: Sequence[str],
    get: Callable[[CameraSnapshot], Mapping[Any, int]],
) -> _Family:
    """Tell every kind, zeros too: a rate needs to see a counter before it grows."""
    for camera in cameras:
        values = get(camera)
        for kind in kinds:
            family.add_metric([label(camera.source_id), kind], values.get(kind, 0))
    return family


def _streams(cameras: Iterable[CameraSnapshot]) -> Metric:
    family = InfoMetricFamily(PREFIX + "stream", "What the camera sends, and how it is decoded.", labels=["camera"])
    for camera in cameras:
        if camera.facts is not None:
            facts = camera.facts
            size = f"{facts.width}x{facts.height}" if facts.width and facts.height else ""
            family.add_metric(
                [label(camera.source_id)], {"codec": label(facts.codec or ""), "size": size, "decoder": label(facts.decoder or "")}
            )
    return family
