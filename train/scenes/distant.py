"""Vehicles of other photographs, made small: what is far away, with a plate that is boxed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from train.manifest import Plate
from train.scenes.light import Float, Window, is_grey, window, without_colour
from train.synth.dice import Dice
from train.synth.paint import Canvas

XYXY = tuple[float, float, float, float]
_BESIDE, _ABOVE, _BELOW = 1.4, 3.4, 1.7
"""How much of a vehicle is taken: plate widths to each side, plate heights (of a plate 3.5 times as wide as high) up and down."""
_FEATHER = 0.14
"""Share of a vehicle's width over which it fades into the picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Vehicle:
    """A part of a photograph about a plate."""

    image: Canvas
    plates: tuple[Plate, ...]
    """In its own pixels: all whole ones."""


def vehicle_about(image: Canvas, plates: Sequence[Plate], number: int) -> Vehicle | None:
    """Cut out what is around plate ``number``; None if another plate would be cut through."""
    box = plates[number].box
    if box is None:
        return None
    tall, width = image.shape[:2]
    wide = box[2] - box[0]
    high = max(box[3] - box[1], wide / 3.5)
    reach = (box[0] - _BESIDE * wide, box[1] - _ABOVE * high, box[2] + _BESIDE * wide, box[3] + _BELOW * high)
    x1, y1, x2, y2 = window(reach, width, tall)
    inside = []
    for plate in plates:
        if plate.box is None:
            return None
        a, b, c, d = plate.box
        if a >= x2 or c <= x1 or b >= y2 or d <= y1:
            continue
        margin = _FEATHER * (x2 - x1)
        if a < x1 + margin or c > x2 - margin or b < y1 + margin / 2 or d > y2 - margin / 2:
            return None
        inside.append(moved(plate, 1.0, -x1, -y1))
    return Vehicle(image[y1:y2, x1:x2].copy(), tuple(inside))


def moved(plate: Plate, scale: float, x: float, y: float) -> Plate:
    """Give a plate scaled, then shifted by x, y pixels."""
    box = (
        None
        if plate.box is None
        else (plate.box[0] * scale + x, plate.box[1] * scale + y, plate.box[2] * scale + x, plate.box[3] * scale + y)
    )
    corners = None if plate.corners is None else tuple((a * scale + x, b * scale + y) for a, b in plate.corners)
    return Plate(box, corners, plate.text, plate.legible, plate.tags)


def put(dice: Dice, image: Canvas, vehicle: Vehicle, width: float, taken: Sequence[XYXY]) -> tuple[Plate, ...]:
    """Put a vehicle into a picture so that its first plate is ``width`` pixels wide; changes the picture.

    Gives its plates there; none if there is no room beside ``taken`` (boxes of other plates).
    """
    box = vehicle.plates[0].box
    if box is None:
        return ()
    scale = width / (box[2] - box[0])
    size = (max(8, round(vehicle.image.shape[1] * scale)), max(8, round(vehicle.image.shape[0] * scale)))
    at = _room(dice, image, size, taken)
    if at is None or scale > 0.9:
        return ()
    small = cv2.resize(vehicle.image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    if is_grey(image):
        small = without_colour(small)
    x, y = at
    part = image[y : y + size[1], x : x + size[0]]
    share = _fading(size)[..., None]
    mixed = part + (_lit(dice, small, part) - part) * share
    part[:] = np.clip(mixed, 0, 255).astype(np.uint8)
    return tuple(moved(plate, size[0] / vehicle.image.shape[1], x, y) for plate in vehicle.plates)


def _room(dice: Dice, image: Canvas, size: tuple[int, int], taken: Sequence[XYXY]) -> tuple[int, int] | None:
    """Find a free place, most often in the lower two thirds."""
    tall, width = image.shape[:2]
    if size[0] >= width or size[1] >= tall:
        return None
    for _ in range(12):
        x, y = dice.whole(0, width - size[0]), dice.whole(min(tall // 4, tall - size[1]), tall - size[1])
        place: Window = (x, y, x + size[0], y + size[1])
        if not any(a < place[2] and c > place[0] and b < place[3] and d > place[1] for a, b, c, d in taken):
            return x, y
    return None


def _lit(dice: Dice, small: Canvas, under: Canvas) -> Float:
    """Bring a vehicle halfway to the brightness of its new surroundings."""
    factor = math.sqrt(max(float(under.mean()), 6.0) / max(float(small.mean()), 6.0))
    return small.astype(np.float32) * np.float32(min(1.5, max(0.5, factor)) * dice.between(0.9, 1.1))


def _fading(size: tuple[int, int]) -> Float:
    """1 in the middle, falling to 0 at the edges, (height, width)."""
    across, down = (np.minimum(np.arange(n) + 0.5, n - np.arange(n) - 0.5).astype(np.float32) for n in size)
    reach = max(2.0, _FEATHER * size[0])
    return np.asarray(np.minimum(across / reach, 1)[None, :] * np.minimum(2 * down / reach, 1)[:, None], np.float32)
