"""Which packets of a camera are decoded while nothing moves: key frames only, until the packets tell that something does. Pure.

Most of what an idle camera costs is decoding pictures that differ from the last in nothing. What an encoder spends on a picture is a
measure of how much has changed in it (motion in the compressed domain; P. Babu et al., "A survey on compressed domain video analysis
techniques", Multimedia Tools and Applications 75, 2016), and it is known before anything is decoded. So an idle camera dozes: the packets
between two key frames are put by, and if they grow larger than they usually are, those put by are decoded after all, and nothing is lost:
a vehicle's first picture comes some packets late at most. What shows in no packet's size shows in the next key frame.

The rule was chosen on four ways to encode a still scene with noise, bit rate held (tightly, loosely, or on the average): single packets
vary by a factor of ten there, and woke it all the time; means of five never did. On the clip of a toll gate it woke within three packets.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

P = TypeVar("P")
"""A packet."""

LONGEST_S: Final = 2.5
"""Between key frames; who has rarer ones is not let doze: small motion might show in a key frame only."""
AWAKE_S: Final = 1.0
"""After it was woken, so long at least is everything decoded, so that those who asked for key frames only may think again."""
AVERAGED: Final = 5
"""Packets whose mean size is looked at: a fifth of a second."""
USUAL: Final = 64
"""Means that say what is usual: two or three seconds."""
FEWEST: Final = 32
"""With fewer it is not known what is usual, and everything is decoded."""
OUTLIERS: Final = 2
"""So many of them may be larger than what is called usual."""
GROWTH: Final = 1.25
"""Times the largest usual one: with a vehicle, packets are twice as large and more."""
MOST_PUT_BY: Final = 400
"""Packets; with more, its key frames do not come as they did."""


@dataclass(frozen=True, slots=True)
class Sized(Generic[P]):
    """What is known of a packet before it is decoded."""

    packet: P
    size: int
    """Bytes."""
    key: bool
    at: float
    """When it came, monotonic seconds."""


class Doze(Generic[P]):
    """Chooses the packets of one connection that are decoded. For one thread."""

    def __init__(self, wanted: bool = False) -> None:
        self.wanted = wanted
        """Somebody is content with key frames only."""
        self.dozing = False
        """It puts packets by."""
        self.dropped = 0
        """Packets that were not decoded and never will be."""
        self.woken = 0
        """Times that a large packet ended it."""
        self._put_by: list[Sized[P]] = []
        self._key: Sized[P] | None = None
        self._flushed = False
        self._sizes: deque[int] = deque(maxlen=AVERAGED)
        self._usual: deque[float] = deque(maxlen=USUAL)
        self._awake_until = 0.0

    def take(self, new: Sized[P], key_interval_s: float | None) -> list[P]:
        """Give what is to be decoded now that ``new`` has come, in order; ``key_interval_s``: between the last two key frames."""
        if new.key:
            self._drop()
            self._key, self._flushed = new, False
            knows = len(self._usual) >= FEWEST and key_interval_s is not None and key_interval_s <= LONGEST_S
            self.dozing = self.wanted and knows and new.at >= self._awake_until
            return [new.packet]
        grown = self._grown(new.size) if self.wanted else False
        if not self.dozing:
            return [new.packet]
        self._put_by.append(new)
        if self.wanted and not grown and len(self._put_by) < MOST_PUT_BY:
            return []
        if self.wanted:
            self.woken += 1
            self._awake_until = new.at + AWAKE_S
        return self._wake()

    def flushed(self) -> None:
        """Note that the decoder has forgotten the key frame: it had to be made to hand it out."""
        self._flushed = True

    def _grown(self, size: int) -> bool:
        """Say whether packets are larger than usual now, and learn what is usual of it."""
        self._sizes.append(size)
        mean = sum(self._sizes) / len(self._sizes)
        ranked = sorted(self._usual)
        grown = len(ranked) >= FEWEST and mean > GROWTH * ranked[-1 - OUTLIERS]
        self._usual.append(mean)
        return grown

    def _wake(self) -> list[P]:
        self.dozing = False
        again = [self._key] if self._flushed and self._key is not None else []
        due = [held.packet for held in again + self._put_by]
        self._put_by = []
        return due

    def _drop(self) -> None:
        self.dropped += len(self._put_by)
        self._put_by = []
