"""What was seen of plates, and what follows from it look by look and passage by passage (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from streamer.cameradoctor.optics import Light, Text, smear_px
from streamer.types import Box, Passage

READABLE_PX: Final = 12.0
"""Characters of this height are read: see ``plates.FAIR_HEIGHT_PX``."""
EDGE_S: Final = 0.5
"""Who is in view so close to the beginning or the end of the test was not seen passing."""
NEAR_S: Final = 0.3
"""The speed of a look is that of the looks so far around it."""
LEAST_SPAN_S: Final = 0.15
"""Over less, the noise of the boxes is more than the motion."""


@dataclass(frozen=True, slots=True)
class PlateLook:
    """A plate in one frame."""

    session: int
    track: int
    t: float
    """Seconds of the session."""
    box: Box
    """Pixels of the frame."""
    text: Text
    edges: tuple[float, float] | None
    """Widths of edges across columns and across rows, pixels; see ``optics.edge_widths``."""
    light: Light
    """Of the characters and what is right around them."""
    chars: int | None
    """How many characters the plate has, as read so far; None if nothing was read."""


@dataclass(frozen=True, slots=True)
class Motion:
    """How a plate moves in the picture."""

    speed_px_s: float
    turn_deg: float
    """From the nearest axis of the picture, 0..45."""
    upright: bool
    """That axis is the upright one."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A whole picture, once a second."""

    light: Light
    edge_px: float | None
    """Width of edges where the picture is sharpest; None where there is nothing to see."""


@dataclass(frozen=True, slots=True)
class Passing:
    """A vehicle that passed, or stood there."""

    plate: str | None
    agreement: float | None
    """Of its looks, 0..1; None without a plate."""
    reason: str | None
    """Why it has no plate."""
    looks: int
    readable: int
    """Looks with characters of at least READABLE_PX."""
    height_px: float
    """Of the characters, at the third quartile of its looks: the vote has four of them, and the best come last or first."""
    seen_s: float
    cut_off: bool
    """It was there at the beginning or the end of the test, so that part of it is missing."""


def passings_of(passages: Sequence[Passage], looks: Sequence[PlateLook], spans: Mapping[int, tuple[float, float]]) -> list[Passing]:
    """Say how each vehicle was seen; ``spans``: of each session, the times of its first and its last frame, seconds."""
    by_track: dict[tuple[int, int], list[PlateLook]] = {}
    for look in looks:
        by_track.setdefault((look.session, look.track), []).append(look)
    return [_passing(passage, by_track, spans) for passage in passages]


def _passing(
    passage: Passage, by_track: Mapping[tuple[int, int], Sequence[PlateLook]], spans: Mapping[int, tuple[float, float]]
) -> Passing:
    # A passage may go on in another session (the camera was away): its tracks bear one session's number, which is the first.
    heights = [look.text.height_px for number in passage.tracks for look in by_track.get((passage.session, number), ())]
    begin, end = spans.get(passage.session, (-math.inf, math.inf))
    return Passing(
        plate=passage.plate,
        agreement=passage.score,
        reason=passage.reason,
        looks=passage.looks,
        readable=sum(height >= READABLE_PX for height in heights),
        height_px=float(np.percentile(heights, 75)) if heights else 0.0,
        seen_s=max(0.0, passage.last.t - passage.first.t),
        cut_off=passage.first.t - begin < EDGE_S or end - passage.last.t < EDGE_S,
    )


def whole(passings: Sequence[Passing]) -> tuple[Sequence[Passing], str]:
    """Give the vehicles to judge by: those that were seen all the way; failing that all, and words that say so."""
    seen = [passing for passing in passings if not passing.cut_off]
    return (seen, "") if seen else (passings, ", all of them cut off by the beginning or the end of the test")


def motions_of(looks: Sequence[PlateLook]) -> list[Motion | None]:
    """Give how the plate moved at each look, by a straight line through its track's looks within NEAR_S; None if there are too few."""
    tracks: dict[tuple[int, int], list[int]] = {}
    for index, look in enumerate(looks):
        tracks.setdefault((look.session, look.track), []).append(index)
    found: list[Motion | None] = [None] * len(looks)
    for indices in tracks.values():
        times = np.array([looks[index].t for index in indices])
        centres = np.array([looks[index].box.centre for index in indices])
        for place, index in enumerate(indices):
            near = np.abs(times - times[place]) <= NEAR_S
            found[index] = _motion(times[near], centres[near])
    return found


def _motion(times: np.ndarray, centres: np.ndarray) -> Motion | None:
    if len(times) < 3 or times[-1] - times[0] < LEAST_SPAN_S:
        return None
    away = times - times.mean()
    right, down = (float(v) for v in away @ centres / (away @ away))
    turn_deg = math.degrees(math.atan2(min(abs(right), abs(down)), max(abs(right), abs(down))))
    return Motion(math.hypot(right, down), turn_deg, abs(down) > abs(right))


def smear_of(look: PlateLook, motion: Motion) -> float | None:
    """Give how long motion has smeared a plate, pixels; None where its edges cannot tell."""
    if look.edges is None:
        return None
    across_columns, across_rows = look.edges
    along, across = (across_rows, across_columns) if motion.upright else (across_columns, across_rows)
    return smear_px(along, across, motion.turn_deg)
