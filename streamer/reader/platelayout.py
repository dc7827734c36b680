"""Lines of characters, cut out of a crop as the recogniser likes them: upright, tight, all of one size.

A small network says where the characters of the number stand, line by line; states, slogans and bands stay outside. Here its
four corners per line become pictures. No text detector is needed, and every line is read in one pass.
"""

from __future__ import annotations

import cv2
import numpy as np

from streamer.reader.lines import LINE_HEIGHT, scaled
from streamer.reader.nets import Floats
from streamer.types import Image

CUT_WIDTH = 224
"""Pixels: every line is stretched to this width, whatever it has of its own."""

ABOVE = 0.15
"""Room above and below the characters, in heights of the line: corners that are a little wrong cut no character."""
BESIDE = 0.25
"""Room left and right of them, in heights of the line: more, because crops are wide and errors grow with their width."""


def cut_lines(crop: Image, quads: Floats) -> list[Image]:
    """Cut lines of characters out of a crop and stretch them.

    ``crop``: uint8 (h, w, 3) BGR. ``quads``: (lines, 4, 2), x and y in pixels of the crop, each the corners of a line's characters
    from the top left one clockwise; they may lie outside of the crop. Gives uint8 (LINE_HEIGHT, CUT_WIDTH, 3) BGR for each, with ABOVE
    and BESIDE as room around the characters; what lies beyond the crop repeats its edge.
    """
    return [_cut(crop, quad) for quad in np.asarray(quads, np.float32).reshape(-1, 4, 2)]


def line_size(quad: Floats) -> tuple[float, float]:
    """Give the mean width and height of four corners, (4, 2), in pixels; at least 1."""
    top_left, top_right, bottom_right, bottom_left = quad.astype(np.float64)
    width = np.hypot(*(top_right - top_left)) + np.hypot(*(bottom_right - bottom_left))
    height = np.hypot(*(bottom_left - top_left)) + np.hypot(*(bottom_right - top_right))
    return max(1.0, float(width) / 2), max(1.0, float(height) / 2)


def _cut(crop: Image, quad: Floats) -> Image:
    width, height = line_size(quad)
    # Thin strokes break where pixels are skipped: what is much too large is averaged first.
    factors = np.array([min(1.0, CUT_WIDTH / width), min(1.0, LINE_HEIGHT / height)], np.float32)
    factors[factors > 0.6] = 1.0
    if factors.min() < 1:
        size = np.maximum(1, np.round(factors * (crop.shape[1], crop.shape[0]))).astype(int)
        factors = (size / (crop.shape[1], crop.shape[0])).astype(np.float32)
        crop = scaled(crop, int(size[0]), int(size[1]))
    x, y = CUT_WIDTH * BESIDE * height / (width + 2 * BESIDE * height), LINE_HEIGHT * ABOVE / (1 + 2 * ABOVE)
    inner = np.array([[x, y], [CUT_WIDTH - x, y], [CUT_WIDTH - x, LINE_HEIGHT - y], [x, LINE_HEIGHT - y]], np.float32)
    matrix = cv2.getPerspectiveTransform((quad * factors).astype(np.float32), inner)
    cut = cv2.warpPerspective(crop, matrix, (CUT_WIDTH, LINE_HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, dtype=np.uint8)
