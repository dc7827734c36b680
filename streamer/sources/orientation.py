"""Upright pictures from the display matrix of a recording (pure)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from streamer.types import Image


@dataclass(frozen=True, slots=True)
class Turn:
    """How a stored picture becomes upright: first rows and columns change places, then it is mirrored."""

    transpose: bool = False
    flip_x: bool = False
    """Left and right change places."""
    flip_y: bool = False
    """Top and bottom change places."""

    def apply(self, image: Image) -> Image:
        """Give the upright picture: uint8 (h, w, 3), or (w, h, 3) where the turn is a quarter; contiguous."""
        if self == UPRIGHT:
            return image
        turned = image.transpose(1, 0, 2) if self.transpose else image
        return np.ascontiguousarray(turned[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1])


UPRIGHT = Turn()


def turn_of(display_matrix: bytes) -> Turn:
    """Read FFmpeg's AV_FRAME_DATA_DISPLAYMATRIX: nine native int32, (a b u, c d v, x y w) row by row.

    A stored point (p, q) is shown at (a p + c q, b p + d q), y downwards (libavutil/display.h). Angles between the quarters,
    which no recorder writes, are taken as the nearest quarter.
    """
    a, b, _, c, d = struct.unpack_from("=5i", display_matrix)
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Turn(transpose=False, flip_x=a < 0, flip_y=d < 0)
    return Turn(transpose=True, flip_x=c < 0, flip_y=b < 0)
