"""Takes plates out of photographs, and puts rendered ones in."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from train.scenes.light import Float, Light, Window, noise_of, sharpness, window
from train.synth.camera import Matrix, transform
from train.synth.dice import Dice
from train.synth.paint import Canvas
from train.synth.render import Drawn

XYXY = tuple[float, float, float, float]
_BLURS = (0.0, 0.5, 0.8, 1.2, 1.7, 2.4)
"""Deviations that are tried, pixels."""
_MOST_SHARP = 6
"""Times that a plate is drawn larger than it will be, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """How a place in a photograph looks to the camera."""

    light: Light
    sharp: float
    """See light.sharpness; 0: not known."""
    noise: float
    """Grey levels."""


def cover(dice: Dice, image: Canvas, box: XYXY) -> None:
    """Paint over a plate with what is around it, grain included. Changes the picture."""
    tall, width = image.shape[:2]
    rim = max(2.0, 0.08 * (box[3] - box[1]))
    inner = window(box, width, tall, rim)
    outer = window(box, width, tall, rim + 6)
    x1, y1, x2, y2 = outer
    grain = noise_of(image, inner)
    mask = np.zeros((y2 - y1, x2 - x1), np.uint8)
    mask[inner[1] - y1 : inner[3] - y1, inner[0] - x1 : inner[2] - x1] = 255
    part = image[y1:y2, x1:x2]
    filled = cv2.inpaint(np.ascontiguousarray(part), mask, 4, cv2.INPAINT_TELEA).astype(np.float32)
    filled += dice.noise(*mask.shape, 1) * np.float32(grain)
    covered = mask > 0
    part[covered] = np.clip(filled, 0, 255).astype(np.uint8)[covered]


def size_for(dice: Dice, plate: Drawn, turned: Matrix, box: XYXY, span: tuple[float, float]) -> float:
    """Give the factor from the turned plate's pixels to the picture's: about the area of the box (``span``: of the factor on it)."""
    corners = transform(turned, plate.corners)
    wide, high = (float(value) for value in corners.max(0) - corners.min(0))
    old_wide, old_high = box[2] - box[0], box[3] - box[1]
    factor = math.sqrt(old_wide * old_high * dice.between(*span) / (wide * high))
    return min(factor, 1.2 * old_wide / wide, 2.4 * old_high / high)


def lay(
    dice: Dice, image: Canvas, plate: Drawn, turned: Matrix, factor: float, middle: tuple[float, float], look: Look
) -> NDArray[np.float64]:
    """Put a plate into a picture, its middle about ``middle``, in the light, as soft and as noisy as the place. Changes the picture.

    ``turned``: pixels of the drawn plate to pixels of any size; ``factor``: from those to the picture's. Gives the plate's corners in
    the picture, (4, 2) from its own top left clockwise; all of them are in it if there is room.
    """
    tall, width = image.shape[:2]
    scaled = np.diag((factor, factor, 1.0)) @ turned
    rim = transform(scaled, _rim(plate))
    low, high = rim.min(0), rim.max(0)
    at = np.array(middle) - (low + high) / 2
    at = np.clip(at, 1 - low, np.maximum(1 - low, np.array((width, tall)) - 1 - high))
    matrix = np.array(((1, 0, at[0]), (0, 1, at[1]), (0, 0, 1))) @ scaled
    x1, y1, x2, y2 = window((*(low + at), *(high + at)), width, tall, 8)
    own = np.array(((1, 0, -x1), (0, 1, -y1), (0, 0, 1))) @ matrix
    face, alpha = _seen(plate, own, (x2 - x1, y2 - y1))
    corners = transform(matrix, plate.corners)
    inner = window((*corners.min(0), *corners.max(0)), width, tall)
    under = image[y1:y2, x1:x2].astype(np.float32) * _shade(dice, alpha)
    mixed = _as_soft(under, look.light.on(face), alpha, look.sharp, _inside(inner, x1, y1))
    mixed += dice.noise(y2 - y1, x2 - x1, 3 if dice.chance(0.4) else 1) * (alpha[..., None] * np.float32(look.noise))
    image[y1:y2, x1:x2] = np.clip(mixed, 0, 255).astype(np.uint8)
    return corners


def _rim(plate: Drawn) -> NDArray[np.float64]:
    """Corners of the drawn picture, the frame included."""
    tall, width = plate.image.shape[:2]
    return np.array(((0, 0), (width, 0), (width, tall), (0, tall)), np.float64)


def _seen(plate: Drawn, matrix: Matrix, size: tuple[int, int]) -> tuple[Canvas, Float]:
    """The plate in a window of the picture and its share of each pixel 0..1; drawn larger and averaged, as a sensor does."""
    rim = transform(matrix, _rim(plate))
    shrink = plate.image.shape[1] / max(1.0, float(np.linalg.norm(rim[1] - rim[0])))
    times = min(_MOST_SHARP, max(2, round(shrink)))
    larger = np.diag((times, times, 1.0)) @ np.array(((1, 0, 0.5), (0, 1, 0.5), (0, 0, 1))) @ matrix
    larger = np.array(((1, 0, -0.5), (0, 1, -0.5), (0, 0, 1))) @ larger
    full = (size[0] * times, size[1] * times)
    face = cv2.warpPerspective(plate.image, larger, full, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpPerspective(plate.alpha, larger, full, flags=cv2.INTER_LINEAR)
    face, alpha = (cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in (face, alpha))
    return face.astype(np.uint8), np.asarray(alpha.astype(np.float32) / 255.0, np.float32)


def _shade(dice: Dice, alpha: Float) -> Float:
    """What a plate's shadow leaves of the light around it, (h, w, 1)."""
    deep = dice.between(0.0, 0.45)
    down = max(1, round(alpha.shape[0] * dice.between(0.01, 0.05)))
    shadow = cv2.GaussianBlur(np.roll(alpha, (down, dice.whole(-1, 1)), (0, 1)), (0, 0), 0.7 + 0.5 * down)
    return np.asarray(1 - np.float32(deep) * shadow[..., None], np.float32)


def _as_soft(under: Float, face: Float, alpha: Float, sharp: float, inner: Window) -> Float:
    """Mix plate and picture, the plate blurred until it is about as soft as ``sharp`` says."""
    best, least = under, math.inf
    x1, y1, x2, y2 = inner
    for deviation in _BLURS:
        soft, share = (face, alpha) if not deviation else (cv2.GaussianBlur(part, (0, 0), deviation) for part in (face, alpha))
        mixed = under + (soft - under) * share[..., None]
        if not sharp:
            return np.asarray(mixed, np.float32)
        off = abs(sharpness(mixed[y1:y2, x1:x2].mean(axis=2)) - sharp)
        if off < least:
            best, least = mixed, off
    return np.asarray(best, np.float32)


def _inside(inner: Window, x: int, y: int) -> Window:
    return inner[0] - x, inner[1] - y, inner[2] - x, inner[3] - y
