"""The thread that records: a slow disk or a dead sink never holds up the analysis, and no event is lost while the program lives."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from logging import getLogger
from typing import Protocol

from streamer.errors import SinkError, StoreError
from streamer.events import Event
from streamer.types import Passage

_log = getLogger(__name__)

BATCH = 64
"""Passages a transaction at most."""

ROOM = 20_000
"""Passages that wait at most: of the order of 1 GB of crops. Beyond, the newest are lost, counted and logged: the program must live on."""

RETRY_S = (0.5, 10.0)
"""Shortest and longest wait after a failure."""


CLIPS_EVERY_S = 0.25
"""How often clips that events wait for are looked for."""


class LateClips(Protocol):
    """What the thread needs of who adds clips to events, see ``streamer.lateclips``."""

    @property
    def waiting(self) -> int:
        """Events that wait for their clip."""

    def add(self, *, ending: bool) -> Iterator[tuple[Passage, Event]]:
        """Record the clips that are there now, all with ``ending``; gives each revision as soon as it is durable. Raises StoreError."""


class Records(Protocol):
    """What the thread needs of a recorder."""

    def append(self, passages: Sequence[Passage]) -> list[Event]:
        """Record. Raises StoreError: nothing was recorded."""

    def deliver(self) -> None:
        """Write to the log what is recorded. Raises SinkError, StoreError."""


@dataclass(frozen=True, slots=True)
class RecordingState:
    """How the recording goes."""

    waiting: int
    """Passages that are not recorded yet."""
    oldest_s: float
    """Seconds since the oldest of them was handed over; 0 if there is none."""
    recorded: int
    lost: int
    """Passages for which there was no room."""
    failure: str | None
    """What is wrong with the store or the log now, in words; None if nothing is."""
    alive: bool
    """The thread runs."""


class RecordingThread:
    """Takes passages from the analysis and records them in its own thread, in order; tries again as long as the store or the log fails."""

    def __init__(
        self,
        recorder: Records,
        *,
        on_event: Callable[[Passage, Event], None] = lambda passage, event: None,
        clips: LateClips | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``on_event`` is told of each event, in this thread, once it is durable; ``clips``: who adds clips to those that wait for one."""
        self._recorder = recorder
        self._on_event = on_event
        self._clips = clips
        self._clock = clock
        self._waiting: deque[tuple[float, Passage]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._deadline = float("inf")
        self._recorded = 0
        self._lost = 0
        self._failure: str | None = None
        self._behind = False
        self._retry_s = RETRY_S[0]
        self.fault: BaseException | None = None
        """What ended the thread, a fault of the program."""
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)

    def start(self) -> None:
        """Begin to record."""
        self._thread.start()

    def put(self, passages: Sequence[Passage]) -> None:
        """Hand passages over; never waits."""
        if not passages:
            return
        with self._changed:
            room = max(ROOM - len(self._waiting), 0)
            if len(passages) > room:
                self._lost += len(passages) - room
                _log.error("no room for %d more events: the store has failed for too long", len(passages) - room)
            now = self._clock()
            self._waiting.extend((now, passage) for passage in passages[:room])
            self._changed.notify_all()

    def close(self, timeout_s: float) -> bool:
        """Record what waits and end; False if that took too long. What the store does not take by then is lost, and told."""
        with self._changed:
            self._closing = True
            self._deadline = self._clock() + timeout_s
            self._changed.notify_all()
        self._thread.join(timeout_s + RETRY_S[1])
        state = self.state()
        if state.waiting:
            _log.error("%d events could not be recorded before the end: %s", state.waiting, state.failure or "no time left")
        return not state.alive and not state.waiting

    def state(self) -> RecordingState:
        """Say how it goes. Any thread."""
        with self._changed:
            oldest_s = self._clock() - self._waiting[0][0] if self._waiting else 0.0
            return RecordingState(len(self._waiting), oldest_s, self._recorded, self._lost, self._failure, self._thread.is_alive())

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 (kept for the supervisor, which raises it)
            self.fault = error

    def _work(self) -> None:
        while True:
            with self._changed:
                late = self._clips is not None and self._clips.waiting > 0
                self._changed.wait_for(lambda: self._waiting or self._closing or self._behind, CLIPS_EVERY_S if late else None)
                batch = [passage for _, passage in list(self._waiting)[:BATCH]]
                ending = self._closing and not batch
            if ending and not late and not self._behind:
                return
            if not self._step(batch, ending=ending) and not self._pause():
                return

    def _step(self, batch: Sequence[Passage], *, ending: bool) -> bool:
        """Record a batch and the clips that are there, and write the log; False if one of them failed."""
        try:
            new = bool(batch) or self._behind
            if batch:
                # By source, too: cameras that began in the same second have passages of the same name.
                events = {(event["source"], event["passage"], event["state"]): event for event in self._recorder.append(batch)}
                self._taken(len(batch))
                for passage in batch:
                    event = events.get((passage.source_id, passage.key, passage.state))
                    if event is not None:
                        self._told(passage, event)
            for passage, event in self._clips.add(ending=ending) if self._clips is not None else ():
                self._told(passage, event)
                new = True
            if new:
                self._recorder.deliver()
        except (StoreError, SinkError) as error:
            if self._failure != str(error):
                _log.error("recording fails: %s; trying again", error)
            self._failure = str(error)
            self._behind = True
            return False
        if self._failure is not None:
            _log.info("recording goes on")
        self._failure, self._behind, self._retry_s = None, False, RETRY_S[0]
        return True

    def _told(self, passage: Passage, event: Event) -> None:
        """Tell of an event. Whoever listens may fail (a closed pipe) without harm to the recording."""
        try:
            self._on_event(passage, event)
        except Exception:  # noqa: BLE001 (told; recording must go on)
            _log.exception("a listener failed; the event is recorded all the same")

    def _taken(self, count: int) -> None:
        with self._changed:
            for _ in range(count):
                self._waiting.popleft()
            self._recorded += count

    def _pause(self) -> bool:
        """Wait before the next attempt; False if there is no time left for one."""
        with self._changed:
            left_s = self._deadline - self._clock()
            if left_s <= 0:
                return False
            closing = self._closing
            self._changed.wait_for(lambda: self._closing != closing, min(self._retry_s, left_s))
        self._retry_s = min(2 * self._retry_s, RETRY_S[1])
        return True
