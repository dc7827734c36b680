"""The daemon's heart: cameras come and go, one thread analyses what they see, another records it, and this supervises them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from logging import getLogger

from streamer.config import Camera, LiveConfig
from streamer.live.analysis import Analysis
from streamer.live.capture import LiveCapture
from streamer.live.load import LoadControl
from streamer.live.recording import RecordingThread
from streamer.live.stats import CameraSnapshot, CameraStats
from streamer.mailbox import Mailbox
from streamer.pipeline import Pipeline, TrackedPlate
from streamer.ports import Meter
from streamer.types import Frame, Passage, RawFrame

_log = getLogger(__name__)

MakeCapture = Callable[[str, Camera, Mailbox[RawFrame], CameraStats, int], LiveCapture]
"""Builds the thread of a camera: its name, configuration, the mailbox, its counters, the number of its first session."""


@dataclass(slots=True)
class _Running:
    """A camera at work."""

    config: Camera
    stats: CameraStats
    capture: LiveCapture


class LiveService:
    """Runs cameras through a pipeline into a recording. ``start``, ``apply`` and ``stop`` are called by one thread, the supervisor."""

    def __init__(
        self,
        pipeline: Pipeline,
        recording: RecordingThread,
        make_capture: MakeCapture,
        meter: Meter,
        config: LiveConfig,
        *,
        batch: int,
        hold_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take built parts.

        Args:
            pipeline: must show its frames to ``observe``.
            recording: started and closed here.
            make_capture: builds the thread of a camera.
            meter: is told how long the steps take.
            config: section ``live``.
            batch: frames a call of the detector at most.
            hold_s: how long after a camera went away its open passages may wait for it to come back.
            clock: monotonic seconds.
        """
        self._recording = recording
        self._make_capture = make_capture
        self._config = config
        self._clock = clock
        self._mailbox: Mailbox[RawFrame] = Mailbox(on_replaced=self._replaced)
        self._cameras: dict[str, _Running] = {}
        self._former: dict[str, int] = {}
        self._load = LoadControl(clock())
        self._stopping = False
        self._analysis = Analysis(
            pipeline,
            self._mailbox,
            recording,
            meter,
            config,
            batch=batch,
            hold_s=hold_s,
            stats=self.stats,
            load=self._load,
            clock=clock,
        )

    @property
    def heartbeat(self) -> float | None:
        """When the analysis was known to go on, monotonic seconds; None before it began."""
        return self._analysis.heartbeat

    def start(self, cameras: Mapping[str, Camera]) -> None:
        """Start the threads; no camera needs to be there."""
        self._recording.start()
        self._analysis.start()
        for name, config in cameras.items():
            self._add(name, config)

    def apply(self, cameras: Mapping[str, Camera]) -> None:
        """Make the running cameras those that are given: stops, starts and restarts what differs, and leaves the others alone."""
        leaving = [name for name, running in self._cameras.items() if cameras.get(name) != running.config]
        for name in leaving:
            self._cameras[name].capture.stop()
        for name in leaving:
            if name in cameras:
                self._restart(name, cameras[name])
            else:
                self._remove(name)
        for name, config in cameras.items():
            if name not in self._cameras:
                self._add(name, config)

    def hold(self, seconds: float) -> None:
        """Change how long after a camera went away its open passages may wait for it to come back."""
        self._analysis.hold_s = seconds

    def adopt(self, change: Callable[[Pipeline], None]) -> None:
        """Change the pipeline's rules between two batches, in the thread that uses it."""

        def job(pipeline: Pipeline) -> Sequence[Passage]:
            change(pipeline)
            return ()

        self._analysis.do(job)

    def supervise(self) -> None:
        """Look after the threads: to be called every second or so. Raises what ended the analysis, a fault of the program."""
        self._raise_faults()
        for name, running in self._cameras.items():
            if not running.capture.alive and not self._stopping:
                _log.error("camera %s: its thread has ended unexpectedly; starting another", name, extra={"camera": name})
                self._former[name] = running.stats.snapshot().session
                running.capture = self._capture(name, running.config, running.stats)
                running.capture.start()
        self._share()

    def stop(self, timeout_s: float) -> list[str]:
        """Drain: cameras end, open passages become events, all is recorded. Gives the names of threads that did not end in time."""
        deadline = self._clock() + timeout_s
        self._stopping = True
        left: list[str] = []
        for running in self._cameras.values():
            running.capture.stop()
        # The end of a camera's session comes with its thread's end; one that hangs must not cost the others theirs.
        for name, running in self._cameras.items():
            if not running.capture.join(max(deadline - self._clock(), 0.0) / 2):
                left.append(f"camera {name}")
        if not self._analysis.stop(max(deadline - self._clock(), 1.0)):
            left.append("analysis")
        self._mailbox.close()
        for running in self._cameras.values():
            running.stats.drop("stopped", running.stats.snapshot().waiting)
        if not self._recording.close(max(deadline - self._clock(), 1.0)):
            left.append("recording")
        self._raise_faults()
        return left

    def snapshots(self) -> list[CameraSnapshot]:
        """Give the state of every camera. Any thread."""
        return [running.stats.snapshot() for running in list(self._cameras.values())]

    def stats(self, source_id: str) -> CameraStats | None:
        """Give the counters of a camera; None if it is gone."""
        running = self._cameras.get(source_id)
        return running.stats if running is not None else None

    def observe(self, frame: Frame, plates: Sequence[TrackedPlate]) -> None:
        """Be the pipeline's observer: count the frame."""
        stats = self.stats(frame.source_id)
        if stats is not None:
            stats.analyse(plates=len(plates))

    def seen_ago_s(self, passage: Passage) -> float | None:
        """Say how many seconds ago the last frame of a passage came; None if that is forgotten. Any thread."""
        return self._analysis.seen_ago_s(passage)

    def _add(self, name: str, config: Camera) -> None:
        self._mailbox.add(name)
        stats = CameraStats(name, self._clock)
        running = self._cameras[name] = _Running(config, stats, self._capture(name, config, stats))
        running.capture.start()  # known before its first frame comes: each is accounted for

    def _capture(self, name: str, config: Camera, stats: CameraStats) -> LiveCapture:
        # Numbered by the time of day, so that no two sessions of a camera share a number, over all runs of the program.
        first = max(int(time.time()), self._former.get(name, 0) + 1)
        return self._make_capture(name, config, self._mailbox, stats, first)

    def _restart(self, name: str, config: Camera) -> None:
        """Go on with other settings: as after a short fault, a vehicle in view stays one vehicle, and the counters go on."""
        running = self._cameras[name]
        self._await_end(name, running)
        running.config, running.capture = config, self._capture(name, config, running.stats)
        running.capture.start()

    def _remove(self, name: str) -> None:
        self._await_end(name, self._cameras.pop(name))
        self._mailbox.remove(name)
        self._analysis.finish(name)

    def _await_end(self, name: str, running: _Running) -> None:
        if not running.capture.join(running.config.open_timeout_s + 1.0):
            _log.error("camera %s: its thread does not end", name, extra={"camera": name})
        self._former[name] = running.stats.snapshot().session

    def _raise_faults(self) -> None:
        for fault in (self._analysis.failure, self._recording.fault):
            if fault is not None:
                raise fault

    def _share(self) -> None:
        cameras = dict(self._cameras)
        live = {name: running for name, running in cameras.items() if running.stats.snapshot().state == "live"}
        wanted = {name: running.capture.pace.wanted_fps for name, running in live.items()}
        limits = self._load.limits(wanted, {name: running.config.priority for name, running in live.items()}, self._clock())
        if limits is None or not self._config.adaptive:
            return
        before = [running.capture.pace.limit_fps for running in live.values()]
        for name, running in live.items():
            running.capture.pace.limit_fps = limits[name]
            running.stats.limit(limits[name])
        if any(limits.values()) != any(before):
            capacity = self._load.capacity_fps or 0.0
            if any(limits.values()):
                _log.warning("busy: %.1f frames/s wanted, about %.1f possible; all cameras get less", sum(wanted.values()), capacity)
            else:
                _log.info("no longer busy: all cameras get the rate that they want")

    def _replaced(self, source_id: str) -> None:
        stats = self.stats(source_id)
        if stats is not None:
            stats.drop("replaced")
