"""The thread that analyses the frames of all cameras: the only one that touches the pipeline."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from logging import getLogger

from streamer.config import LiveConfig
from streamer.errors import SourceError
from streamer.live.load import LoadControl
from streamer.live.recording import RecordingThread
from streamer.live.stats import CameraStats, DropCause
from streamer.mailbox import Mailbox
from streamer.pipeline import Pipeline
from streamer.ports import Meter
from streamer.types import Frame, Passage, RawFrame, SessionEnd

_log = getLogger(__name__)

WAIT_S = 0.25
"""How often the analysis looks up when no frame comes."""

REMEMBERED = 2000
"""Frames of each camera whose arrival is known: more than a minute of them, which is longer than any passage is held."""

FAILURES_IN_A_ROW = 10
"""So many batches that fail one after the other are no accident: the program ends, and its supervisor starts it afresh."""

MOST_CONVERTERS = 4
"""Threads that convert frames of a batch."""

Job = Callable[[Pipeline], Sequence[Passage]]
"""Something to do with the pipeline between two batches."""


class Analysis:
    """Takes frames from the mailbox, runs them through the pipeline and hands the passages to the recording."""

    def __init__(
        self,
        pipeline: Pipeline,
        mailbox: Mailbox[RawFrame],
        recording: RecordingThread,
        meter: Meter,
        config: LiveConfig,
        *,
        batch: int,
        hold_s: float,
        stats: Callable[[str], CameraStats | None],
        load: LoadControl,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take built parts; ``stats`` gives the counters of a camera, ``hold_s`` is told in ``LiveService``."""
        self._pipeline = pipeline
        self._mailbox = mailbox
        self._recording = recording
        self._meter = meter
        self._config = config
        self._batch = batch
        self.hold_s = hold_s
        """How long after a camera went away its open passages may wait for it to come back."""
        self._stats = stats
        self._load = load
        self._clock = clock
        self._jobs: deque[Job] = deque()
        self._away: dict[str, float] = {}
        self._arrivals: dict[str, dict[datetime, float]] = {}
        self._failed = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="analysis", daemon=True)
        self._converters = _threads(min(MOST_CONVERTERS, len(os.sched_getaffinity(0))), "convert")
        self.failure: BaseException | None = None
        """What ended the thread, a fault of the program."""
        self.heartbeat: float | None = None
        """When the thread was known to go on, monotonic seconds; None before it began."""

    def start(self) -> None:
        """Begin; first does what takes long the first time only."""
        self._pipeline.warm_up()
        self._thread.start()

    def do(self, job: Job) -> None:
        """Have something done between two batches, in the thread that uses the pipeline; what it gives is recorded. Any thread."""
        self._jobs.append(job)

    def stop(self, timeout_s: float) -> bool:
        """Analyse what waits, end all open passages and the thread; False if that took too long."""
        self._stopping.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def seen_ago_s(self, passage: Passage) -> float | None:
        """Say how many seconds ago the last frame of a passage came; None if that is forgotten. Any thread."""
        # Looked up by the frame's wall time, not reckoned by ``t``: its last frame may be of another session than its first.
        arrived_at = self._arrivals.get(passage.source_id, {}).get(passage.last.wall)
        return None if arrived_at is None else self._clock() - arrived_at

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._step(WAIT_S)
            while self._step(0.0):
                pass
            for name in self._pipeline.sources:
                self._recording.put(self._finished(name))
        except BaseException as failure:  # noqa: BLE001 (kept for the supervisor, which raises it)
            self.failure = failure
        finally:
            self._converters.shutdown()  # idle here: every batch waits for its frames

    def _step(self, wait_s: float) -> bool:
        items = self._mailbox.take(self._batch, self._config.window_s, wait_s)
        self.heartbeat = began = self._clock()
        while self._jobs:
            self._recording.put(self._jobs.popleft()(self._pipeline))
        if items:
            ready = self._developed(items, began)
            converted = self._clock()
            self._recording.put(self._analysed(ready))
            frames = sum(isinstance(item, Frame) for item in ready)
            if frames:
                ended = self._clock()
                self._load.worked(frames, ended - began)
                self._meter.batch(frames)
                self._meter.stage("convert", converted - began)
                self._meter.stage("analyse", ended - converted)
        self._end_those_away()
        return bool(items)

    def _analysed(self, items: Sequence[Frame | SessionEnd]) -> Sequence[Passage]:
        """Run a batch. If that fails, its cameras lose their open tracks and its frames are counted; the others go on."""
        try:
            passages = self._pipeline.process(items)
        except Exception:
            self._failed += 1
            if self._failed >= FAILURES_IN_A_ROW:
                raise
            names = sorted({item.source_id for item in items})
            _log.exception("a fault of the program in the analysis of %s; going on without these frames", ", ".join(names))
            for item in items:
                if isinstance(item, Frame):
                    self._drop(item.source_id, "failed")
            return [passage for name in names for passage in self._finished(name)]
        self._failed = 0
        return passages

    def finish(self, name: str) -> None:
        """Have a source that is gone for good ended: its open passages are recorded. Any thread."""
        self._jobs.append(lambda pipeline: self._finished(name))

    def _finished(self, name: str) -> Sequence[Passage]:
        """End a source whose books may be in disorder."""
        try:
            return self._pipeline.finish(name)
        except Exception:  # noqa: BLE001 (what is lost is told; the other cameras go on)
            _log.exception("%s: its open passages are lost", name)
            return ()

    def _developed(self, items: Sequence[RawFrame | SessionEnd], now: float) -> list[Frame | SessionEnd]:
        """Convert the frames whose turn it is; those that are too old or cannot be converted are counted and left out."""
        # At the same time: libav converts without the interpreter's lock, and until all are done everybody waits.
        young = [item for item in items if isinstance(item, RawFrame) and now - item.read_at <= self._config.max_age_s]
        frames = dict(
            zip(map(id, young), self._converters.map(self._converted, young, [now - item.read_at for item in young]), strict=True)
        )
        ready: list[Frame | SessionEnd] = []
        for item in items:
            if isinstance(item, SessionEnd):
                self._away.setdefault(item.source_id, now)  # since it went away, however often it was tried again
                ready.append(item)
                continue
            self._away.pop(item.source_id, None)
            if id(item) not in frames:
                self._drop(item.source_id, "stale")
            elif (frame := frames[id(item)]) is not None:
                self._meter.frame_age(item.source_id, now - item.read_at)
                self._remember(item)
                ready.append(frame)
        return ready

    def _converted(self, frame: RawFrame, age_s: float) -> Frame | None:
        """Convert a frame; None, told and counted, if that fails: the other cameras go on. Any thread."""
        try:
            return frame.developed(age_s)
        except SourceError as error:
            _log.warning("camera %s: %s", frame.source_id, error, extra={"camera": frame.source_id})
        except Exception:  # noqa: BLE001
            _log.exception("camera %s: a fault of the program in converting", frame.source_id, extra={"camera": frame.source_id})
        self._drop(frame.source_id, "unconvertible")
        return None

    def _drop(self, source_id: str, cause: DropCause) -> None:
        stats = self._stats(source_id)
        if stats is not None:
            stats.drop(cause)

    def _remember(self, frame: RawFrame) -> None:
        arrivals = self._arrivals.setdefault(frame.source_id, {})
        arrivals[frame.wall] = frame.read_at
        if len(arrivals) > REMEMBERED:
            del arrivals[next(iter(arrivals))]

    def _end_those_away(self) -> None:
        """A vehicle that was seen just before a camera went away is reported now, not when the camera comes back."""
        now = self._clock()
        for name, since in list(self._away.items()):
            if now - since > self.hold_s:
                del self._away[name]
                self._recording.put(self._finished(name))


def _threads(count: int, name: str) -> ThreadPoolExecutor:
    """Give a pool whose threads are all there from the start: whoever counts threads sees none come later."""
    pool = ThreadPoolExecutor(count, name)
    met = threading.Barrier(count)
    for _ in range(count):
        pool.submit(met.wait)
    return pool
