"""Pictures of any size to the network's input, and boxes back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamer.errors import UsageError
from streamer.types import Image

PADDING = 114
"""Grey of the border in all three channels: what YOLOv8 was trained with (ultralytics ``LetterBox``)."""


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


def letterbox(image: Image, size: int) -> tuple[Image, Placement]:
    """Scale a picture to fit a square, aspect kept, centred on grey.

    ``image``: uint8 (height, width, 3) BGR. Gives a contiguous uint8 (size, size, 3) BGR and where the picture lies in it.
    Raises UsageError on anything else than such a picture.
    """
    import cv2

    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise UsageError(f"picture: shape {image.shape}, {image.dtype}; expected (height, width, 3) BGR, uint8, not empty")
    height, width = image.shape[:2]
    scale = size / max(height, width)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    left, top = (size - inner[0]) // 2, (size - inner[1]) // 2
    canvas = np.full((size, size, 3), PADDING, np.uint8)
    window = canvas[top : top + inner[1], left : left + inner[0]]
    if inner == (width, height):
        window[:] = image
    else:
        # Bilinear without antialiasing when shrinking, too: what the network saw in training.
        window[:] = cv2.resize(image, inner, interpolation=cv2.INTER_LINEAR)
    return canvas, Placement(left, top, inner[0] / width, inner[1] / height, width, height)
