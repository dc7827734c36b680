"""The daemon's heart over scripted cameras: accounts, faults, drains, reloads. Real threads, tracker and vote; scripted networks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from streamer.config import Camera, LiveConfig
from streamer.errors import SourceError
from streamer.events import Event
from streamer.live import capture
from streamer.live.capture import NEW_SIZE_S, LiveCapture
from streamer.live.recording import RecordingThread
from streamer.live.service import LiveService
from streamer.live.stats import CameraSnapshot, CameraStats
from streamer.mailbox import Mailbox
from streamer.pipeline import Pipeline
from streamer.ports import LivePicture, Luma, StreamFacts
from streamer.types import Image, Passage, RawFrame
from tests.test_pipeline import build, frames, picture

FAST = {"process_fps": 1e6, "motion_gate": False, "backoff_min_s": 0.01, "backoff_max_s": 0.02, "frozen_after_s": 0.0}
WITHIN_S = 20.0


def camera(**changes: Any) -> Camera:
    return Camera(url="rtsp://127.0.0.1/none", **{**FAST, **changes})


@dataclass
class Script:
    """What a scripted camera does: one list of steps a connection; a step is a picture, an error, or a wait for an event."""

    connections: list[list[Any]] = field(default_factory=list)
    opened: int = 0
    closed: int = 0
    readers: set[str] = field(default_factory=set)
    stamps: Callable[[int], float | None] = lambda k: k / 10


class ScriptedCamera:
    """A ports.LiveSource that does what its script says and then stalls until it is interrupted."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._steps: Iterator[Any] = iter(())
        self._interrupted = threading.Event()
        self._count = 0
        self.facts = StreamFacts("rtsp://127.0.0.1/none", codec="scripted")

    def open(self) -> None:
        self._script.readers.add(threading.current_thread().name)
        number = self._script.opened
        self._script.opened += 1
        steps = self._script.connections[number] if number < len(self._script.connections) else []
        if steps and isinstance(steps[0], SourceError):
            raise steps[0]
        self._steps = iter(steps)
        self._count = 0

    def read(self) -> LivePicture | None:
        for step in self._steps:
            if isinstance(step, threading.Event):
                while not step.wait(0.01):
                    if self._interrupted.is_set():
                        raise SourceError("timeout", "interrupted")
                continue
            if isinstance(step, BaseException):
                raise step
            if step is None:
                return None
            self._count += 1
            return self._picture(step)
        self._interrupted.wait(WITHIN_S)
        raise SourceError("timeout", "no picture came")

    def _picture(self, image: Image) -> LivePicture:
        # Arrivals follow the stamps, so that the script plays as fast as it is taken and yet has a camera's times.
        stamp = self._script.stamps(self._count - 1)
        arrived_at = time.monotonic()
        size = (image.shape[1], image.shape[0])
        return LivePicture(stamp, arrived_at, datetime.now(UTC), None, False, size, lambda: luma_of(image), lambda: image)

    def decode_key_frames_only(self, wanted: bool) -> None: ...

    def interrupt(self) -> None:
        self._interrupted.set()

    def close(self) -> None:
        self._script.closed += 1


def luma_of(image: Image) -> Luma:
    return np.ascontiguousarray(image[::4, ::4, 1])


class Records:
    """A recorder in memory."""

    def __init__(self) -> None:
        self.passages: list[Passage] = []

    def append(self, passages: Any) -> list[Event]:
        self.passages += passages
        return [{"source": p.source_id, "passage": p.key, "state": p.state} for p in passages]

    def deliver(self) -> None: ...

    @property
    def finals(self) -> list[Passage]:
        return [passage for passage in self.passages if passage.state == "final"]


class NoMeter:
    """Takes everything and keeps nothing."""

    def stage(self, name: str, seconds: float) -> None: ...
    def batch(self, frames: int) -> None: ...
    def frame_age(self, source_id: str, seconds: float) -> None: ...
    def event_latency(self, source_id: str, state: str, seconds: float) -> None: ...


class Run:
    """A service over scripted cameras, paced by what it takes so that no frame is replaced."""

    def __init__(self, scripts: dict[str, Script], *, hold_s: float = 0.3, config: LiveConfig | None = None) -> None:
        self.scripts = scripts
        self.records = Records()
        self.sources: list[ScriptedCamera] = []
        self.service: LiveService
        self.pipeline: Pipeline = build(lambda frame, plates: self.service.observe(frame, plates))
        config = config or LiveConfig(max_age_s=60.0, adaptive=False)
        self.service = LiveService(self.pipeline, RecordingThread(self.records), self._make, NoMeter(), config, batch=8, hold_s=hold_s)

    def _make(self, name: str, config: Camera, mailbox: Mailbox[RawFrame], stats: CameraStats, first: int) -> LiveCapture:
        source = ScriptedCamera(self.scripts[name])
        self.sources.append(source)
        return LiveCapture(source, config, Paced(mailbox), stats, first_session=first)  # type: ignore[arg-type]

    def start(self, **cameras: Camera) -> None:
        self.service.start(cameras)

    def wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            assert time.monotonic() < deadline, [
                (s.source_id, s.state, s.offered, s.analysed, s.dropped, s.faults) for s in self.service.snapshots()
            ]
            self.service.supervise()
            time.sleep(0.005)

    def of(self, name: str) -> CameraSnapshot:
        return next(one for one in self.service.snapshots() if one.source_id == name)

    def stop(self) -> list[str]:
        return self.service.stop(WITHIN_S)


class Paced:
    """The mailbox for cameras that play faster than time: waits until the frame before was taken, so that none is replaced."""

    def __init__(self, mailbox: Mailbox[RawFrame]) -> None:
        self._mailbox = mailbox

    def put(self, item: Any) -> bool:
        deadline = time.monotonic() + 1.0
        while isinstance(item, RawFrame) and self._waiting(item.source_id) and time.monotonic() < deadline:
            time.sleep(0.001)
        return self._mailbox.put(item)

    def _waiting(self, source_id: str) -> bool:
        box = self._mailbox._boxes.get(source_id)
        return bool(box is not None and box.frames)


def pictures(vehicles: list[tuple[int, float, float, int]], seconds: float) -> list[Image]:
    return [frame.image for frame in frames("x", vehicles, seconds)]


@pytest.fixture
def started() -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def start(scripts: dict[str, Script], cameras: dict[str, Camera] | None = None, **more: Any) -> Run:
        run = Run(scripts, **more)
        runs.append(run)
        run.start(**(cameras if cameras is not None else {name: camera() for name in scripts}))
        return run

    yield start
    for run in runs:
        run.stop()


def accounted(snapshot: CameraSnapshot) -> bool:
    return snapshot.waiting == 0 and snapshot.offered == snapshot.analysed + sum(snapshot.dropped.values())


def test_vehicles_of_all_cameras_are_reported_and_every_frame_is_accounted_for(started: Any) -> None:
    run = started({"a": Script([pictures([(1, 0, 2, 40)], 3.0)]), "b": Script([pictures([(2, 0, 2, 40)], 3.0)])})
    run.wait(lambda: run.of("a").analysed == 30 and run.of("b").analysed == 30)
    assert run.of("a").state == "live"
    assert run.stop() == []
    assert sorted((p.source_id, p.plate) for p in run.records.finals) == [("a", "AB12CDE"), ("b", "XY98ZWV")]
    assert all(accounted(snapshot) for snapshot in run.service.snapshots())
    assert all(snapshot.state == "stopped" for snapshot in run.service.snapshots())


def test_a_vehicle_in_view_when_the_camera_goes_away_is_reported_while_it_is_away(started: Any) -> None:
    never = threading.Event()
    run = started({"a": Script([[*pictures([(1, 0, 2, 40)], 1.5), SourceError("timeout", "stalled")], [never]])})
    run.wait(lambda: bool(run.records.finals))
    assert [p.plate for p in run.records.finals] == ["AB12CDE"]
    assert run.of("a").state != "live"


def test_it_is_reported_even_if_the_camera_is_tried_again_and_again(started: Any) -> None:
    refused = [[SourceError("refused", "x")] for _ in range(10_000)]
    run = started({"a": Script([[*pictures([(1, 0, 2, 40)], 1.5), SourceError("timeout", "stalled")], *refused])})
    run.wait(lambda: bool(run.records.finals))
    assert run.of("a").state != "live"


def test_a_camera_that_is_changed_keeps_its_vehicle_and_its_counts(started: Any) -> None:
    scene = pictures([(1, 0, 4, 40)], 6.0)
    run = started({"a": Script([scene[:20], scene[22:]])}, hold_s=10.0)
    run.wait(lambda: run.of("a").analysed == 20)
    run.service.apply({"a": camera(priority=2.0)})
    run.wait(lambda: run.of("a").analysed == 58)
    assert run.stop() == []
    assert [p.plate for p in run.records.finals] == ["AB12CDE"]
    assert accounted(run.of("a"))
    assert run.of("a").sessions == 2


def test_a_frozen_picture_is_accounted_for(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "LOOK_EVERY_S", 0.0)
    same = picture([])
    run = started({"a": Script([[same] * 400] * 3)}, {"a": camera(frozen_after_s=0.01)})
    run.wait(lambda: run.of("a").faults.get("frozen", 0) >= 1)
    run.stop()
    assert accounted(run.of("a"))
    assert min(run.of("a").dropped.values(), default=0) >= 0


def test_a_picture_that_nobody_can_convert_for_whatever_reason_costs_itself_only(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ScriptedCamera._picture

    def odd(self: ScriptedCamera, image: Image) -> LivePicture:
        def fail() -> Image:
            raise ValueError("cv2 does not like it")

        made = plain(self, image)
        return replace(made, convert=fail) if self._count == 5 else made

    monkeypatch.setattr(ScriptedCamera, "_picture", odd)
    run = started({"a": Script([pictures([], 2.0)])})
    run.wait(lambda: run.of("a").analysed == 19)
    assert run.of("a").dropped == {"unconvertible": 1}


def test_a_vehicle_that_is_still_there_after_a_short_fault_is_one_vehicle(started: Any) -> None:
    scene = pictures([(1, 0, 4, 40)], 5.0)
    run = started({"a": Script([[*scene[:20], SourceError("timeout", "stalled")], scene[22:]])}, hold_s=10.0)
    run.wait(lambda: run.of("a").analysed == 48)
    assert run.stop() == []
    assert [p.plate for p in run.records.finals] == ["AB12CDE"]


def test_faults_are_counted_by_reason_and_each_begins_a_session(started: Any) -> None:
    errors = [SourceError("refused", "x"), SourceError("timeout", "x"), SourceError("refused", "x")]
    run = started({"a": Script([[errors[0]], [errors[1]], [errors[2]], [*pictures([], 1.0), None], pictures([], 1.0)])})
    run.wait(lambda: run.of("a").analysed == 20)
    assert run.of("a").faults == {"refused": 2, "timeout": 1, "gone": 1}
    assert run.scripts["a"].opened == run.scripts["a"].closed + 1 == 5
    first = run.of("a").session
    assert first > 1_700_000_000, "sessions are numbered by the time of day, so that no two runs share one"


def test_one_camera_in_trouble_costs_the_others_nothing(started: Any) -> None:
    trouble = [[SourceError("refused", "x")] for _ in range(10_000)]
    run = started({"bad": Script(trouble), "good": Script([pictures([(1, 0, 2, 40)], 20.0)])})
    run.wait(lambda: run.of("good").analysed == 200)
    assert run.of("good").dropped == {}


def test_a_fault_of_the_program_in_a_camera_is_told_and_survived(started: Any, caplog: pytest.LogCaptureFixture) -> None:
    run = started({"a": Script([[*pictures([], 1.0), ZeroDivisionError("a bug")], pictures([], 1.0)])})
    run.wait(lambda: run.of("a").analysed == 20)
    assert "a fault of the program" in caplog.text
    assert run.of("a").faults == {"damaged": 1}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_thread_of_a_camera_that_dies_is_replaced(started: Any, caplog: pytest.LogCaptureFixture) -> None:
    run = started({"a": Script([[*pictures([], 1.0), _Dies()], pictures([], 1.0)])})
    run.wait(lambda: run.of("a").analysed == 20)
    assert "its thread has ended unexpectedly" in caplog.text


class _Dies(BaseException):
    """Nothing catches it."""


def test_a_jump_of_the_time_stamps_begins_a_session_and_loses_no_frame(started: Any) -> None:
    def stamps(k: int) -> float:
        return k / 10 + (500.0 if k >= 10 else 0.0)

    run = started({"a": Script([pictures([], 2.0)], stamps=stamps)})
    run.wait(lambda: run.of("a").analysed == 20)
    assert run.scripts["a"].opened == 1
    assert run.of("a").offered == 20


def test_only_the_reading_thread_touches_a_source(started: Any) -> None:
    run = started({"a": Script([pictures([], 1.0)])})
    run.wait(lambda: run.of("a").analysed == 10)
    run.stop()
    assert run.scripts["a"].readers == {"camera a"}
    assert run.scripts["a"].closed == run.scripts["a"].opened


def test_cameras_are_added_removed_and_changed_while_the_others_go_on(started: Any) -> None:
    scripts = {name: Script([pictures([(1, 0, 2, 40)], 3.0)] * 3) for name in "abc"}
    run = started(scripts, {"a": camera(), "b": camera()})
    run.wait(lambda: run.of("a").analysed == 30 and run.of("b").analysed == 30)
    before = run.of("a").session
    run.service.apply({"a": camera(), "b": camera(priority=2.0), "c": camera()})
    run.wait(lambda: run.of("c").analysed == 30 and run.of("b").analysed == 60)
    assert scripts["a"].opened == 1
    assert run.of("a").session == before
    assert scripts["b"].opened == 2
    run.service.apply({"c": camera()})
    assert [snapshot.source_id for snapshot in run.service.snapshots()] == ["c"]
    run.wait(lambda: {p.source_id for p in run.records.finals} >= {"a", "b"})
    assert len({(p.source_id, p.session, p.key) for p in run.records.finals}) == len(run.records.finals)


def test_stale_and_unconvertible_frames_are_counted_and_not_analysed(started: Any) -> None:
    run = started({"a": Script([pictures([], 1.0)])}, config=LiveConfig(max_age_s=1e-9, adaptive=False))
    run.wait(lambda: run.of("a").dropped.get("stale", 0) == 10)
    assert run.of("a").analysed == 0

    def broken(self: ScriptedCamera, image: Image) -> LivePicture:
        def fail() -> Image:
            raise SourceError("unsupported", "no way to convert it")

        return LivePicture(0.0, time.monotonic(), datetime.now(UTC), None, False, (640, 360), lambda: luma_of(image), fail)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptedCamera, "_picture", broken)
        other = started({"b": Script([[picture([])]])})
        other.wait(lambda: other.of("b").dropped.get("unconvertible", 0) == 1)
    assert accounted(other.of("b"))


def test_a_fault_in_the_analysis_costs_its_frames_and_not_the_program(started: Any, caplog: pytest.LogCaptureFixture) -> None:
    bad = np.full((360, 640, 3), 255, np.uint8)
    bad[0] = 0
    run = Run({"a": Script([[*pictures([(1, 0, 2, 40)], 3.0), bad, *pictures([(2, 0, 2, 40)], 3.0)]])})
    plain = run.pipeline.detector.detect

    def detect(images: Any) -> Any:
        if any(int(image[1, 0, 0]) == 255 for image in images):
            raise ZeroDivisionError("a bug")
        return plain(images)

    run.pipeline.detector.detect = detect  # type: ignore[method-assign]
    run.start(a=camera())
    run.wait(lambda: run.of("a").analysed == 60)
    assert run.stop() == []
    assert run.of("a").dropped == {"failed": 1}
    assert [p.plate for p in run.records.finals] == ["AB12CDE", "XY98ZWV"]
    assert "a fault of the program in the analysis of a" in caplog.text


def test_faults_that_do_not_end_end_the_analysis(started: Any) -> None:
    run = Run({"a": Script([pictures([], 5.0)])})

    def detect(images: Any) -> Any:
        raise ZeroDivisionError("a bug")

    run.pipeline.warm_up = lambda: None  # type: ignore[method-assign]
    run.pipeline.detector.detect = detect  # type: ignore[method-assign]
    run.start(a=camera())
    with pytest.raises(ZeroDivisionError):
        run.wait(lambda: False)
    with pytest.raises(ZeroDivisionError):
        run.stop()


def test_another_size_is_believed_once_it_has_lasted(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise may pass for a picture of any size, sound or not."""
    small = np.zeros((90, 160, 3), np.uint8)
    plain = ScriptedCamera._picture

    def flagged(self: ScriptedCamera, image: Image) -> LivePicture:
        return replace(plain(self, image), suspect=image is small)

    monkeypatch.setattr(ScriptedCamera, "_picture", flagged)
    sound = pictures([], 0.5)
    noise, other = small.copy(), [small.copy() for _ in range(4)]
    later = threading.Event()
    first = [*sound, small, small, noise, *sound, *other, later, *other, SourceError("gone", "x")]
    run = started({"a": Script([first, [noise, *other]])})
    run.wait(lambda: run.of("a").dropped.get("damaged", 0) == 3 + len(other))
    threading.Timer(NEW_SIZE_S, later.set).start()
    run.wait(lambda: run.of("a").analysed == 2 * len(sound) + len(other) + 1 + len(other))
    assert run.of("a").dropped == {"damaged": 3 + len(other)}, "the next session has the new size from its start"
    assert run.of("a").suspect == 2


@pytest.mark.parametrize("state", ["before start", "connecting", "live", "waiting"])
def test_stopping_is_quick_in_every_state(started: Any, state: str) -> None:
    script = Script(
        {"connecting": [[threading.Event()]], "live": [pictures([], 1.0)], "waiting": [[SourceError("refused", "x")]]}.get(state, [[]])
    )
    run = started({"a": script}, {} if state == "before start" else {"a": camera(backoff_min_s=60.0, backoff_max_s=60.0)})
    if state == "live":
        run.wait(lambda: run.of("a").analysed == 10)
    elif state == "waiting":
        run.wait(lambda: run.of("a").state == "backoff")
    began = time.monotonic()
    assert run.stop() == []
    assert time.monotonic() - began < 2.0
    assert not [thread for thread in threading.enumerate() if thread.name in ("camera a", "analysis", "recording")]
