"""Pictures and boxes at one consistent size (geometry is pure, ``letterboxed`` needs OpenCV)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from streamer.types import Image

GREY = 114
"""Border and what is painted over, in all channels: what YOLOv8 is trained with."""

XYXY = tuple[float, float, float, float]
Corners = tuple[tuple[float, float], ...]
"""Four, from the plate's own top left clockwise."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture lies in its square."""

    size: int
    left: int
    top: int
    width: int
    """Of the picture in the square, pixels."""
    height: int
    scale_x: float
    """Pixels of the square per pixel of the picture."""
    scale_y: float


@dataclass(frozen=True, slots=True)
class Labelled:
    """A box and its class."""

    number: int
    """Of the class."""
    box: XYXY
    """x1, y1, x2, y2 in pixels."""
    corners: Corners | None = None
    """x, y in pixels; None: not known."""

    def line(self, width: int, height: int, corners: bool = False) -> str:
        """Give the line of a YOLO label file for a picture of that size: class, centre, width, height in shares of it.

        With ``corners`` x, y and visibility of each follow (ultralytics' keypoints): 2 seen, 0 not known or beyond the picture.
        """
        x1, y1, x2, y2 = self.box
        shares = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
        points = "".join(_point(x / width, y / height) for x, y in self.corners or ((-1.0, -1.0),) * 4) if corners else ""
        return f"{self.number} " + " ".join(f"{share:.6f}" for share in shares) + points


def _point(x: float, y: float) -> str:
    return f" {x:.6f} {y:.6f} 2" if 0 <= x <= 1 and 0 <= y <= 1 else " 0.000000 0.000000 0"


@dataclass(frozen=True, slots=True)
class Placed:
    """Boxes in the square."""

    kept: tuple[Labelled, ...] = ()
    small: tuple[Labelled, ...] = ()
    """Lower than asked for, or less than a pixel: neither plate nor background, so they are painted grey."""
    outside: int = 0
    """Boxes of which nothing is in the picture, or that have no area: labels that are wrong."""
    clipped: int = 0
    """Boxes that reached over the picture's edge by more than a pixel."""


def placement(width: int, height: int, size: int) -> Placement:
    """Fit a picture of ``width`` x ``height`` pixels into a square: longer side to ``size``, aspect kept, centred."""
    scale = size / max(width, height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    return Placement(size, (size - inner[0]) // 2, (size - inner[1]) // 2, *inner, inner[0] / width, inner[1] / height)


def letterboxed(image: Image, at: Placement) -> Image:
    """Scale a picture, uint8 (h, w, 3) BGR, into its square on grey.

    Shrinking averages (OpenCV's INTER_AREA), so that thin strokes do not break; enlarging is bilinear (INTER_LINEAR).
    """
    import cv2

    canvas = np.full((at.size, at.size, 3), GREY, np.uint8)
    method = cv2.INTER_AREA if at.width < image.shape[1] else cv2.INTER_LINEAR
    canvas[at.top : at.top + at.height, at.left : at.left + at.width] = cv2.resize(image, (at.width, at.height), interpolation=method)
    return canvas


def place_boxes(labels: Sequence[Labelled], at: Placement, min_height: float) -> Placed:
    """Bring boxes of the picture into the square, clipped to the picture; told apart by what becomes of them."""
    kept: list[Labelled] = []
    small: list[Labelled] = []
    outside = clipped = 0
    edge = (at.left, at.top, at.left + at.width, at.top + at.height)
    for label in labels:
        x1, y1, x2, y2 = label.box
        there = (x1 * at.scale_x + at.left, y1 * at.scale_y + at.top, x2 * at.scale_x + at.left, y2 * at.scale_y + at.top)
        inside = (max(there[0], edge[0]), max(there[1], edge[1]), min(there[2], edge[2]), min(there[3], edge[3]))
        width, height = inside[2] - inside[0], inside[3] - inside[1]
        if not (width > 0 and height > 0):
            outside += 1
            continue
        corners = label.corners and tuple((x * at.scale_x + at.left, y * at.scale_y + at.top) for x, y in label.corners)
        clipped += any(abs(a - b) > 1 for a, b in zip(there, inside, strict=True))
        fits = width >= 1 and height >= max(1.0, min_height)
        (kept if fits else small).append(replace(label, box=inside, corners=corners))
    return Placed(tuple(kept), tuple(small), outside, clipped)


def paint_over(image: Image, boxes: Sequence[Labelled], keep: Sequence[Labelled] = ()) -> Image:
    """Give the picture with boxes painted grey, except where a kept box lies."""
    if not boxes:
        return image
    painted = image.copy()
    for label in boxes:
        painted[_window(label)] = GREY
    for label in keep:
        painted[_window(label)] = image[_window(label)]
    return painted


def _window(label: Labelled) -> tuple[slice, slice]:
    x1, y1, x2, y2 = label.box
    return slice(int(y1), int(np.ceil(y2))), slice(int(x1), int(np.ceil(x2)))
