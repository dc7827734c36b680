"""Cuts the clips of live cameras out of their rings, and counts those that there are and those that there are not."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from logging import getLogger
from typing import Final

from streamer.clips.choice import Chosen, Later, Looks, Missing, Wanted, choose
from streamer.clips.remux import clip_of
from streamer.errors import SourceError
from streamer.packetring import PacketRing
from streamer.types import EncodedPicture, Passage

_log = getLogger(__name__)

_WHY: Final[Mapping[Missing, str]] = {
    "gone": "its packets are not there any more: give evidence.clip more memory_mb, or look why the camera was away",
    "no_packets": "USB cameras give pictures, not packets, and clips are not encoded",
    "unusable": "its packets cannot be put into a file",
}


@dataclass(frozen=True, slots=True)
class ClipRules:
    """What clips are to be like, and how much memory a camera's packets may take for them."""

    wanted: Wanted
    ring_s: float
    """Seconds of packets that are kept of each camera."""
    ring_bytes: int
    cameras: frozenset[str]
    """Those of which there are clips, as far as they send packets."""
    without_packets: frozenset[str] = frozenset()
    """Those among them that do not."""


@dataclass(frozen=True, slots=True)
class ClipState:
    """The clips of one camera."""

    source_id: str
    seconds: float
    """Of packets that are kept now."""
    size: int
    """Bytes of them."""
    overflows: int
    """Times that packets were given up because no key frame came within the memory or time that they have."""
    clips: int
    """That were recorded."""
    clip_bytes: int
    missing: Mapping[Missing, int] = field(default_factory=dict)
    """Events without a clip, by cause."""


@dataclass(slots=True)
class _Counts:
    clips: int = 0
    size: int = 0
    missing: Counter[Missing] = field(default_factory=Counter)


class LiveClips:
    """The rings of all cameras, and what is cut out of them. All methods from any thread."""

    def __init__(self, rules: ClipRules | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """``rules``: None: there are no clips, and no memory is taken."""
        self._lock = threading.Lock()
        self._clock = clock
        self._rules = rules
        self._rings: dict[str, PacketRing] = {}
        self._counts: dict[str, _Counts] = {}
        self._told: set[tuple[str, Missing]] = set()
        self._tell_those_without()

    def adopt(self, rules: ClipRules | None) -> None:
        """Take over other rules. Of cameras that have no clips any more, nothing is kept; others begin at their next key frame."""
        with self._lock:
            self._rules = rules
            for name, ring in self._rings.items():
                ring.resize(*self._bounds(name))
        self._tell_those_without()

    def ring(self, source_id: str) -> PacketRing:
        """Give the ring of a camera, which its reading thread fills."""
        with self._lock:
            if source_id not in self._rings:
                self._rings[source_id] = PacketRing(*self._bounds(source_id))
            return self._rings[source_id]

    def forget(self, source_ids: Collection[str]) -> None:
        """Drop cameras that were removed."""
        with self._lock:
            for name in source_ids:
                self._rings.pop(name, None)
                self._counts.pop(name, None)

    def cut(self, passage: Passage, *, ending: bool) -> EncodedPicture | Later | None:
        """Give the clip of a passage; Later if its end has not come yet (never with ``ending``).

        None if there is none; where there should be one, that is told and counted.
        """
        rules = self._rules
        if rules is None or passage.source_id not in rules.cameras:
            return None
        ring = self._rings.get(passage.source_id)
        if passage.source_id in rules.without_packets or ring is None:
            self._miss(passage.source_id, "no_packets")
            return None
        found = choose(ring.stretches(), Looks(passage.first, passage.best, passage.last), rules.wanted, ending=ending)
        if isinstance(found, Later):
            return found
        if not isinstance(found, Chosen):
            self._miss(passage.source_id, found)
            return None
        try:
            return clip_of(found)
        except SourceError as error:
            _log.debug("camera %s: %s", passage.source_id, error, extra={"camera": passage.source_id})
            self._miss(passage.source_id, "unusable")
            return None

    def recorded(self, source_id: str, clip: EncodedPicture) -> None:
        """Count a clip that is in the record."""
        with self._lock:
            counts = self._counts.setdefault(source_id, _Counts())
            counts.clips += 1
            counts.size += len(clip.content)

    def states(self) -> list[ClipState]:
        """Say how full the rings are, and count."""
        now = self._clock()
        with self._lock:
            rules = self._rules
            if rules is None:
                return []
            return [self._state(name, now) for name in sorted(rules.cameras)]

    def _state(self, name: str, now: float) -> ClipState:
        counts = self._counts.get(name, _Counts())
        ring = self._rings.get(name)
        state = ring.state(now) if ring is not None else PacketRing().state(now)
        return ClipState(name, state.seconds, state.size, state.overflows, counts.clips, counts.size, dict(counts.missing))

    def _bounds(self, source_id: str) -> tuple[float, int]:
        rules = self._rules
        if rules is None or source_id not in rules.cameras or source_id in rules.without_packets:
            return 0.0, 0
        return rules.ring_s, rules.ring_bytes

    def _miss(self, source_id: str, why: Missing) -> None:
        with self._lock:
            self._counts.setdefault(source_id, _Counts()).missing[why] += 1
        self._tell(source_id, why)

    def _tell(self, source_id: str, why: Missing) -> None:
        """Once for each camera and cause; the metrics count."""
        if (source_id, why) not in self._told:
            self._told.add((source_id, why))
            _log.warning("camera %s: events without a clip: %s", source_id, _WHY[why], extra={"camera": source_id})

    def _tell_those_without(self) -> None:
        for name in sorted(self._rules.without_packets) if self._rules is not None else ():
            self._tell(name, "no_packets")
