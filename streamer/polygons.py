"""Polygons as configurations have them, in shares of a picture, to pixels (pure)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Points = Sequence[tuple[float, float]]
"""Corners (x, y) in shares of the picture, from its top left corner."""
Mask = npt.NDArray[np.uint8]
"""(height, width): 255 inside, 0 outside."""


def fill(polygon: Points, width: int, height: int) -> Mask:
    """Give 255 in the pixels inside a polygon or on its edge, else 0: uint8 (height, width).

    ``polygon`` is in shares of the picture. Where it crosses itself, everything that it winds around is inside (the non-zero rule;
    the even-odd one of cv2.fillPoly would leave the middle of a five-pointed star open).
    """
    import cv2

    corners = np.asarray(polygon, np.float64) * (width, height)
    winding = np.zeros((height, width + 1), np.int32)
    middles = np.arange(height) + 0.5
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, 0), strict=True):
        rows = np.flatnonzero((middles >= min(ay, by)) & (middles < max(ay, by)))
        if rows.size:
            # Rows whose middle the edge crosses: from the first pixel whose middle lies right of the crossing, one turn more or less.
            crossing = ax + (middles[rows] - ay) * (bx - ax) / (by - ay)
            columns = np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.intp)
            winding[rows, columns] += 1 if by > ay else -1
    inside = np.where(np.cumsum(winding, axis=1)[:, :width] != 0, 255, 0).astype(np.uint8)
    whole = np.clip(np.floor(corners), 0, (width - 1, height - 1)).astype(np.int32)
    return np.asarray(cv2.polylines(inside, [whole.reshape(-1, 1, 2)], True, (255,)), np.uint8)


def bounds(polygon: Points, width: int, height: int) -> tuple[int, int, int, int]:
    """Give the box around a polygon, at least a pixel wide and high."""
    corners = np.asarray(polygon, np.float64) * (width, height)
    x1, y1 = np.minimum(np.floor(corners.min(0)), (width - 1, height - 1)).astype(int)
    x2, y2 = np.ceil(corners.max(0)).astype(int)
    return int(x1), int(y1), max(int(x2), int(x1) + 1), max(int(y2), int(y1) + 1)


def of_part(polygon: Points, part: Points | None) -> Points:
    """Give a polygon in shares of the box around ``part``, both in shares of the whole picture; as it is without a part.

    What is analysed of a camera is the box around its ``region``. Corners outside of it come out below 0 or above 1.
    """
    if part is None:
        return polygon
    left, top = (min(point[axis] for point in part) for axis in (0, 1))
    width, height = (max(point[axis] for point in part) - least for axis, least in ((0, left), (1, top)))
    if width <= 0 or height <= 0:
        return polygon
    return [((x - left) / width, (y - top) / height) for x, y in polygon]
