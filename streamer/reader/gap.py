"""One line or two, told by the gap between them: for when no text detector is used."""

from __future__ import annotations

import cv2
import numpy as np

from streamer.reader.lines import LINE_HEIGHT, line_width, scaled
from streamer.types import Image

SQUAT = 2.2
"""Plates that are wider than this many heights have one line."""

WHOLE_WIDTH = 224
"""Pixels that a whole crop is stretched to at least; 160 and 320 read less."""

_SHORTEST = 0.3
"""A line is at least this share of the plate's height."""


def whole_line(crop: Image) -> Image:
    """Take a whole crop, (h, w, 3), as one line: uint8 (48, width, 3)."""
    return scaled(crop, line_width(crop.shape[1], crop.shape[0], WHOLE_WIDTH), LINE_HEIGHT)


def split_lines(crop: Image) -> list[Image]:
    """Give the parts of a crop, (h, w, 3), that hold one line each, from top to bottom: two if it is squat and has a clear gap."""
    row = gap_row(crop)
    return [crop] if row is None else [crop[:row], crop[row:]]


def gap_row(crop: Image) -> int | None:
    """Give the row between two lines of text, or None.

    Rows of text change brightness often from left to right, the gap between two lines hardly: a gap is a row with less than
    half of the change of the weaker of the two lines.
    """
    height, width = crop.shape[:2]
    if width >= SQUAT * height or height < 12 or width < 12:
        return None
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY).astype(np.float32)
    inner = grey[:, round(0.1 * width) : round(0.9 * width)]  # without the frame at both ends
    profile = np.abs(np.diff(inner, axis=1)).mean(axis=1)
    profile = cv2.blur(profile[:, None], (1, 3), borderType=cv2.BORDER_REPLICATE).ravel()
    low, high = round(_SHORTEST * height), round((1 - _SHORTEST) * height)
    row = low + int(profile[low:high].argmin())
    weaker = min(np.percentile(profile[:row], 80), np.percentile(profile[row:], 80))
    return row if profile[row] < 0.5 * weaker else None
