"""The loops of a test: frames of a camera, or of a recording, through the program's own pipeline for some minutes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import Final

from streamer.cameradoctor.notes import NotedSource, StreamNotes
from streamer.config import Camera
from streamer.errors import SourceError
from streamer.live.capture import LiveCapture
from streamer.live.stats import CameraStats
from streamer.mailbox import Mailbox
from streamer.pipeline import Pipeline
from streamer.ports import LiveSource
from streamer.sources.recording_facts import recording_facts
from streamer.sources.recordings import Recording, sessions_of
from streamer.types import Frame, Passage, RawFrame, SessionEnd

_log = getLogger(__name__)

LOOK_UP_S: Final = 0.25
"""How often the clock and the stop are looked at while no frame comes."""
EARLY: Final = 0.1
"""A frame is taken if it comes this share of an interval early: time stamps are rounded."""

Progress = Callable[[float], None]
"""Is told how many seconds of the test are done."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What came of a test."""

    passages: tuple[Passage, ...]
    notes: StreamNotes
    analysed_fps: float


def watch_camera(
    name: str, config: Camera, source: LiveSource, pipeline: Pipeline, *, seconds: float, stop: threading.Event, progress: Progress
) -> Watched:
    """Watch a camera as ``plate-streamer run`` would, without its motion gate, from the first frame on or until ``stop`` is set.

    Faults after the first frame are counted, and the camera is connected to again. Raises SourceError if there was no first frame.
    """
    noted = NotedSource(source, config.max_clock_skew_s)
    mailbox: Mailbox[RawFrame] = Mailbox(live=(name,))
    stats = CameraStats(name)
    capture = LiveCapture(noted, config, mailbox, stats)
    test = _Test(pipeline, seconds)
    capture.start()
    try:
        while not stop.is_set() and not test.over:
            _raise_if_never_live(stats, test)
            test.take(mailbox.take(1, 0.0, LOOK_UP_S))
            progress(test.done_s)
    finally:
        capture.stop()
        mailbox.close()
        if not capture.join(config.open_timeout_s + config.read_timeout_s):
            _log.warning("camera %s: its thread did not end in time", name)
    return Watched(test.finish(name), noted.notes(), test.fps)


def _raise_if_never_live(stats: CameraStats, test: _Test) -> None:
    if test.began_at is None:
        snapshot = stats.snapshot()
        if snapshot.state == "backoff" and snapshot.reason is not None:
            raise SourceError(snapshot.reason, snapshot.message)


class _Test:
    """Frames through the pipeline, and the time."""

    def __init__(self, pipeline: Pipeline, seconds: float) -> None:
        self._pipeline = pipeline
        self._seconds = seconds
        self._passages: list[Passage] = []
        self._frames = 0
        self._last_at = 0.0
        self.began_at: float | None = None

    @property
    def done_s(self) -> float:
        return 0.0 if self.began_at is None else time.monotonic() - self.began_at

    @property
    def over(self) -> bool:
        return self.done_s >= self._seconds

    @property
    def fps(self) -> float:
        """Frames a second that were analysed."""
        passed_s = self._last_at - (self.began_at or 0.0)
        return (self._frames - 1) / passed_s if self._frames > 1 and passed_s > 0 else 0.0

    def take(self, items: list[RawFrame | SessionEnd]) -> None:
        ready: list[Frame | SessionEnd] = []
        for item in items:
            if isinstance(item, SessionEnd):
                ready.append(item)
                continue
            self._last_at = time.monotonic()
            self.began_at = self._last_at if self.began_at is None else self.began_at
            try:
                ready.append(item.developed(self._last_at - item.read_at))
                self._frames += 1
            except SourceError as error:
                _log.warning("%s: %s", item.source_id, error)
        if ready:
            self._passages.extend(self._pipeline.process(ready))

    def finish(self, name: str) -> tuple[Passage, ...]:
        return _final([*self._passages, *self._pipeline.finish(name)])


def watch_recording(
    path: Path, pipeline: Pipeline, *, process_fps: float, seconds: float, stop: threading.Event, progress: Progress
) -> Watched:
    """Watch a video file as fast as this machine can, ``process_fps`` of its frames a second. Raises SourceError, UsageError."""
    facts, span_s = recording_facts(path, seconds)
    (make,) = sessions_of([Recording(path)])
    source = make()
    passages: list[Passage] = []
    index = analysed = 0
    due_s, t = 0.0, 0.0
    source.open()
    try:
        while not stop.is_set() and (picture := source.read()) is not None and picture.t < seconds:
            t = picture.t
            if t >= due_s - EARLY / process_fps:
                due_s = max(due_s + 1 / process_fps, t)
                frame = Frame(path.name, 1, index, t, time.monotonic(), picture.wall, picture.clock, picture.convert())
                passages.extend(pipeline.process([frame]))
                analysed += 1
                progress(t)
            index += 1
    finally:
        source.close()
    passages.extend(pipeline.finish(path.name))
    notes = StreamNotes(
        facts=facts,
        seconds=span_s,
        pictures=facts.packets,
        suspect=0,
        fps=(facts.packets - 1) / span_s if span_s > 0 else None,
        longest_gap_s=0.0,
        key_frames_s=facts.key_frame_interval_s,
        reordered=None,
        live=False,
    )
    return Watched(_final(passages), notes, (analysed - 1) / t if t > 0 else 0.0)


def _final(passages: list[Passage]) -> tuple[Passage, ...]:
    return tuple(passage for passage in passages if passage.state == "final")
