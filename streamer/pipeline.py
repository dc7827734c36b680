"""The order of the work: frames in, passages out. No thread, no clock, no I/O.

What a frame leads to depends on the earlier frames of its source alone, never on how frames were put into batches: the
network calls are batched, the decisions are not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from streamer.crops import cut
from streamer.passages import CropRequest, MakeBook, PassageBook
from streamer.ports import Detector, TextReader
from streamer.types import Box, Detection, Frame, Image, KnownPlate, Passage, PlateRead, SessionEnd, Stamp
from streamer.vote import Decision


class Tracker(Protocol):
    """Boxes to tracks of one session."""

    def update(self, detections: Sequence[Detection], t: float) -> TrackerUpdate:
        """Take the detections of the frame at ``t`` seconds."""

    def finish(self) -> tuple[int, ...]:
        """End the session; gives the numbers of the tracks that were still alive."""


class TrackerUpdate(Protocol):
    """What one frame did to the tracks."""

    @property
    def pairs(self) -> tuple[tuple[int, Detection], ...]:
        """(track number, detection) of this frame."""

    @property
    def ended(self) -> tuple[int, ...]:
        """Numbers of the tracks that ended."""

    @property
    def lost(self) -> tuple[KnownPlate, ...]:
        """Where plates should be that were not seen in this frame."""


@dataclass(frozen=True, slots=True)
class TrackedPlate:
    """A plate in one frame, for people who watch."""

    track: int
    box: Box
    score: float
    text: str | None
    """What its track reads so far."""


@dataclass(frozen=True, slots=True)
class PlateResult:
    """A plate in a single picture."""

    plate: str | None
    """After the country format; None if the text cannot be a plate or there is none."""
    raw: str | None
    """As the reader gave it."""
    score: float
    """0..1, 0.0 without a plate."""
    char_scores: tuple[float, ...]
    country: str | None
    format: str | None
    alternatives: tuple[tuple[str, float], ...]
    box: Box
    """Pixels of the picture."""
    box_score: float
    unread_chars: int = 0
    """Characters outside the alphabet (a Chinese province sign): seen, but not in ``plate``; 0 without a plate."""


DecideSingle = Callable[[PlateRead | None], Decision]
"""Decides on one read alone, for single pictures: nothing to agree with, so the country formats only."""

Observer = Callable[[Frame, Sequence[TrackedPlate]], None]
"""Is shown every frame with its plates; must not keep the thread for long."""


class Pipeline:
    """Detect, track, crop, read, vote, decide."""

    def __init__(
        self,
        detector: Detector,
        reader: TextReader,
        make_tracker: Callable[[], Tracker],
        make_book: MakeBook,
        decide_single: DecideSingle,
        observer: Observer | None = None,
    ) -> None:
        """Take built parts; ``make_tracker`` gives the tracker of a new session, ``make_book`` the book of a new source."""
        self.detector = detector
        self.reader = reader
        self._make_tracker = make_tracker
        self._make_book = make_book
        self._decide_single = decide_single
        self._observer = observer
        self._books: dict[str, PassageBook] = {}
        self._trackers: dict[tuple[str, int], Tracker] = {}
        self._now: dict[str, tuple[int, Stamp]] = {}

    def warm_up(self) -> None:
        """Do what takes long the first time only (networks, libraries), so that no vehicle of a live camera waits for it."""
        blank: Image = np.zeros((720, 1280, 3), np.uint8)
        self.detector.detect([blank])
        self.reader.read([blank[:32, :128]])
        tracker = self._make_tracker()
        for t in (0.0, 0.1):
            tracker.update([Detection(Box(0, 0, 128, 32), 1.0)], t)

    def process(self, items: Sequence[Frame | SessionEnd]) -> list[Passage]:
        """Take frames (and ends of sessions), of each source in order; give the passages that are decided by them."""
        frames = [item for item in items if isinstance(item, Frame)]
        found = iter(self.detector.detect([frame.image for frame in frames]) if frames else [])
        queues: dict[str, deque[tuple[Frame | SessionEnd, list[Detection]]]] = {}
        for item in items:
            queues.setdefault(item.source_id, deque()).append((item, next(found) if isinstance(item, Frame) else []))
        passages: list[Passage] = []
        # In waves of one item of each source: a source's reads are known before its next frame chooses what to read, and
        # yet the crops of all sources share one call of the reader.
        while queues:
            wave = [(source_id, *queue.popleft()) for source_id, queue in queues.items()]
            queues = {source_id: queue for source_id, queue in queues.items() if queue}
            steps = [self._advance(*step) for step in wave]
            self._read([(book, request) for book, due, _ in steps for request in due])
            for (source_id, item, _), (book, _, pairs) in zip(wave, steps, strict=True):
                if self._observer is not None and isinstance(item, Frame):
                    self._observer(item, [TrackedPlate(n, d.box, d.score, book.best_text(item.session, n)) for n, d in pairs])
                if source_id in self._now:
                    session, now = self._now[source_id]
                    passages.extend(self._books[source_id].decide(now, session))
        return passages

    def finish(self, source_id: str) -> list[Passage]:
        """End a source: its open tracks end, everything that is held becomes passages."""
        book = self._books.pop(source_id, None)
        if book is None:
            return []
        requests: list[tuple[PassageBook, CropRequest]] = []
        for key in [key for key in self._trackers if key[0] == source_id]:
            numbers = self._trackers.pop(key).finish()
            requests.extend((book, request) for request in book.ended(key[1], numbers))
        self._read(requests)
        self._now.pop(source_id, None)
        return book.flush()

    def adopt(self, make_tracker: Callable[[], Tracker], make_book: MakeBook) -> None:
        """Work by other rules from now on: books at once, trackers from their source's next session on."""
        self._make_tracker, self._make_book = make_tracker, make_book
        for source_id, book in self._books.items():
            book.adopt(make_book(source_id))

    @property
    def sources(self) -> tuple[str, ...]:
        """Those that were seen and not finished."""
        return tuple(self._books)

    def flush(self) -> list[Passage]:
        """End all sources."""
        return [passage for source_id in self.sources for passage in self.finish(source_id)]

    def read(self, image: Image) -> list[PlateResult]:
        """Read the plates of one picture, uint8 (h, w, 3) BGR: best first, boxes in its pixels."""
        return self.read_many([image])[0]

    def read_many(self, images: Sequence[Image]) -> list[list[PlateResult]]:
        """Read the plates of several pictures with one call of each network."""
        found = self.detector.detect(images)
        places = [(number, detection) for number, detections in enumerate(found) for detection in detections]
        reads = self.reader.read([cut(images[number], detection.box) for number, detection in places])
        results: list[list[PlateResult]] = [[] for _ in images]
        for (number, detection), read in zip(places, reads, strict=True):
            decision = self._decide_single(read)
            plate = decision.plate
            results[number].append(
                PlateResult(
                    plate=plate,
                    raw=decision.raw,
                    score=decision.score if plate is not None else 0.0,
                    char_scores=decision.char_scores if plate is not None else (),
                    country=decision.country,
                    format=decision.format,
                    alternatives=decision.alternatives,
                    box=detection.box,
                    box_score=detection.score,
                    unread_chars=decision.unread_chars,
                )
            )
        return [sorted(plates, key=lambda plate: -plate.score * plate.box_score) for plates in results]

    def _advance(
        self, source_id: str, item: Frame | SessionEnd, detections: Sequence[Detection]
    ) -> tuple[PassageBook, list[CropRequest], Sequence[tuple[int, Detection]]]:
        """Give the source's book, the crops that should be read now, and the plates in the frame by their tracks."""
        book = self._books.get(source_id)
        if book is None:
            book = self._books[source_id] = self._make_book(source_id)
        key = (source_id, item.session)
        if isinstance(item, SessionEnd):
            tracker = self._trackers.pop(key, None)
            return book, book.ended(item.session, tracker.finish()) if tracker else [], ()
        tracker = self._trackers.get(key)
        if tracker is None:
            tracker = self._trackers[key] = self._make_tracker()
        self._now[source_id] = (item.session, Stamp(item.t, item.wall, item.index))
        if item.suspect:
            # Damage looks like anything. The tracker lets detections without a score go on with a track, but begin none.
            detections = [Detection(detection.box, 0.0) for detection in detections]
        update = tracker.update(detections, item.t)
        paired = {detection for _, detection in update.pairs}
        others = [*(KnownPlate(one.box) for one in detections if one not in paired), *update.lost]
        return book, [*book.look(item, update.pairs, others), *book.ended(item.session, update.ended)], update.pairs

    def _read(self, requests: Sequence[tuple[PassageBook, CropRequest]]) -> None:
        if not requests:
            return
        reads = self.reader.read([request.shot.crop for _, request in requests])
        for (book, request), read in zip(requests, reads, strict=True):
            book.give(request, read)
