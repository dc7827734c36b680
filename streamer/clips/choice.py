"""Which packets make the clip of a passage. Pure.

Time between two packets goes by the camera's stamps where its frames are timed by them, else by arrival: packets that were not decoded have
no time of their own. A clip stays within one stretch and one session, and within pictures of one size: players take no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final, Literal

from streamer.packetring import EncodedPacket, PlacedFrame, Stretch
from streamer.types import Stamp

Missing = Literal["gone", "no_packets", "unusable"]
"""Why there is no clip: the ring had no room for so long a time, or the camera was away; the camera is none that sends packets (USB); its
packets cannot be put into a file."""

_UNCERTAIN_S: Final = 0.002
"""Stamps of frames are put right by so much at most, see ``live.clock``."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How long clips are, seconds."""

    before_s: float
    """Before the first look."""
    after_s: float
    """After the last."""
    longest_s: float
    """All in all; of longer passages the end is shown."""


@dataclass(frozen=True, slots=True)
class Looks:
    """When a passage was seen."""

    first: Stamp
    best: Stamp
    last: Stamp


@dataclass(frozen=True, slots=True)
class Chosen:
    """The packets of a clip, in the order of decoding, and what they show."""

    codec: str
    seed: bytes = field(repr=False)
    packets: tuple[EncodedPacket, ...] = field(repr=False)
    size: tuple[int, int] | None
    """(width, height) of its pictures; None if that is not known."""
    seconds: tuple[float, ...] = field(repr=False)
    """Of each packet, when it is shown, seconds of the session's clock."""
    by_stamps: bool
    """Those are the camera's; else of arrival."""
    anchor: PlacedFrame
    """A frame whose times are known."""
    looks: tuple[int | None, int | None, int | None]
    """Where among the packets the first, best and last look are; None: not in it."""
    complete: bool

    def wall(self, t: float) -> datetime:
        """Give the time of day of a moment of the session."""
        return self.anchor.wall + timedelta(seconds=t - self.anchor.t)


@dataclass(frozen=True, slots=True)
class Later:
    """What the clip is to end with has not come yet."""


def choose(stretches: Sequence[Stretch], looks: Looks, wanted: Wanted, *, ending: bool) -> Chosen | Later | Missing:
    """Choose the packets of a clip.

    Args:
        stretches: what the camera's ring holds.
        looks: when the passage was seen.
        wanted: how long the clip is to be.
        ending: take what is there: nothing will be waited for.
    """
    for look in (looks.best, looks.last, looks.first):
        for stretch in reversed(stretches):
            anchor = _placed(stretch, look)
            if anchor is not None:
                return _choose_in(_run(stretch, anchor), looks, wanted, ending=ending)
    return "gone"


@dataclass(frozen=True, slots=True)
class _Run:
    """Packets that can be in one clip, with the frames among them."""

    stretch: Stretch
    packets: tuple[EncodedPacket, ...]
    frames: tuple[PlacedFrame, ...]
    anchor: PlacedFrame
    size: tuple[int, int] | None
    over: bool
    seconds: tuple[float, ...]
    by_stamps: bool


def _placed(stretch: Stretch, look: Stamp) -> PlacedFrame | None:
    """Find the frame of a look. Stamps do not say their session, but no two of a camera are alike in all three."""
    return next((one for one in stretch.placed if (one.index, one.t, one.wall) == (look.index, look.t, look.wall)), None)


def _run(stretch: Stretch, anchor: PlacedFrame) -> _Run:
    """Give what can be shown together with a frame: of its session and size, from a key frame on."""
    sizes = {frame.size for frame in stretch.placed if frame.session == anchor.session and frame.size is not None}
    size = anchor.size if anchor.size is not None or len(sizes) != 1 else next(iter(sizes))
    before = [one for one in stretch.placed if one.number < anchor.number and not _alike(one, anchor.session, size)]
    after = [one for one in stretch.placed if one.number > anchor.number and not _alike(one, anchor.session, size)]
    least = before[-1].number + 1 if before else stretch.packets[0].number
    # Packets that were not decoded, between two sessions, may be of either.
    own = [one for one in stretch.placed if least <= one.number and (not after or one.number < after[0].number)]
    most = own[-1].number if after else stretch.packets[-1].number
    packets = [packet for packet in stretch.packets if least <= packet.number <= most]
    begin = next((place for place, packet in enumerate(packets) if packet.key), len(packets))
    packets = packets[begin:]
    by_stamps = anchor.by_stamps and all(packet.stamp_s is not None for packet in packets[1:])
    frames = tuple(one for one in own if packets and one.number >= packets[0].number)
    seconds = _seconds(packets, anchor, by_stamps=by_stamps)
    return _Run(stretch, tuple(packets), frames, anchor, size, stretch.over or bool(after), seconds, by_stamps)


def _alike(frame: PlacedFrame, session: int, size: tuple[int, int] | None) -> bool:
    return frame.session == session and (frame.size is None or size is None or frame.size == size)


def _seconds(packets: Sequence[EncodedPacket], anchor: PlacedFrame, *, by_stamps: bool) -> tuple[float, ...]:
    """Give when each packet is shown, seconds of the session."""
    times = _stamps(packets) if by_stamps else [packet.at for packet in packets]
    own = next((time for time, packet in zip(times, packets, strict=True) if packet.number == anchor.number), None)
    return tuple(anchor.t + time - own for time in times) if own is not None else ()


def _stamps(packets: Sequence[EncodedPacket]) -> list[float]:
    """Give the stamps. The first of a connection may lack one: it is shown as long as the others are, for packets come in bunches."""
    stamps = [packet.stamp_s for packet in packets if packet.stamp_s is not None]
    if len(stamps) < len(packets):
        ordered = sorted(stamps)
        step_s = median(b - a for a, b in pairwise(ordered)) if len(ordered) > 1 else 0.0
        stamps.insert(0, ordered[0] - step_s if ordered else 0.0)
    return stamps


def _choose_in(run: _Run, looks: Looks, wanted: Wanted, *, ending: bool) -> Chosen | Later | Missing:
    if not run.seconds:
        return "gone"  # the look is older than the first key frame
    places = {packet.number: place for place, packet in enumerate(run.packets)}
    first, best, last = (_place(run, places, look) for look in (looks.first, looks.best, looks.last))
    begins_s = run.seconds[first] - wanted.before_s if first is not None else run.seconds[0]
    ends_s = run.seconds[last] + wanted.after_s if last is not None else run.seconds[-1]
    reaches = max(run.seconds) >= ends_s - _UNCERTAIN_S
    if not (reaches or run.over or ending):
        return Later()
    long = ends_s - begins_s > wanted.longest_s + _UNCERTAIN_S
    begin = _key_before(run, ends_s - wanted.longest_s if long else begins_s)
    end = _end(run.seconds, ends_s)
    if end < begin:
        return "gone"
    inside = tuple(None if place is None or not begin <= place <= end else place - begin for place in (first, best, last))
    return Chosen(
        codec=run.stretch.codec,
        seed=run.stretch.seed,
        packets=run.packets[begin : end + 1],
        size=run.size,
        seconds=run.seconds[begin : end + 1],
        by_stamps=run.by_stamps,
        anchor=run.anchor,
        looks=(inside[0], inside[1], inside[2]),
        complete=None not in (first, last) and reaches and not long and run.seconds[begin] <= begins_s + _UNCERTAIN_S,
    )


def _place(run: _Run, places: dict[int, int], look: Stamp) -> int | None:
    frame = next((one for one in run.frames if (one.index, one.t, one.wall) == (look.index, look.t, look.wall)), None)
    return None if frame is None else places.get(frame.number)


def _end(seconds: Sequence[float], second: float) -> int:
    """Give the place of the last packet of what is shown until a moment, with those that come later and are shown among them."""
    end = max((place for place, shown in enumerate(seconds) if shown <= second + _UNCERTAIN_S), default=-1)
    latest = max(seconds[: end + 1], default=0.0)
    while end + 1 < len(seconds) and seconds[end + 1] < latest:
        end += 1
    return end


def _key_before(run: _Run, second: float) -> int:
    """Give the place of the last key frame that is shown not after a moment; the first one if there is none."""
    keys = [place for place, packet in enumerate(run.packets) if packet.key]
    return next((place for place in reversed(keys) if run.seconds[place] <= second + _UNCERTAIN_S), keys[0])
