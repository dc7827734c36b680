"""What lens, sensor and codec make of a picture: exposure, night, grey, blur, noise, compression."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from train.synth.config import SynthConfig
from train.synth.dice import Dice
from train.synth.paint import Canvas

Float = NDArray[np.float32]


def expose(dice: Dice, config: SynthConfig, image: Canvas) -> Float:
    """Exposure, contrast and colour: float32 (h, w, 3), 0..255 and beyond."""
    out = image.astype(np.float32)
    if dice.chance(config.night):
        return _night(dice, out)
    contrast, bright = dice.between(0.4, 1.15), dice.between(-45, 40)
    out = (out - 128) * contrast + 128 + bright
    if dice.chance(0.5):
        out *= np.array([dice.bell(1, 0.05) for _ in range(3)], np.float32)
    if dice.chance(0.06):  # over-exposed: light runs over the edges
        out = out * dice.between(1.2, 1.7) + dice.between(10, 50)
        out = np.maximum(out, cv2.GaussianBlur(np.minimum(out, 255), (0, 0), dice.between(1, 2.5)))
    return out


def _night(dice: Dice, out: Float) -> Float:
    """Dark surroundings; the plate lit by its lamp, by headlamps, or by infrared."""
    height, width = out.shape[:2]
    if dice.chance(0.5):
        out = out * dice.between(0.15, 0.45)
    else:
        x0, y0 = dice.between(0.2, 0.8) * width, dice.between(-0.2, 1.0) * height
        y, x = np.ogrid[0:height, 0:width]
        fall = np.exp(-(((x - x0) / (0.6 * width)) ** 2 + ((y - y0) / (0.9 * height)) ** 2)).astype(np.float32)
        out = out * (dice.between(0.1, 0.3) + dice.between(0.5, 1.1) * fall)[..., None]
    return out * np.array((dice.between(0.6, 1.0), dice.between(0.8, 1.0), dice.between(0.9, 1.1)), np.float32) + dice.between(0, 12)


def blur(dice: Dice, image: Float, height: float) -> Float:
    """Defocus and motion, as strong as characters ``height`` pixels tall bear."""
    bear = min(1.0, height / 22)
    if dice.chance(0.55):
        image = cv2.GaussianBlur(image, (0, 0), dice.between(0.3, 1.5) * bear + 0.05).astype(np.float32)
    if dice.chance(0.22):
        size = max(3, 2 * round(dice.between(1, 3.5) * bear) + 1)
        kernel = np.zeros((size, size), np.float32)
        kernel[size // 2] = 1.0
        angle = dice.bell(0, 12) if dice.chance(0.6) else dice.between(0, 180)
        turn = cv2.getRotationMatrix2D((size / 2 - 0.5, size / 2 - 0.5), angle, 1)
        weights = cv2.warpAffine(kernel, turn, (size, size)).astype(np.float32)
        weights /= max(float(weights.sum()), 1e-6)
        image = cv2.filter2D(image, -1, weights).astype(np.float32)
    return image


def visible(image: Float, box: NDArray[np.float64], least: float) -> Float:
    """Bring a picture in which nobody could read the characters back into sight.

    ``box``: x1, y1, x2, y2 around all characters, in pixels. Where less than ``least`` of 255 grey levels are left between ground and
    ink after clipping, the levels there are spread to that, about a brightness that a sensor can tell.
    """
    x1, y1, x2, y2 = (round(float(value)) for value in box)
    part = image[max(0, y1) : max(1, y2), max(0, x1) : max(1, x2)].mean(axis=2)
    if not part.size:
        return image
    low, high = (float(value) for value in np.percentile(part, (6, 94)))
    if min(high, 255.0) - max(low, 0.0) >= least:
        return image
    middle = min(max((low + high) / 2, least), 255 - least)
    factor = max(1.0, least / max(high - low, 1.0))
    return ((image - (low + high) / 2) * min(factor, 8.0) + middle).astype(np.float32)


def record(dice: Dice, config: SynthConfig, image: Float, height: float) -> Canvas:
    """Noise, sharpening, grey, compression, as characters ``height`` pixels tall bear: uint8 (h, w, 3) BGR."""
    rows, columns = image.shape[:2]
    level = min(1.0, height / 18) * dice.weighted({0.0: 0.38, 2.0: 0.3, 4.0: 0.2, 8.0: 0.09, 13.0: 0.03})
    if level:
        image = image + dice.noise(rows, columns, 3 if dice.chance(0.5) else 1) * level
    if dice.chance(0.15):
        image = image + dice.between(0.4, 1.2) * (image - cv2.GaussianBlur(image, (0, 0), 1.2))
    out = np.clip(image, 0, 255).astype(np.uint8)
    if dice.chance(config.grey):
        out = cv2.cvtColor(cv2.cvtColor(out, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR).astype(np.uint8)
    if dice.chance(0.7):
        quality = dice.whole(30 if height > 16 else 50, 95)
        out = cv2.imdecode(cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR).astype(np.uint8)
    return np.ascontiguousarray(out)
