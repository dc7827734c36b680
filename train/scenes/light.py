"""How bright, sharp and noisy a place in a photograph is, so that what is put there can be so too."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from train.synth.paint import Canvas

Float = NDArray[np.float32]
Window = tuple[int, int, int, int]
"""x1, y1, x2, y2, whole pixels within a picture."""

WHITE, BLACK = 245.0, 27.0
"""Ground and ink of most rendered plates, 0..255."""
_SOFTEST = 24.0
"""Grey levels between ground and ink that a plate keeps at least: less is no plate to anybody."""


@dataclass(frozen=True, slots=True)
class Light:
    """What falls on a place."""

    low: float
    """Level that black has there, 0..255."""
    high: float
    """Level that white has there."""
    cast: tuple[float, float, float]
    """Blue, green, red: factors about 1."""

    def on(self, image: NDArray[np.uint8]) -> Float:
        """Give a rendered picture, uint8 (h, w, 3) BGR, as it looks there: float32."""
        gain = (self.high - self.low) / (WHITE - BLACK)
        lit = (image.astype(np.float32) - BLACK) * np.float32(gain) + np.float32(self.low)
        return np.asarray(lit * np.array(self.cast, np.float32), np.float32)


def light_of(image: Canvas, box: Window) -> Light:
    """Tell the light on a plate from its own darkest and brightest twentieth, and its tint from what is around it."""
    x1, y1, x2, y2 = box
    grey = image[y1:y2, x1:x2].mean(axis=2)
    low, high = (float(value) for value in np.percentile(grey, (5, 95)))
    high = min(255.0, max(high, low + _SOFTEST))
    around = image[slice(*_wider(y1, y2, image.shape[0])), slice(*_wider(x1, x2, image.shape[1]))].reshape(-1, 3).mean(axis=0)
    share = np.clip(around / max(float(around.mean()), 1.0), 0.4, 2.5) ** 0.5  # half of it is the vehicle's own colour
    share /= share.mean()
    blue, green, red = (float(value) for value in share)
    return Light(min(low, high - _SOFTEST), high, (blue, green, red))


def _wider(low: int, high: int, end: int) -> tuple[int, int]:
    return max(0, low - (high - low)), min(end, high + (high - low))


def sharpness(grey: Float) -> float:
    """Steepness of the steepest edges over the contrast: 1 where black follows white, less the softer the picture; 0: no contrast."""
    low, high = (float(value) for value in np.percentile(grey, (5, 95)))
    if high - low < 6 or min(grey.shape) < 3:
        return 0.0
    steps = np.concatenate((np.abs(np.diff(grey, axis=1)).ravel(), np.abs(np.diff(grey, axis=0)).ravel()))
    return float(np.percentile(steps, 98)) / (high - low)


def noise_of(image: Canvas, box: Window) -> float:
    """Tell the deviation of the noise about a place, grey levels: median of second differences, which edges do not move.

    The mask of J. Immerkaer, Fast noise variance estimation, 1996; its answer to noise of deviation 1 has deviation 6. The median of
    its size stands for the mean there, because plates are all edges.
    """
    x1, y1, x2, y2 = box
    grey = image[slice(*_wider(y1, y2, image.shape[0])), slice(*_wider(x1, x2, image.shape[1]))].mean(axis=2).astype(np.float32)
    if min(grey.shape) < 5:
        return 0.0
    mask = np.array(((1, -2, 1), (-2, 4, -2), (1, -2, 1)), np.float32)
    answer = np.abs(cv2.filter2D(grey, cv2.CV_32F, mask)[1:-1, 1:-1])
    return min(12.0, float(np.median(answer)) / 0.6745 / 6.0)


def is_grey(image: Canvas) -> bool:
    """Whether a picture has no colour."""
    few = image[::8, ::8].astype(np.int16)
    return bool((few.max(axis=2) - few.min(axis=2)).mean() < 3)


def without_colour(image: Canvas) -> Canvas:
    """Give the picture in grey, three channels."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR).astype(np.uint8)


def window(box: tuple[float, float, float, float], width: int, height: int, more: float = 0.0) -> Window:
    """Give the whole pixels that a box (x1, y1, x2, y2) touches, ``more`` pixels on every side, within a picture."""
    x1, y1, x2, y2 = box
    return (
        max(0, math.floor(x1 - more)),
        max(0, math.floor(y1 - more)),
        min(width, math.ceil(x2 + more)),
        min(height, math.ceil(y2 + more)),
    )
