"""A folder of pictures as a source: they follow each other at a fixed rate, or at the times in their names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from logging import getLogger
from pathlib import Path

from streamer.errors import SourceError
from streamer.ports import Picture
from streamer.stills import load_picture
from streamer.types import Clock, Image

_log = getLogger(__name__)


def seconds_of(times: Sequence[datetime | None]) -> list[float] | None:
    """Give the seconds from the first time to each; None unless all are known and each is later than the one before."""
    known = [time for time in times if time is not None]
    if not known or len(known) < len(times) or any(earlier >= later for earlier, later in pairwise(known)):
        return None
    return [(time - known[0]).total_seconds() for time in known]


class PictureFolder:
    """Pictures as a source (ports.RecordedSource), each turned as its EXIF data say; unreadable ones are reported and skipped.

    ``seconds``: one per picture, strictly increasing, from the first. ``start`` (aware) is the time of second 0. ``read``
    decodes, because only that shows whether a picture can be read. Used by one thread, except ``interrupt``.
    """

    def __init__(self, name: str, pictures: Sequence[Path], seconds: Sequence[float], *, start: datetime, clock: Clock) -> None:
        self.name = name
        self.frames = 0
        """Pictures given so far."""
        self.damaged = 0
        """Pictures so far that could not be read."""
        self.missing_s = 0.0
        """Nothing is promised, so nothing is missing."""
        self.duration_s: float | None = seconds[-1] - seconds[0] if seconds else None
        self.frame_count: int | None = len(pictures)
        self._waiting = iter(list(zip(pictures, seconds, strict=True)))
        self._start = start
        self._clock = clock
        self._interrupted = False

    def open(self) -> None:
        """Nothing is held open between pictures."""

    def read(self) -> Picture | None:
        """Give the next readable picture, None at the end or after ``interrupt``. Raises SourceError (damaged) if none was readable."""
        for path, t in self._waiting:
            if self._interrupted:
                return None
            try:
                image = load_picture(path)
            except SourceError as error:
                self.damaged += 1
                _log.warning("%s; skipped", error)
                continue
            image.flags.writeable = False
            self.frames += 1
            return Picture(t, self._start + timedelta(seconds=t), self._clock, partial(_given, image))
        if not self.frames and not self._interrupted:
            raise SourceError("damaged", f"{self.name}: none of its {self.damaged} pictures can be read")
        return None

    def interrupt(self) -> None:
        """Make the next ``read`` return None."""
        self._interrupted = True

    def close(self) -> None:
        """Nothing is held open between pictures."""


def _given(image: Image) -> Image:
    return image
