"""Notes on a stream: a live source that writes down when every picture came and what the camera said about its time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from streamer.errors import SourceError, SourceReason
from streamer.live.clock import LiveClock
from streamer.ports import LivePicture, LiveSource, StreamFacts

DRIFT_OVER_S = 30.0
"""Over less, jitter of the network hides the drift of a clock."""
_PARTS = 10
"""The least offset of each tenth of the time: pictures come late, never early."""


@dataclass(frozen=True, slots=True)
class StreamNotes:
    """What a stream was like over the test. None: not known."""

    facts: StreamFacts
    """Of the last connection; its counts are sums over all."""
    seconds: float
    """For which pictures came."""
    pictures: int
    suspect: int
    fps: float | None
    """Measured."""
    longest_gap_s: float
    """Between two pictures of a connection."""
    key_frames_s: float | None
    """The longest interval between key frames."""
    reordered: bool | None
    """Pictures came in another order than they are shown in: the camera sends B-frames."""
    offset_s: float | None = None
    """From exposure by the camera's clock to arrival by ours, median."""
    drift: float | None = None
    """By which share that offset grows."""
    jumps: tuple[str, ...] = ()
    """Where time stamps jumped, in words."""
    repaired: int = 0
    """Time stamps that were missing, repeated or out of order."""
    fallback: str | None = None
    """Why time stamps are of no use, in words."""
    faults: Mapping[SourceReason, int] = field(default_factory=dict)
    """Sessions and attempts that ended during the test."""
    live: bool = True
    """False for a recording: nothing came over a network, and its clock is unknown."""


class NotedSource:
    """A ports.LiveSource that hands through another one. ``notes`` may be called from any thread once the reading has ended."""

    def __init__(self, source: LiveSource, max_clock_skew_s: float) -> None:
        self._source = source
        self._skew_s = max_clock_skew_s
        self._clock = LiveClock(max_clock_skew_s)
        self._arrivals: list[list[float]] = []
        self._offsets: list[tuple[float, float]] = []
        self._suspect = 0
        self._reordered = False
        self._key_frames: set[float] = set()
        self._jumps: list[str] = []
        self._repaired = 0
        self._fallback: str | None = None
        self._ended: list[StreamFacts] = []
        self._faults: Counter[SourceReason] = Counter()
        self._interrupted = False

    @property
    def facts(self) -> StreamFacts:
        """See LiveSource."""
        return self._source.facts

    def open(self) -> None:
        """See LiveSource."""
        try:
            self._source.open()
        except SourceError as error:
            self._fault(error.reason)
            raise
        self._clock = LiveClock(self._skew_s)
        self._arrivals.append([])

    def read(self) -> LivePicture | None:
        """See LiveSource; notes what came."""
        try:
            picture = self._source.read()
        except SourceError as error:
            self._fault(error.reason)
            raise
        if picture is None:
            self._fault("gone")
        else:
            self._note(picture)
        return picture

    def decode_key_frames_only(self, wanted: bool) -> None:
        """See LiveSource."""
        self._source.decode_key_frames_only(wanted)

    def interrupt(self) -> None:
        """See LiveSource."""
        self._interrupted = True
        self._source.interrupt()

    def close(self) -> None:
        """See LiveSource."""
        if self._arrivals and self._arrivals[-1]:
            self._repaired += self._clock.repaired
            self._fallback = self._fallback or self._clock.fallback
            self._clock = LiveClock(self._skew_s)
            if len(self._ended) < len(self._arrivals):
                self._ended.append(self._source.facts)
        self._source.close()

    def notes(self) -> StreamNotes:
        """Sum up."""
        spans = [arrivals for arrivals in self._arrivals if len(arrivals) > 1]
        seconds = sum(arrivals[-1] - arrivals[0] for arrivals in spans)
        gaps = np.concatenate([np.diff(arrivals) for arrivals in spans]) if spans else np.zeros(0)
        return StreamNotes(
            facts=_summed(self._ended) if self._ended else self._source.facts,
            seconds=seconds,
            pictures=sum(map(len, self._arrivals)),
            suspect=self._suspect,
            fps=sum(len(arrivals) - 1 for arrivals in spans) / seconds if seconds > 0 else None,
            longest_gap_s=float(gaps.max()) if gaps.size else 0.0,
            key_frames_s=max(self._key_frames, default=None),
            reordered=self._reordered,
            offset_s=float(np.median([offset_s for _, offset_s in self._offsets])) if self._offsets else None,
            drift=drift_of(self._offsets),
            jumps=tuple(self._jumps),
            repaired=self._repaired,
            fallback=self._fallback,
            faults=dict(self._faults),
        )

    def _fault(self, reason: SourceReason) -> None:
        if not self._interrupted:  # the end of the test is no fault of the camera
            self._faults[reason] += 1

    def _note(self, picture: LivePicture) -> None:
        arrivals = self._arrivals[-1]
        if arrivals and picture.arrived_at < arrivals[-1]:
            self._reordered = True
        arrivals.append(max(picture.arrived_at, arrivals[-1]) if arrivals else picture.arrived_at)
        self._suspect += picture.suspect
        moment = self._clock.place(picture.stamp_s, picture.arrived_at, picture.arrived, picture.exposed)
        if moment.new_session:
            self._jumps.append(moment.why)
        if moment.offset_s is not None:
            self._offsets.append((picture.arrived_at, moment.offset_s))
        interval_s = self._source.facts.key_frame_interval_s
        if interval_s is not None:
            self._key_frames.add(round(interval_s, 2))


def drift_of(offsets: Sequence[tuple[float, float]]) -> float | None:
    """Give by which share the offset grows: a line through the least ones of ten parts of the time; None if it was too short.

    ``offsets``: (monotonic seconds, offset in seconds), in order.
    """
    if len(offsets) < 2 * _PARTS or offsets[-1][0] - offsets[0][0] < DRIFT_OVER_S:
        return None
    parts = np.array_split(np.array(offsets, np.float64), _PARTS)
    least = np.array([part[part[:, 1].argmin()] for part in parts])
    away = least[:, 0] - least[:, 0].mean()
    return float(away @ least[:, 1] / (away @ away))


def _summed(ended: Sequence[StreamFacts]) -> StreamFacts:
    """Give the last connection's facts with the counts of all."""
    last = ended[-1]
    return StreamFacts(
        address=last.address,
        codec=last.codec,
        width=last.width,
        height=last.height,
        fps=last.fps,
        decoder=last.decoder,
        bytes_read=sum(facts.bytes_read for facts in ended),
        packets=sum(facts.packets for facts in ended),
        packets_skipped=sum(facts.packets_skipped for facts in ended),
        key_frame_interval_s=last.key_frame_interval_s,
        clock_reports=sum(facts.clock_reports for facts in ended),
    )
