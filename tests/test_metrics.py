"""Metrics: names, values and that nothing breaks a scrape."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from streamer.clips.cutter import ClipState
from streamer.live.health_state import HostClockState, QueueState
from streamer.live.stats import CameraStats
from streamer.metrics import Metrics
from streamer.ports import Meter, StreamFacts
from streamer.types import ModelInfo

FACTS = StreamFacts(
    address="rtsp://10.0.0.8/secret-path",
    codec="h264",
    width=1920,
    height=1080,
    fps=25.0,
    decoder="software",
    bytes_read=4096,
    packets=77,
    packets_skipped=5,
    key_frame_interval_s=2.0,
)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(clock) -> CameraStats:
    """A camera that has lived through something."""
    stats = CameraStats("gate", clock)
    stats.enter("connecting", 1)
    stats.fault("timeout", "no answer of rtsp://10.0.0.8/secret-path")
    stats.enter("live", 2)
    for _ in range(10):
        stats.offer()
    stats.offer(suspect=True)
    stats.drop("idle", 4)
    stats.drop("stale")
    for plates in (0, 1, 1):
        stats.analyse(plates=plates)
    stats.record(plate=True)
    stats.record(plate=False)
    stats.limit(5.0)
    stats.see(0.5, 123.0, "defocused")
    stats.tell_time("rtcp", 0.25)
    stats.describe(FACTS)
    clock.now += 3
    return stats


def values(metrics: Metrics, accept: str = "") -> dict[tuple[str, frozenset], float]:
    text, _ = metrics.render(accept)
    parse = parse_openmetrics if "openmetrics" in accept else parse_text
    return {
        (sample.name.removeprefix("plate_streamer_"), frozenset(sample.labels.values())): sample.value
        for family in parse(text.decode())
        for sample in family.samples
    }


@pytest.mark.parametrize("accept", ["", "text/plain;version=0.0.4", "application/openmetrics-text;version=1.0.0"])
def test_everything_of_a_camera_is_told(gate, accept):
    metrics = Metrics("1.2.3")
    metrics.watch(lambda: [gate.snapshot()])
    found = values(metrics, accept)
    camera = {
        "frames_offered_total": 11,
        "frames_analysed_total": 3,
        "frames_suspect_total": 1,
        "frames_waiting": 3,
        "sessions_total": 1,
        "events_total": 2,
        "plates_total": 1,
        "rate_limit_frames_per_second": 5,
        "last_frame_age_seconds": 3,
        "last_plate_age_seconds": 3,
        "camera_state_age_seconds": 3,
        "brightness_ratio": 0.5,
        "sharpness": 123,
        "clock_offset_seconds": 0.25,
        "stream_received_bytes_total": 4096,
        "stream_packets_total": 77,
        "stream_packets_skipped_total": 5,
        "stream_key_frame_interval_seconds": 2,
        "stream_announced_frames_per_second": 25,
    }
    assert {name: found[name, frozenset({"gate"})] for name in camera} == camera
    for name, kind, value in [
        ("frames_dropped_total", "idle", 4),
        ("frames_dropped_total", "stale", 1),
        ("frames_dropped_total", "replaced", 0),
        ("faults_total", "timeout", 1),
        ("faults_total", "refused", 0),
        ("camera_state", "live", 1),
        ("camera_state", "backoff", 0),
        ("blind", "defocused", 1),
        ("blind", "dark", 0),
        ("clock_source", "rtcp", 1),
        ("clock_source", "arrival", 0),
    ]:
        assert found[name, frozenset({"gate", kind})] == value, (name, kind)
    assert found["stream_info", frozenset({"gate", "h264", "1920x1080", "software"})] == 1


def test_every_frame_offered_is_accounted_for(gate):
    metrics = Metrics("1")
    metrics.watch(lambda: [gate.snapshot()])
    found = values(metrics)
    dropped = sum(value for (name, _), value in found.items() if name == "frames_dropped_total")
    own = frozenset({"gate"})
    assert found["frames_offered_total", own] == found["frames_analysed_total", own] + dropped + found["frames_waiting", own]


def test_what_is_not_known_is_absent():
    metrics = Metrics("1")
    metrics.watch(lambda: [CameraStats("new").snapshot()])
    names = {name for name, labels in values(metrics) if "new" in labels}
    assert "frames_offered_total" in names
    assert not names & {"last_frame_age_seconds", "brightness_ratio", "clock_offset_seconds", "stream_info", "stream_received_bytes_total"}


def test_durations_go_into_histograms_and_recent_figures():
    metrics = Metrics("1")
    meter: Meter = metrics
    meter.stage("detect", 0.02)
    meter.batch(3)
    meter.batch(1)
    for age in range(1, 101):
        meter.frame_age("gate", age / 1000)
    meter.event_latency("gate", "final", 2.2)
    found = values(metrics)
    assert found["stage_seconds_sum", frozenset({"detect"})] == pytest.approx(0.02)
    assert found["stage_seconds_bucket", frozenset({"detect", "0.025"})] == 1
    assert found["stage_seconds_bucket", frozenset({"detect", "0.01"})] == 0
    assert found["batch_frames_sum", frozenset()] == 4
    assert found["frame_age_seconds_count", frozenset({"gate"})] == 100
    assert found["event_latency_seconds_bucket", frozenset({"gate", "final", "2.5"})] == 1
    recent = metrics.recent()
    assert recent.batch_frames == 2
    assert (recent.frame_age_p50_s, recent.frame_age_p95_s) == (0.05, 0.095)
    assert recent.event_latency_p50_s == recent.event_latency_p95_s == 2.2


def test_without_work_there_are_no_recent_figures():
    recent = Metrics("1").recent()
    assert recent.batch_frames is None
    assert recent.event_latency_p95_s is None


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1.0])
def test_what_is_no_duration_does_not_spoil_the_sums(wrong):
    metrics = Metrics("1")
    metrics.frame_age("gate", 0.5)
    metrics.frame_age("gate", wrong)
    assert values(metrics)["frame_age_seconds_sum", frozenset({"gate"})] == 0.5
    assert metrics.recent().frame_age_p95_s == 0.5


def test_a_removed_camera_goes():
    metrics = Metrics("1")
    metrics.frame_age("gate", 0.5)
    metrics.event_latency("gate", "final", 0.5)
    metrics.forget("gate")
    metrics.forget("never there")
    assert not [labels for _, labels in values(metrics) if "gate" in labels]


def test_program_models_queues_and_clock_are_told():
    metrics = Metrics("1.2.3")
    metrics.tell_models(detector=ModelInfo("plate-detector", "ab" * 32, "openvino cpu int8"), reader=ModelInfo("r", "cd" * 32, "onnx"))
    metrics.watch_queue("recorder", lambda: QueueState(4, 1.5))
    metrics.watch_host_clock(lambda: HostClockState("chrony", True, -0.001, 0.02))
    found = values(metrics)
    assert ("model_info", frozenset({"detector", "plate-detector", "ab" * 32, "openvino cpu int8"})) in found
    assert any(name == "build_info" and "1.2.3" in labels for name, labels in found)
    assert found["queue_entries", frozenset({"recorder"})] == 4
    assert found["queue_oldest_age_seconds", frozenset({"recorder"})] == 1.5
    assert found["host_clock_synchronised", frozenset()] == 1
    assert found["host_clock_offset_seconds", frozenset()] == -0.001
    assert found["host_clock_error_seconds", frozenset()] == 0.02
    assert found["process_start_time_seconds", frozenset()] > 0
    assert any(name.startswith("python_gc_") for name, _ in found)


def test_clips_are_told_by_camera_and_what_is_missing_by_cause():
    metrics = Metrics("1")
    metrics.watch_clips(lambda: [ClipState("gate", 12.5, 3_000_000, 1, 7, 21_000_000, {"gone": 2})])
    found = values(metrics)
    rings = {"clip_ring_seconds": 12.5, "clip_ring_bytes": 3e6, "clip_ring_overflows_total": 1}
    expected = rings | {"clips_total": 7, "clip_bytes_total": 21e6}
    assert {name: found[name, frozenset({"gate"})] for name in expected} == expected
    assert [found["clips_missing_total", frozenset({"gate", cause})] for cause in ("gone", "no_packets")] == [2, 0]


def test_what_fails_is_left_out_counted_and_logged(gate, caplog):
    metrics = Metrics("1")
    metrics.watch(lambda: [gate.snapshot()])
    metrics.watch_queue("recorder", lambda: 1 / 0)
    found = values(metrics)
    assert found["scrape_failures_total", frozenset()] == 1
    assert found["frames_offered_total", frozenset({"gate"})] == 11
    assert not [name for name, _ in found if name.startswith("queue")]
    assert "metrics of the queues could not be given" in caplog.text


def test_neither_addresses_nor_faults_in_words_are_told(gate):
    metrics = Metrics("1")
    metrics.watch(lambda: [gate.snapshot()])
    text, _ = metrics.render()
    assert b"secret-path" not in text
    assert b"10.0.0.8" not in text


@given(st.text(st.characters()))
def test_any_text_fits_into_a_label(text):
    metrics = Metrics(text)
    snapshot = replace(CameraStats("gate").snapshot(), facts=replace(FACTS, codec=text, decoder=text))
    metrics.watch(lambda: [snapshot])
    metrics.tell_models(detector=ModelInfo(text, text, text), reader=ModelInfo(text, text, text))
    body, _ = metrics.render("application/openmetrics-text;version=1.0.0")
    assert body.endswith(b"# EOF\n")


def test_names_follow_the_conventions(gate):
    metrics = Metrics("1")
    metrics.watch(lambda: [gate.snapshot()])
    metrics.frame_age("gate", 0.1)
    for family in parse_openmetrics(metrics.render("application/openmetrics-text;version=1.0.0")[0].decode()):
        if family.name.startswith(("process_", "python_")):
            continue
        assert family.name.startswith("plate_streamer_")
        assert family.documentation.endswith("."), family.name
        assert not family.name.endswith(("_ms", "_minutes", "_count", "_percent")), family.name


def test_many_threads_may_tell_and_ask_at_once(gate):
    metrics = Metrics("1")
    metrics.watch(lambda: [gate.snapshot()])

    def work(name):
        for number in range(200):
            metrics.frame_age(name, number / 1000)
            metrics.batch(1)
            metrics.recent()
            if number % 50 == 0:
                metrics.render()
                metrics.forget(name)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, ["a", "b", "c", "d"]))
    assert values(metrics)["batch_frames_count", frozenset()] == 800
