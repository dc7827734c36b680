"""Which picture of a clip is due when: a camera runs on, round after round, whether somebody looks or not."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable

from streamer.testcamera.clip import Clip
from streamer.testcamera.rtp import CLOCK_HZ


class Timeline:
    """Numbers the pictures of a camera from 0 on, across the rounds of its clip. Starts with the first client. Any thread."""

    def __init__(self, clip: Clip, *, loop: bool, clock: Callable[[], float]) -> None:
        self._clip = clip
        self._loop = loop
        self._clock = clock
        self._begins = [unit.at for unit in clip.units]
        self._lock = threading.Lock()
        self._rate = 1.0
        # When (monotonic), where in the clip's time (s) and how fast: one tuple, so that no thread sees half a change.
        self._anchor: tuple[float, float, float] | None = None

    def start(self) -> None:
        """Begin with picture 0 now, unless it has begun."""
        with self._lock:
            if self._anchor is None:
                self._anchor = (self._clock(), 0.0, self._rate)

    def run_at(self, rate: float) -> None:
        """Send the pictures ``rate`` times as fast as their time stamps say, from now on."""
        with self._lock:
            self._rate = rate
            if self._anchor is not None:
                now = self._clock()
                self._anchor = (now, self._position(now), rate)

    def stamp(self, number: int) -> int:
        """Give the time of a picture in 1/90000 s from picture 0 on; it goes on across rounds."""
        rounds, index = divmod(number, len(self._begins))
        return rounds * self._clip.duration + self._begins[index]

    def due(self, number: int) -> float:
        """Give when a picture is to be sent, ``time.monotonic()``."""
        assert self._anchor is not None, "the timeline has not begun"
        began, position, rate = self._anchor
        return began + (self.stamp(number) / CLOCK_HZ - position) / rate

    def next_number(self, now: float) -> int:
        """Give the first picture that is not due before ``now``."""
        at = round(self._position(now) * CLOCK_HZ)
        rounds, rest = divmod(max(at, 0), self._clip.duration)
        return rounds * len(self._begins) + bisect_left(self._begins, rest)

    def is_over(self, number: int) -> bool:
        """Tell whether the clip, played once, ends before this picture."""
        return not self._loop and number >= len(self._begins)

    @property
    def ended(self) -> bool:
        """Tell whether there is nothing more to show."""
        return not self._loop and self._anchor is not None and self._position(self._clock()) * CLOCK_HZ >= self._clip.duration

    def _position(self, now: float) -> float:
        assert self._anchor is not None, "the timeline has not begun"
        began, position, rate = self._anchor
        return position + (now - began) * rate
