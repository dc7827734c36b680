"""A book of passages that is fed frame by frame, with what a reader would say of each plate."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from streamer.passages import CropRequest, PassageBook, PassageRules
from streamer.types import Box, Detection, Frame, Passage, PlateRead, Stamp
from streamer.vote import VoteRules

START = datetime(2026, 5, 1, 8, tzinfo=UTC)
RULES = PassageRules(
    read_interval_s=0.2,
    min_plate_height_px=8.0,
    same_plate_window_s=10.0,
    similar_plate_window_s=4.0,
    vote=VoteRules(min_reads=2, sure_reads=4, min_chars=3, max_chars=12),
)
TEXTURE = np.repeat(np.random.default_rng(1).integers(0, 2, (72, 128, 1), np.uint8) * 200, 3, axis=2).repeat(10, 0).repeat(10, 1)


@dataclass
class Look:
    """A plate in one frame and what the reader would say of it."""

    track: int
    text: str | None
    x: float = 200.0
    height: float = 30.0
    score: float = 0.9


@dataclass
class Drive:
    """Feeds a book frame by frame, as the pipeline does."""

    book: PassageBook
    session: int = 0
    image: np.ndarray = field(default_factory=lambda: TEXTURE)
    passages: list[Passage] = field(default_factory=list)
    reads: int = 0
    """Crops that were read."""
    texts_read: int = 0
    """Of these, how many gave a text."""
    unread: int = 0
    """Characters outside the alphabet that the reader sees from now on."""
    wall_offset_s: float = 0.0
    read_score: float = 0.95
    texts: dict[tuple[int, int], str | None] = field(default_factory=dict)
    """By track number and frame index."""

    def frame(self, t: float, looks: Sequence[Look], ended: Sequence[int] = ()) -> None:
        wall = START + timedelta(seconds=t + self.wall_offset_s)
        frame = Frame("gate", self.session, round(t * 100), t, t, wall, "option", self.image)
        self.texts |= {(look.track, frame.index): look.text for look in looks}
        pairs = [(look.track, Detection(Box(look.x, 300, look.x + 4.5 * look.height, 300 + look.height), look.score)) for look in looks]
        self._read([*self.book.look(frame, pairs), *self.book.ended(self.session, ended)])
        self.passages += self.book.decide(Stamp(t, wall, frame.index), self.session)

    def track(self, number: int, text: str | None, begin: float, end: float, step: float = 0.1, **look: float) -> None:
        for k in range(round((end - begin) / step) + 1):
            self.frame(begin + k * step, [Look(number, text, **look)])
        self.frame(end + step, [], ended=[number])

    def finish(self) -> list[Passage]:
        self._read(self.book.ended(self.session, self.book.open_tracks(self.session)))
        return [*self.passages, *self.book.flush()]

    def _read(self, requests: Sequence[CropRequest]) -> None:
        for request in requests:
            text = self.texts[request.record.number, request.shot.stamp.index]
            self.reads += 1
            self.texts_read += text is not None
            read = None if text is None else PlateRead(text, (self.read_score,) * len(text), unread=self.unread)
            self.book.give(request, read)


def finals(passages: Sequence[Passage]) -> list[str | None]:
    return [passage.plate for passage in passages if passage.state == "final"]
