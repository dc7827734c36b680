"""Does anything move? Cheap answers from small grey views, so that work is done only where it pays. Pure.

The view is averaged into some forty cells across. After the difference that all cells share is taken off, which is the exposure's, a cell
has changed if it differs from its own slowly learned background by more than the sum of

    BASE                                                  quantisation and coding
    NOISE_SPREADS x how much all cells differ now         noise of the sensor, which rises at night with the gain
    SHAKE x its contrast with its neighbours              a camera that shakes by about a pixel
    OWN_SPREADS x how much it usually differs             leaves, water, a flickering lamp

Something moves if CLUSTER changed cells lie together: noise and rain drops rarely do, and the smallest vehicle whose plate can be read,
some ten pixels of a view of 160, always does.

This is background subtraction with a running mean and a running deviation per cell (C. Wren et al., "Pfinder", IEEE PAMI 19(7), 1997),
and a robust estimate of the noise of the whole picture (median absolute deviation). The constants were chosen on the clips and scenes of
the tests, in favour of opening: a gate that is open for nothing costs work, one that is closed wrongly costs a vehicle.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from streamer.ports import Luma

CELLS = 40
"""Along the longer side."""
BASE = 3.0
"""Grey levels."""
NOISE_SPREADS = 4.0
"""In medians of absolute differences: 2.7 standard deviations of normal noise."""
NOISE_MOST = 4.0
"""Grey levels; a median beyond it is no noise but a lorry that fills the picture, or another scene."""
OWN_SPREADS = 3.0
OWN_MOST = 5.0
"""Grey levels; however much a place is used to change, this much of its own spread is believed and no more: dense traffic is no noise."""
SHAKE = 0.25
"""A shift by one of a cell's four pixels changes it by at most a quarter of what it differs from its neighbour."""
CLUSTER = 3
"""Of the four cells of a square."""
NEW_SCENE = 0.5
"""If more cells than this have changed, the camera was turned or has switched to infra-red: learn anew."""

BACKGROUND_S = 4.0
"""Time constant of the background where nothing has changed: clouds and dusk are slower."""
ABSORBED_PER_S = 3.0
"""Grey levels a second by which the background follows what has changed: a parked vehicle is forgotten in half a minute."""
BASE_EVERY_S = 0.5
OWN_S = 15.0
"""Time constant of a cell's usual difference."""

Cells = npt.NDArray[np.float32]


class MotionGate:
    """Opens when something moves, and closes some seconds after the last motion. For one camera; one thread."""

    def __init__(self, hold_s: float = 3.0, learn_s: float = 3.0) -> None:
        """Take how long it stays open after motion, and how long it is open at the beginning and after a change of the scene, seconds.

        A hold of some seconds bridges a vehicle that stops and starts, or that has little contrast half of the way.
        """
        self._hold_s = hold_s
        self._learn_s = learn_s
        self._shape: tuple[int, ...] | None = None
        self._background: Cells = np.zeros((0, 0), np.float32)
        self._own: Cells = self._background
        self._base: Cells = self._background
        self._base_due = -math.inf
        self._seen: npt.NDArray[np.intp] = np.zeros(0, np.intp)
        self._t = -math.inf
        self._open_until = -math.inf

    def moves(self, luma: Luma, t: float) -> bool:
        """Take the next small grey view (uint8, (h, w)) and its time (seconds); say whether the gate is open.

        The steps between views may be of any length, up to seconds. A view of another size begins anew; so does one whose time goes back.
        """
        cells = _cells(luma)
        if luma.shape != self._shape or t < self._t:
            self._begin(luma, cells, t)
        else:
            self._judge(cells, t)
        self._t = t
        return t <= self._open_until

    def _begin(self, luma: Luma, cells: Cells, t: float) -> None:
        self._shape = luma.shape
        self._background = cells
        self._own = np.zeros_like(cells)
        self._base_due = t
        # What is blackened on purpose never changes, and must not pass for what most of the picture does.
        self._seen = np.flatnonzero(cells > 0.5)
        self._open_until = t + self._learn_s

    def _judge(self, cells: Cells, t: float) -> None:
        difference = cells - self._background
        seen = difference.ravel()[self._seen] if self._seen.size else difference.ravel()
        shared = _median(seen)
        difference -= np.float32(shared)
        size = np.abs(difference)
        noise = min(NOISE_MOST, _median(np.abs(seen - shared)))
        own = np.float32(OWN_SPREADS) * np.minimum(self._own, np.float32(OWN_MOST))
        limit = self._fixed_limit(t) + own + np.float32(NOISE_SPREADS * noise)
        changed = size > limit
        count = int(np.count_nonzero(changed))
        if count > NEW_SCENE * max(1, self._seen.size):
            self._background = cells
            self._base_due = t
            self._open_until = max(self._open_until, t + max(self._learn_s, self._hold_s))
            return
        if count >= CLUSTER and _clustered(changed):
            self._open_until = max(self._open_until, t + self._hold_s)
        self._learn(difference, shared, size, limit, changed, t - self._t)

    def _fixed_limit(self, t: float) -> Cells:
        """Give the terms that hang on the background alone; it moves slowly, so they are worked out twice a second."""
        if t >= self._base_due:
            self._base = np.float32(BASE) + np.float32(SHAKE) * _contrast(self._background)
            self._base_due = t + BASE_EVERY_S
        return self._base

    def _learn(self, difference: Cells, shared: float, size: Cells, limit: Cells, changed: npt.NDArray[np.bool_], passed_s: float) -> None:
        follow = 1.0 - math.exp(-passed_s / BACKGROUND_S)
        step = ABSORBED_PER_S * passed_s
        learned = difference * np.float32(follow)
        if changed.any():
            learned[changed] = difference[changed].clip(-step, step)
        self._background = self._background + (learned + np.float32(shared))
        self._own += (1.0 - math.exp(-passed_s / OWN_S)) * (np.minimum(size, limit) - self._own)


class FrozenPicture:
    """Notices that a camera sends the very same picture again and again: real sensors are never that quiet. One thread."""

    def __init__(self, after_s: float) -> None:
        """Take how long a picture must stand, seconds; 0: never."""
        self._after_s = after_s
        self._picture: Luma | None = None
        self._since = 0.0

    def stands(self, luma: Luma, t: float) -> bool:
        """Take the next small grey view (uint8, (h, w)) and its time, seconds; say whether it has been the very same for so long."""
        if self._picture is None or t < self._since or not np.array_equal(luma, self._picture):
            self._picture = luma.copy()
            self._since = t
        return 0.0 < self._after_s <= t - self._since


def _cells(luma: Luma) -> Cells:
    """Average a view into about CELLS along its longer side: float32, grey levels."""
    import cv2

    size = max(1, round(max(luma.shape) / CELLS))
    height, width = max(1, luma.shape[0] // size), max(1, luma.shape[1] // size)
    # Whole cells only, some pixels at the edges are left out: OpenCV averages whole numbers of pixels three times as fast.
    whole = luma[: height * size, : width * size]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _contrast(cells: Cells) -> Cells:
    """Give how much cells differ from their eight neighbours at most."""
    import cv2

    kernel = np.ones((3, 3), np.uint8)
    return np.asarray(np.maximum(cv2.dilate(cells, kernel) - cells, cells - cv2.erode(cells, kernel)), np.float32)


def _clustered(changed: npt.NDArray[np.bool_]) -> bool:
    """Whether CLUSTER cells of any square of four have changed."""
    few = changed.view(np.uint8)
    return bool(np.any(few[:-1, :-1] + few[:-1, 1:] + few[1:, :-1] + few[1:, 1:] >= CLUSTER))


def _median(values: Cells) -> float:
    """Give the middle value (the upper one of two); np.median takes three times as long on so few."""
    middle = values.size // 2
    return float(np.partition(values, middle)[middle])
