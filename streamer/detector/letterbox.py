"""Pictures of any size to the network's input, and boxes back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from streamer.errors import UsageError
from streamer.types import Image

PADDING = 114
"""Grey of the border in all three channels: what YOLOv8 was trained with (ultralytics ``LetterBox``)."""

STRIDE = 32
"""Of the coarsest of YOLOv8's three output grids: sides of the input are multiples of it."""

SQUEEZE = 0.03
"""A picture that fits is squeezed by this share if that saves a row of cells: 640x360 becomes 640x352 instead of 640x384, an
eighth less work."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture lies in the network's input."""

    left: int
    """Columns of border left of it."""
    top: int
    """Rows of border above it."""
    scale_x: float
    """Pixels of the input per pixel of the picture, horizontally."""
    scale_y: float
    width: int
    """Of the picture, pixels."""
    height: int


def input_shape(width: int, height: int, size: int, *, fit: bool) -> tuple[int, int]:
    """Give the network's input (height, width) for a picture: a square, or just enough multiples of the stride."""
    if not fit:
        return size, size
    scale = size / max(height, width)
    return _strides(height * scale), _strides(width * scale)


def letterbox(image: Image, size: int, *, fit: bool = False) -> tuple[Image, Placement]:
    """Scale a picture until its longer side is ``size`` pixels, aspect kept (but see SQUEEZE), centred on grey.

    ``image``: uint8 (height, width, 3) BGR. Gives a contiguous uint8 BGR picture of ``input_shape`` and where the picture
    lies in it. Raises UsageError on anything else than such a picture.
    """
    import cv2

    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise UsageError(f"picture: shape {image.shape}, {image.dtype}; expected (height, width, 3) BGR, uint8, not empty")
    height, width = image.shape[:2]
    rows, columns = input_shape(width, height, size, fit=fit)
    scale = size / max(height, width)
    inner = (min(columns, max(1, round(width * scale))), min(rows, max(1, round(height * scale))))
    left, top = (columns - inner[0]) // 2, (rows - inner[1]) // 2
    canvas = np.full((rows, columns, 3), PADDING, np.uint8)
    window = canvas[top : top + inner[1], left : left + inner[0]]
    if inner == (width, height):
        window[:] = image
    else:
        # Bilinear without antialiasing when shrinking, too: what the network saw in training.
        window[:] = cv2.resize(image, inner, interpolation=cv2.INTER_LINEAR)
    return canvas, Placement(left, top, inner[0] / width, inner[1] / height, width, height)


def _strides(length: float) -> int:
    """Give the multiple of the stride that holds ``length``, or the one below if it takes only a little squeezing."""
    pixels = round(length)
    below = pixels // STRIDE * STRIDE
    return below if below and pixels - below <= SQUEEZE * pixels else max(1, math.ceil(pixels / STRIDE)) * STRIDE
