"""Upright pictures, blackened where privacy demands it, cut to the region in which plates are looked for. Pure.

Polygons are in shares of the upright whole picture. A pixel that a privacy mask touches is masked, and so are those up to GROWTH pixels
around it: corners are rounded to whole pixels, and cameras send one sample of colour for every two pixels each way, so that a masked
thing colours its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from streamer.polygons import Mask, Points, bounds, fill
from streamer.ports import Luma
from streamer.types import Image

Pixels = npt.NDArray[np.uint8]

GROWTH = 2
_TURNS: dict[int, int] = {90: 0, 180: 1, 270: 2}
"""cv2.ROTATE_90_CLOCKWISE, ROTATE_180, ROTATE_90_COUNTERCLOCKWISE."""
_SIZES_KEPT = 4
"""The picture and its small view, before and after a change of the camera's size."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done with pictures of one size."""

    cut: tuple[slice, slice]
    """Rows and columns of the picture as the camera sends it."""
    keep: Mask | None
    """255 where pixels stay, 0 where they are blackened, of the upright cut; None: all stay."""
    box: tuple[int, int, int, int]


class Framing:
    """Does that to every picture of one camera. Any thread; what it worked out for a size is kept."""

    def __init__(self, rotate: Literal[0, 90, 180, 270] = 0, region: Points | None = None, privacy_masks: Iterable[Points] = ()) -> None:
        """Take degrees clockwise that make the picture upright, the polygon to keep, and those to blacken; at least three corners each."""
        self._rotate = rotate
        self._region = region
        self._masks = tuple(privacy_masks)
        self._plans: dict[tuple[int, int], _Plan] = {}

    def apply(self, image: Image) -> Image:
        """Give what may be seen of a picture: uint8 (h, w, 3) BGR in and out, contiguous, read-only; the input is not changed.

        Its top left corner lies at ``box`` in the upright whole picture.
        """
        return self._apply(image)

    def apply_luma(self, luma: Luma) -> Luma:
        """Do the same to a small grey view, uint8 (h, w), so that nothing counts as motion that may not be seen."""
        return self._apply(luma)

    def box(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Give (x1, y1, x2, y2) of what is kept, pixels of the upright whole picture, for the camera's (width, height)."""
        return self._plan(size[1], size[0]).box

    def _apply(self, picture: Pixels) -> Pixels:
        import cv2

        plan = self._plan(*picture.shape[:2])
        result = picture[plan.cut]
        if self._rotate:
            result = np.asarray(cv2.rotate(result, _TURNS[self._rotate]), np.uint8)
        if plan.keep is not None:
            result = np.asarray(cv2.bitwise_and(result, result, mask=plan.keep), np.uint8)
        result = np.ascontiguousarray(result).view()
        result.flags.writeable = False
        return result

    def _plan(self, height: int, width: int) -> _Plan:
        plan = self._plans.get((height, width))
        if plan is None:
            plan = self._make_plan(height, width)
            if len(self._plans) >= _SIZES_KEPT:
                self._plans = {}
            self._plans[height, width] = plan
        return plan

    def _make_plan(self, height: int, width: int) -> _Plan:
        import cv2

        if self._rotate in (90, 270):
            upright_h, upright_w = width, height
        else:
            upright_h, upright_w = height, width
        keep = np.full((upright_h, upright_w), 255, np.uint8)
        x1, y1, x2, y2 = 0, 0, upright_w, upright_h
        if self._region is not None:
            keep = fill(self._region, upright_w, upright_h)
            x1, y1, x2, y2 = bounds(self._region, upright_w, upright_h)
        for polygon in self._masks:
            grown = cv2.dilate(fill(polygon, upright_w, upright_h), np.ones((2 * GROWTH + 1, 2 * GROWTH + 1), np.uint8))
            keep[np.asarray(grown) > 0] = 0
        keep = keep[y1:y2, x1:x2]
        cut = _turned_back((x1, y1, x2, y2), self._rotate, upright_w, upright_h)
        return _Plan(cut, None if keep.all() else np.ascontiguousarray(keep), (x1, y1, x2, y2))


def _turned_back(box: tuple[int, int, int, int], rotate: int, width: int, height: int) -> tuple[slice, slice]:
    """Give the rows and columns, before the turn, of a box of the upright picture (width, height)."""
    x1, y1, x2, y2 = box
    if rotate == 90:
        return slice(width - x2, width - x1), slice(y1, y2)
    if rotate == 180:
        return slice(height - y2, height - y1), slice(width - x2, width - x1)
    if rotate == 270:
        return slice(x1, x2), slice(height - y2, height - y1)
    return slice(y1, y2), slice(x1, x2)
