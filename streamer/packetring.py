"""The last seconds of a camera as it sent them: encoded packets, bounded in time and memory, from a key frame on. Pure.

The reading thread of a camera fills its ring, decoded or not; who needs a clip looks at what is there. A *stretch* is what one connection
sent without a gap: a clip never spans two.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """A picture as it came."""

    number: int
    """Of the packet in its connection."""
    data: bytes = field(repr=False)
    key: bool
    """Decoding can begin here."""
    stamp_s: float | None
    """Presentation time stamp of the camera, seconds, as it came; None if it has none, or it is made up."""
    at: float
    """When it came, monotonic seconds."""


@dataclass(frozen=True, slots=True)
class PlacedFrame:
    """What became of a packet that was decoded: which frame it is."""

    number: int
    """Of its packet."""
    session: int
    index: int
    """These two and ``t``, ``wall``: as in ``types.Frame``."""
    t: float
    wall: datetime
    size: tuple[int, int] | None
    """(width, height), pixels; None if the picture may be damaged, and so its size."""
    by_stamps: bool
    """``t`` follows the camera's stamps; else arrival."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a ring holds of one connection."""

    codec: str
    """As FFmpeg names it, for example ``h264``."""
    seed: bytes = field(repr=False)
    """What a muxer needs to know of the stream, see ``sources.network_packets``; empty if that was not known."""
    packets: tuple[EncodedPacket, ...]
    """In the order of decoding; the first is a key frame."""
    placed: tuple[PlacedFrame, ...]
    over: bool
    """Nothing will be added."""


@dataclass(frozen=True, slots=True)
class RingState:
    """How full a ring is."""

    seconds: float
    size: int
    """Bytes of packets."""
    overflows: int
    """Times that packets were given up because there was no key frame within the bounds."""


class PacketRing:
    """Keeps the packets of one camera. All methods from any thread; ``begin``, ``add`` and ``place`` are the reading thread's."""

    def __init__(self, seconds: float = 0.0, most_bytes: int = 0) -> None:
        """Keep so many seconds, and up to a key frame more, in so many bytes at most; 0 seconds: nothing, see ``resize``."""
        self._lock = threading.Lock()
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._stretches: deque[_Stretch] = deque()
        self._size = 0
        self._overflows = 0

    @property
    def wanted(self) -> bool:
        """Whether packets are kept at all."""
        return self._seconds > 0

    @property
    def begun(self) -> bool:
        """Whether there is a stretch that goes on; else the next one begins with a key frame."""
        with self._lock:
            return self._open() is not None

    def resize(self, seconds: float, most_bytes: int) -> None:
        """Change the bounds; 0 seconds: keep nothing, and forget what there is."""
        with self._lock:
            self._seconds, self._most_bytes = seconds, most_bytes
            if seconds <= 0:
                self._stretches.clear()
                self._size = 0

    def begin(self, codec: str, seed: bytes) -> None:
        """Begin a stretch; the next packet is a key frame."""
        with self._lock:
            self._end()
            self._stretches.append(_Stretch(codec, seed))

    def add(self, packet: EncodedPacket) -> None:
        """Take the next packet of the stretch that was begun."""
        with self._lock:
            stretch = self._open()
            if stretch is not None:
                stretch.add(packet)
                self._size += len(packet.data)
                self._trim(packet.at)

    def place(self, frame: PlacedFrame) -> None:
        """Take which frame a packet has become."""
        with self._lock:
            stretch = self._open()
            if stretch is not None and stretch.packets and frame.number >= stretch.packets[0].number:
                stretch.placed.append(frame)

    def end(self) -> None:
        """Nothing more will come of this connection."""
        with self._lock:
            self._end()

    def stretches(self) -> list[Stretch]:
        """Give what is there, oldest first."""
        with self._lock:
            return [Stretch(one.codec, one.seed, tuple(one.packets), tuple(one.placed), one.over) for one in self._stretches if one.packets]

    def state(self, now: float) -> RingState:
        """Say how full it is; ``now``: monotonic. What nobody can need any more, because the camera has been away, is forgotten."""
        with self._lock:
            while self._stretches and self._stretches[0].over and self._stretches[0].newest_at < now - 2 * self._seconds:
                self._size -= self._stretches.popleft().size
            seconds = sum(one.packets[-1].at - one.packets[0].at for one in self._stretches if one.packets)
            return RingState(seconds, self._size, self._overflows)

    def _open(self) -> _Stretch | None:
        return self._stretches[-1] if self._stretches and not self._stretches[-1].over else None

    def _end(self) -> None:
        if self._stretches:
            self._stretches[-1].over = True

    def _trim(self, now: float) -> None:
        """Let whole groups of pictures go from the front, as long as what is left is long enough, or too large."""
        while True:
            front = self._stretches[0]
            too_large = self._size > self._most_bytes
            ended_at = front.group_ended_at()
            if ended_at is None:
                if too_large or now - front.packets[0].at > 2 * self._seconds:
                    # A camera without key frames: what comes up to the next one cannot be shown.
                    self._overflows += 1
                    self._stretches.clear()
                    self._size = 0
                return
            if not too_large and now - ended_at < self._seconds:
                return
            self._size -= front.drop_group()
            if not front.packets:
                self._stretches.popleft()


class _Stretch:
    """Stretch, as it grows."""

    def __init__(self, codec: str, seed: bytes) -> None:
        self.codec = codec
        self.seed = seed
        self.packets: deque[EncodedPacket] = deque()
        self.keys: deque[EncodedPacket] = deque()
        self.placed: deque[PlacedFrame] = deque()
        self.over = False

    @property
    def size(self) -> int:
        return sum(len(packet.data) for packet in self.packets)

    def group_ended_at(self) -> float | None:
        """Give when the first group of pictures was whole; None while it is not."""
        if len(self.keys) > 1:
            return self.keys[1].at
        return self.newest_at if self.over else None

    @property
    def newest_at(self) -> float:
        return self.packets[-1].at if self.packets else 0.0

    def add(self, packet: EncodedPacket) -> None:
        self.packets.append(packet)
        if packet.key:
            self.keys.append(packet)

    def drop_group(self) -> int:
        """Drop up to the next key frame; gives the bytes that are free."""
        size = 0
        if self.keys:
            self.keys.popleft()
        until = self.keys[0].number if self.keys else None
        while self.packets and self.packets[0].number != until:
            size += len(self.packets.popleft().data)
        first = self.packets[0].number if self.packets else None
        while self.placed and (first is None or self.placed[0].number < first):
            self.placed.popleft()
        return size
