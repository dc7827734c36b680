"""Crops of the looks at one plate, and what was read in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamer.types import Box, Clock, EncodedPicture, Image, KnownPlate, PlateRead, Stamp

TakePictures = Callable[[Image, Box, Sequence[KnownPlate]], tuple[EncodedPicture, ...]]
"""Makes the pictures around a plate out of a frame (uint8 (h, w, 3) BGR), its box, and all plates that are known to be in it."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Looks that were counted."""

    looks: int = 0
    score_sum: float = 0.0
    """Of their detection scores, each 0..1."""


class Views:
    """The pictures around a plate: made once its shot proves to matter, because encoding costs; until then the whole frame is kept."""

    def __init__(self, image: Image, box: Box, plates: Sequence[KnownPlate], take: TakePictures) -> None:
        """Take the frame, uint8 (h, w, 3) BGR, read-only, the plate in it, all plates that are known in it, and who makes the pictures."""
        self._image: Image | None = image
        self._box = box
        self._plates = plates
        self._take = take
        self._pictures: tuple[EncodedPicture, ...] = ()

    def develop(self) -> tuple[EncodedPicture, ...]:
        """Give the pictures; the frame is let go."""
        if self._image is not None:
            self._pictures = self._take(self._image, self._box, self._plates)
            self._image = None
        return self._pictures


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A crop of one look, copied out of its frame."""

    crop: Image
    legibility: float
    """0..1"""
    sharpness: float
    """0..1"""
    stamp: Stamp
    box: Box
    box_score: float
    frame_size: tuple[int, int]
    """(width, height), pixels."""
    clock: Clock
    clock_offset_s: float | None = None
    age_s: float | None = None
    before: Tally = Tally()
    """All looks of the track that came before this one."""
    views: Views | None = None
    """What is around the crop; None if nobody wants it."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A shot and what was read in it."""

    shot: Shot
    read: PlateRead
