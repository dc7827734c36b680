"""The real service with real cameras over a pipeline so light that faults are tested and not the machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from queue import Queue
from types import TracebackType
from typing import Any, Self

from streamer.config import Camera, LiveConfig
from streamer.errors import SourceReason
from streamer.events import Event
from streamer.live.capture import LiveCapture
from streamer.live.motion import MotionGate
from streamer.live.recording import RecordingThread
from streamer.live.service import LiveService
from streamer.live.stats import CameraSnapshot, CameraStats
from streamer.mailbox import Mailbox
from streamer.passages import PassageBook, PassageRules
from streamer.pipeline import Pipeline, TrackedPlate
from streamer.ports import LiveSource
from streamer.sources.network import NetworkCamera
from streamer.tracker import PlateTracker
from streamer.types import Frame, Passage, RawFrame
from tests import test_live_service as scripted
from tests.e2e.livecamera_clip import CountingDetector, GreyReader, number_of
from tests.test_pipeline import FORMATS, RULES, single

OPEN_S, T, FIRST_S, MIN_S, CAP_S = 1.5, 1.0, 2.0, 0.25, 2.0
"""The time-outs of most tests, shorter than the defaults: open, read (the table's T), first frame, least and longest wait."""
QUICK: dict[str, Any] = {
    "hwaccel": "none",
    "open_timeout_s": OPEN_S,
    "read_timeout_s": T,
    "first_frame_timeout_s": FIRST_S,
    "backoff_min_s": MIN_S,
    "backoff_max_s": CAP_S,
    "auth_backoff_s": 2 * CAP_S,
    "motion_gate": False,
    "process_fps": 1000.0,
}
WITHIN_S = 30.0
"""Whatever takes longer is broken, however busy the machine."""


def camera(url: str, **changes: Any) -> Camera:
    return Camera.model_validate({"url": url, **QUICK, **changes})


@dataclass(frozen=True, slots=True)
class Turn:
    """What a camera's counters were told: a state, or why a session ended."""

    at: float
    state: str
    reason: SourceReason | None
    message: str
    session: int


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One frame that was analysed; ``image`` and ``began_at`` (monotonic) beside what Frame says."""

    frame: Frame
    number: int
    began_at: float
    plates: int


class Records(scripted.Records):
    """Remembers, too, how long each passage took."""

    def __init__(self, seen_ago_s: Callable[[Passage], float | None]) -> None:
        super().__init__()
        self.latencies: list[tuple[Passage, float | None]] = []
        """Each passage with the seconds from its last frame to its record, as the service says."""
        self._seen_ago_s = seen_ago_s

    def append(self, passages: Sequence[Passage]) -> list[Event]:
        self.latencies += [(passage, self._seen_ago_s(passage)) for passage in passages]
        return super().append(passages)


class Rig:
    """The real service, capture and cameras over the light pipeline; everything that happens is kept with its time.

    At its end every frame is accounted for, by counts that are not the counters' own.
    """

    def __init__(
        self,
        cameras: Mapping[str, Camera],
        *,
        takes_s: float = 0.0,
        config: LiveConfig | None = None,
        batch: int = 8,
        hold_s: float = 0.5,
        source: Callable[[str, Camera], LiveSource] = NetworkCamera,
        keep_images: bool = False,
        turns: dict[str, list[Turn]] | None = None,
    ) -> None:
        self._cameras = cameras
        self._source = source
        self._keep_images = keep_images
        self.turns: dict[str, list[Turn]] = turns or {}
        self._heard: set[str] = set()
        self.seen: dict[str, list[Seen]] = {name: [] for name in cameras}
        self.records = Records(lambda passage: self.service.seen_ago_s(passage))
        self.detector = CountingDetector(takes_s)
        rules = PassageRules(0.1, 8.0, 1.0, 0.5, RULES)
        self.pipeline = Pipeline(
            self.detector,
            GreyReader(),
            make_tracker=lambda: PlateTracker(lost_after_s=0.5, reach=3.0, min_score=0.25),
            make_book=lambda source_id: PassageBook(source_id, rules, FORMATS),
            decide_single=single,
            observer=self._observe,
        )
        self.service = LiveService(
            self.pipeline,
            RecordingThread(self.records),
            self._make,
            scripted.NoMeter(),
            config or LiveConfig(adaptive=False),
            batch=batch,
            hold_s=hold_s,
        )
        self._end = ExitStack()
        self._wanted: Queue[Mapping[str, Camera]] = Queue()
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor of the test")
        self.left: list[str] | None = None
        """What ``stop`` gave, once it was called."""

    def __enter__(self) -> Self:
        self.service.start(self._cameras)
        self._warmed = self.detector.seen
        self._supervisor.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._end:
            if self.left is None:
                self.stop(check=kind is None)

    def at_end(self, call: Callable[[], object]) -> None:
        """Have something done after the service has stopped."""
        self._end.callback(call)

    def stop(self, *, check: bool = True) -> float:
        """Stop everything; gives how long it took, seconds."""
        self._over.set()
        self._supervisor.join()
        running = self.service.snapshots()
        began = time.monotonic()
        self.left = self.service.stop(WITHIN_S)
        took_s = time.monotonic() - began
        if check:
            assert self._failure is None
            assert self.left == []
            self._check_accounts(running)
        return took_s

    def _check_accounts(self, running: Sequence[CameraSnapshot]) -> None:
        for snapshot in running:
            assert 0 <= snapshot.waiting <= 3, f"one is in the reading thread, one waits, one is analysed, at most: {snapshot}"
        for snapshot in self.service.snapshots():
            name = snapshot.source_id
            assert snapshot.analysed == len(self.seen[name])
            assert snapshot.offered == snapshot.analysed + sum(snapshot.dropped.values()), snapshot
            assert snapshot.dropped.get("stopped", 0) <= 3, snapshot
        assert self.detector.seen - self._warmed == sum(map(len, self.seen.values()))

    def apply(self, cameras: Mapping[str, Camera]) -> None:
        """Have other cameras from now on."""
        self._wanted.put(cameras)
        self._wanted.join()

    def of(self, name: str) -> CameraSnapshot:
        return next(one for one in self.service.snapshots() if one.source_id == name)

    def wait(self, condition: Callable[[], Any], within_s: float = WITHIN_S) -> Any:
        """Wait until a condition holds; gives what it gave."""
        deadline = time.monotonic() + within_s
        while not (found := condition()):
            states = [(s.source_id, s.state, s.offered, s.analysed, s.dropped, s.faults, s.message) for s in self.service.snapshots()]
            assert time.monotonic() < deadline, states
            time.sleep(0.01)
        return found

    def live(self, name: str, after: float = 0.0) -> float:
        """Wait until a camera becomes live after a moment; gives when it did."""
        return float(self.wait(lambda: self.first(name, "live", after)).at)

    def fault(self, name: str, after: float = 0.0) -> Turn:
        """Wait until a session or an attempt ends after a moment."""
        found: Turn = self.wait(lambda: self.first(name, "fault", after))
        return found

    def first(self, name: str, state: str, after: float) -> Turn | None:
        turns = self.turns.get(name, [])
        return next((turn for turn in list(turns) if turn.state == state and turn.at >= after), None)

    def faults(self, name: str, after: float = 0.0) -> list[Turn]:
        return [turn for turn in list(self.turns[name]) if turn.state == "fault" and turn.at >= after]

    def _make(self, name: str, config: Camera, mailbox: Mailbox[RawFrame], stats: CameraStats, first: int) -> LiveCapture:
        if name not in self._heard:
            self._heard.add(name)
            self._listen(stats, self.turns.setdefault(name, []))
        gate = MotionGate if config.motion_gate else None
        return LiveCapture(self._source(name, config), config, mailbox, stats, first_session=first, make_gate=gate)

    def _listen(self, stats: CameraStats, turns: list[Turn]) -> None:
        enter, fault = stats.enter, stats.fault

        def note_enter(state: Any, session: int | None = None) -> None:
            enter(state, session)
            turns.append(Turn(time.monotonic(), state, None, "", stats.snapshot().session))

        def note_fault(reason: SourceReason, message: str) -> None:
            fault(reason, message)
            turns.append(Turn(time.monotonic(), "fault", reason, message, stats.snapshot().session))

        stats.enter, stats.fault = note_enter, note_fault  # type: ignore[method-assign]

    def _observe(self, frame: Frame, plates: Sequence[TrackedPlate]) -> None:
        self.service.observe(frame, plates)
        age_s = frame.age_s or 0.0
        number = number_of(frame.image)
        kept = frame if self._keep_images else replace(frame, image=frame.image[:1, :1].copy())
        self.seen[frame.source_id].append(Seen(kept, number, frame.read_at + age_s, len(plates)))

    def _supervise(self) -> None:
        try:
            while not self._over.wait(0.1):
                self.service.supervise()
                while not self._wanted.empty():
                    self.service.apply(self._wanted.get())
                    self._wanted.task_done()
        except BaseException as failure:  # noqa: BLE001 (raised by the test's own thread)
            self._failure = failure
