"""Boxes to tracks of one session, in seconds and plate sizes, so that frame rate, drops and resolution do not matter.

Plates are small: between two frames they often move by more than their own width, so overlap cannot link them. What holds
instead is the pinhole camera. A plate that moves straight and evenly in the world, at image position (u, v) with size s, has
u/s, v/s and 1/s that are all linear in time, for approaching, leaving and crossing vehicles alike. Each track fits these three
lines to its last looks, extrapolates them, and says how far off it may be.

Unit of length is the plate size, 2 * sqrt(area of the box): about 0.45 m in the world for European and North American shapes
alike. From that follow the constants below; results hardly change when they do.

Why not a tracker of the library ``trackers`` (2.6): their filters are linear in pixels, gates do not widen with time, and new
plates stay without a number at first. On the trajectories of the tests (6 scenes at 30, 10 and 5 frames a second, with and
without drops, 720 runs), runs in which some plate lost or shared its track, not counting looks without a number: ByteTrack 349,
C-BIoU 110 with buffers of 0.5 and 0.7 and 30 with 2 and 3, OC-SORT with centre distance by plate size as its similarity 48, this one 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

import numpy as np

from streamer.types import Box, Detection, KnownPlate

_BOX_NOISE = 0.12
"""Standard deviation of a detected centre, in plate sizes."""
_SIZE_NOISE = 0.08
"""Standard deviation of a detected size, relative; detectors' boxes are a few pixels loose."""
_SPEED = 12.0
"""What is known of the speed of a plate seen once: standard deviation, in plate sizes a second (5 m/s on each axis)."""
_GROWTH = 0.4
"""The same for growth: speed towards the camera by distance, a second (8 m/s at 20 m)."""
_ACCELERATION = 6.0
"""Standard deviation of acceleration, in plate sizes a second squared (3 m/s², ordinary braking)."""
_MEMORY_S = 1.0
"""Looks older than this say nothing of the present motion, unless there are no others."""
_MEMORY_STEP_S = 0.08
"""Looks closer together than this add nothing to the motion: the later replaces the earlier."""
_SIGMAS = 3.0
"""A detection further off than this many standard deviations is another plate."""
_SIZE_SIGMA = 0.25
"""Standard deviation of ln(detected size / expected size): covers a plate that is half hidden."""
_NO_PAIR = 30.0
"""Cost of leaving a track and a detection alone: about that of a pair that is barely allowed, with a motion nobody knows yet."""
_MOST_OFF = 1.0
"""Plate sizes: an unseen plate is not said to be further off."""
_MAX_GROWTH = 3.0
"""No prediction grows or shrinks a plate by more than this: 1/s near zero is a plate at the lens."""


@dataclass(frozen=True, slots=True)
class TrackerUpdate:
    """What a frame's detections mean for the tracks."""

    pairs: tuple[tuple[int, Detection], ...]
    """(track number, detection), in the order of the detections given; at most one of each track."""
    ended: tuple[int, ...]
    """Tracks that were not seen for too long, ascending; reported once."""
    lost: tuple[KnownPlate, ...] = ()
    """Where the plates of the tracks should be that go on unseen."""


@dataclass(frozen=True, slots=True)
class _Look:
    t: float
    u: float
    v: float
    size: float
    shape: float = 1.0
    """Width by height."""


@dataclass(frozen=True, slots=True)
class _Expectation:
    """Where a track should be: position and size in pixels, standard deviation in plate sizes."""

    u: float
    v: float
    size: float
    sigma: float


@dataclass(slots=True)
class _Track:
    number: int
    looks: list[_Look]


class PlateTracker:
    """Tracks of one session. Not for use from several threads.

    ``lost_after_s``: a plate that is not seen for longer ends its track. ``reach``: how far a plate may be from where it is
    expected, in plate sizes; three times that for a plate that was seen only once or twice, whose motion is hardly known.
    ``min_score``: weaker detections only keep a track alive, they never start one.
    """

    def __init__(self, *, lost_after_s: float, reach: float, min_score: float) -> None:
        self._lost_after_s = lost_after_s
        self._reach = reach
        self._min_score = min_score
        self._tracks: list[_Track] = []
        self._count = 0
        self._t = -math.inf

    def update(self, detections: Sequence[Detection], t: float) -> TrackerUpdate:
        """Link the detections of the frame at ``t`` (seconds) to tracks; call it for frames without detections too.

        Numbers are 1, 2, 3 ... in order of appearance. Left out of the pairs are detections below ``min_score`` that no track
        expected, and further boxes on a plate that has its pair. Raises ValueError if time does not go forward.
        """
        if not t > self._t:
            raise ValueError(f"t = {t} s after {self._t} s: time must go forward within a session; start a new tracker")
        self._t = t
        ended = tuple(track.number for track in self._tracks if t - track.looks[-1].t > self._lost_after_s)
        self._tracks = [track for track in self._tracks if t - track.looks[-1].t <= self._lost_after_s]
        free = [(track, _expect(track.looks, t)) for track in self._tracks]
        owners: dict[int, _Track] = {}
        strong = [index for index, detection in enumerate(detections) if detection.score >= self._min_score]
        weak = [index for index, detection in enumerate(detections) if detection.score < self._min_score]
        for candidates in (strong, weak):
            owners |= self._associate(free, candidates, detections)
            taken = {track.number for track in owners.values()}
            free = [entry for entry in free if entry[0].number not in taken]
        self._start(strong, detections, owners)
        for index, track in owners.items():
            _remember(track.looks, _look(detections[index].box, t))
        pairs = tuple((owners[index].number, detection) for index, detection in enumerate(detections) if index in owners)
        return TrackerUpdate(pairs, ended, tuple(_whereabouts(track.looks[-1], expected) for track, expected in free))

    def finish(self) -> tuple[int, ...]:
        """End all tracks, for the end of the session; gives their numbers, ascending."""
        ended = tuple(track.number for track in self._tracks)
        self._tracks = []
        return ended

    def _associate(
        self, free: Sequence[tuple[_Track, _Expectation]], candidates: Sequence[int], detections: Sequence[Detection]
    ) -> dict[int, _Track]:
        """Assign candidates (indices of ``detections``) to free tracks at the least total cost; gives the owner of each."""
        if not free or not candidates:
            return {}
        from scipy.optimize import linear_sum_assignment

        looks = [_look(detections[index].box, self._t) for index in candidates]
        costs = np.empty((len(free), len(candidates)))
        for row, (track, expected) in enumerate(free):
            reach = self._reach * (3 if len(track.looks) <= 2 else 1)
            costs[row] = [min(_NO_PAIR, _cost(expected, look, reach)) for look in looks]
        # A pair at the limit is no pair: leaving both alone costs the same, so a good pair is never given up for two poor ones.
        rows, columns = linear_sum_assignment(costs)
        return {candidates[c]: free[r][0] for r, c in zip(rows, columns, strict=True) if costs[r, c] < _NO_PAIR}

    def _start(self, strong: Sequence[int], detections: Sequence[Detection], owners: dict[int, _Track]) -> None:
        """Start a track for each strong detection that has none, unless it lies on a plate that has its pair already."""
        for index in strong:
            if index in owners or any(_same_plate(detections[index].box, detections[other].box) for other in owners):
                continue
            self._count += 1
            owners[index] = _Track(self._count, [])
            self._tracks.append(owners[index])


def _whereabouts(last: _Look, expected: _Expectation) -> KnownPlate:
    """Give where an unseen plate should be, in the shape of its last look."""
    x, y = (0.25 * expected.size * root for root in (math.sqrt(last.shape), 1 / math.sqrt(last.shape)))
    box = Box(expected.u - x, expected.v - y, expected.u + x, expected.v + y)
    return KnownPlate(box, min(expected.sigma, _MOST_OFF) * expected.size)


def _same_plate(box: Box, other: Box) -> bool:
    """Plates are side by side or apart, never on each other: a centre within another box is that plate again."""
    u, v = box.centre
    return other.x1 <= u <= other.x2 and other.y1 <= v <= other.y2


def _look(box: Box, t: float) -> _Look:
    u, v = box.centre
    return _Look(t, u, v, max(2.0 * math.sqrt(box.width * box.height), 1.0), max(box.width, 1.0) / max(box.height, 1.0))


def _remember(looks: list[_Look], look: _Look) -> None:
    """Append the look; keep those that tell of the present motion, and at least two."""
    if len(looks) > 1 and looks[-1].t - looks[-2].t < _MEMORY_STEP_S:
        looks.pop()
    looks.append(look)
    while len(looks) > 2 and look.t - looks[0].t > _MEMORY_S:
        looks.pop(0)


def _expect(looks: Sequence[_Look], t: float) -> _Expectation:
    """Extrapolate u/s, v/s and 1/s, as seen from the last look: lengths in its size, its place as the origin."""
    last = looks[-1]
    ahead = t - last.t
    lags = [last.t - look.t for look in looks]
    drift = [(0.5 * _ACCELERATION * lag * lag) ** 2 for lag in lags]
    inverse = [last.size / look.size for look in looks]
    x = [(look.u - last.u) / look.size for look in looks]
    y = [(look.v - last.v) / look.size for look in looks]
    # Braking changes 1/s too, relatively by as much as position in plate sizes over the distance in plate sizes: above ten.
    noise = [(_SIZE_NOISE * q) ** 2 + d / 100 for q, d in zip(inverse, drift, strict=True)]
    shares, shrunk_variance = _line(lags, noise, _GROWTH, ahead)
    shrunk = min(max(sum(map(mul, shares, inverse)), 1 / _MAX_GROWTH), _MAX_GROWTH)
    noise = [_BOX_NOISE**2 + _SIZE_NOISE**2 * (p * p + q * q) + d for p, q, d in zip(x, y, drift, strict=True)]
    shares, variance = _line(lags, noise, _SPEED, ahead)
    right, down = sum(map(mul, shares, x)) / shrunk, sum(map(mul, shares, y)) / shrunk
    variance += (0.5 * _ACCELERATION * ahead * ahead) ** 2 + (right * right + down * down) * shrunk_variance / shrunk**2
    return _Expectation(last.u + right * last.size, last.v + down * last.size, last.size / shrunk, math.sqrt(variance))


def _line(lags: Sequence[float], variances: Sequence[float], slope_sigma: float, ahead: float) -> tuple[list[float], float]:
    """Fit a line to values ``lags`` seconds ago: how much of each to add up for the value ``ahead`` seconds from now, and its variance.

    Least squares weighted by 1/variance, with a slope of 0 +- ``slope_sigma`` known beforehand (Bayesian linear regression).
    """
    weights = [1.0 / variance for variance in variances]
    weight = sum(weights)
    moment = -sum(map(mul, weights, lags))
    square = sum(w * lag * lag for w, lag in zip(weights, lags, strict=True)) + 1.0 / slope_sigma**2
    determinant = weight * square - moment * moment
    constant, slope = (square - moment * ahead) / determinant, (weight * ahead - moment) / determinant
    return [w * (constant - slope * lag) for w, lag in zip(weights, lags, strict=True)], constant + slope * ahead


def _cost(expected: _Expectation, look: _Look, reach: float) -> float:
    """Minus twice the log likelihood (up to a constant) of seeing the expected plate there; infinite out of reach."""
    away = math.hypot(look.u - expected.u, look.v - expected.v) / expected.size
    sigma = math.hypot(expected.sigma, _BOX_NOISE)
    grown = abs(math.log(look.size / expected.size)) / _SIZE_SIGMA
    if away > max(1.0, min(reach, _SIGMAS * sigma)) or grown > _SIGMAS:
        return math.inf
    # The last term lets a track that knows where its plate is win over one that would take any.
    return min(away / sigma, _SIGMAS) ** 2 + grown * grown + 4 * math.log(sigma / _BOX_NOISE)
