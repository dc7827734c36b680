"""Paint on a canvas through masks, cut at its edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train.synth.fonts import Mask
from train.synth.looks import Colour

Canvas = NDArray[np.uint8]
"""uint8 (h, w, 3) BGR."""


def stamp(target: Mask, mask: Mask, x: int, y: int) -> None:
    """Lay a mask over another, cut at the edges."""
    rows, columns = target.shape
    x1, y1, x2, y2 = max(0, x), max(0, y), min(columns, x + mask.shape[1]), min(rows, y + mask.shape[0])
    if x1 < x2 and y1 < y2:
        part = target[y1:y2, x1:x2]
        np.maximum(part, mask[y1 - y : y2 - y, x1 - x : x2 - x], out=part)


def paint(image: Canvas, mask: Mask, colour: Colour, x: int = 0, y: int = 0, strength: float = 1.0) -> None:
    """Paint a colour through a mask whose top left lies at x, y; cut at the edges."""
    rows, columns = image.shape[:2]
    x1, y1, x2, y2 = max(0, x), max(0, y), min(columns, x + mask.shape[1]), min(rows, y + mask.shape[0])
    if x1 >= x2 or y1 >= y2:
        return
    part = image[y1:y2, x1:x2]
    share = mask[y1 - y : y2 - y, x1 - x : x2 - x].astype(np.float32)[..., None] * (strength / 255.0)
    part[:] = (part + (np.array(colour, np.float32) - part) * share).astype(np.uint8)


def rounded(width: int, tall: int, radius: float) -> Mask:
    """A filled rectangle with round corners, uint8 (tall, width)."""
    mask = np.full((tall, width), 255, np.uint8)
    r = int(min(radius, width / 3, tall / 3))
    if r > 1:
        y, x = np.mgrid[0:r, 0:r]
        corner = np.where((x - r) ** 2 + (y - r) ** 2 <= r * r, 255, 0).astype(np.uint8)
        mask[:r, :r], mask[:r, -r:] = corner, corner[:, ::-1]
        mask[-r:, :r], mask[-r:, -r:] = corner[::-1], corner[::-1, ::-1]
    return mask
