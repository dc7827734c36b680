"""Crops and how well they can be read (pure)."""

from __future__ import annotations

import math

import numpy as np

from streamer.types import Box, Image

MARGIN = 0.05
"""A crop reaches this share of the plate's size beyond its box on every side: detectors cut tightly at times."""

LEGIBLE_HEIGHT_PX = 32.0
"""Plates higher than this do not get easier to read (the recognition network sees 48 rows of a line)."""


def cut(image: Image, box: Box, margin: float = MARGIN) -> Image:
    """Give the view of ``image`` (h, w, 3) inside ``box`` and a margin, clipped to the picture; at least one pixel."""
    height, width = image.shape[:2]
    dx, dy = box.width * margin, box.height * margin
    x1 = min(max(math.floor(box.x1 - dx), 0), width - 1)
    y1 = min(max(math.floor(box.y1 - dy), 0), height - 1)
    x2 = max(min(math.ceil(box.x2 + dx), width), x1 + 1)
    y2 = max(min(math.ceil(box.y2 + dy), height), y1 + 1)
    return image[y1:y2, x1:x2]


def sharpness(crop: Image) -> float:
    """Give 0..1: how steep the edges along the text are, whatever contrast and size.

    The largest brightness step between neighbouring columns (its 98th percentile) over the range of brightness (5th to
    95th percentile). An ideal edge scores 1; motion blur over n pixels about 1/n. Plates higher than the network sees are
    first thinned to its rows, so that blur that does not matter there is not held against them.
    """
    step = max(1, round(crop.shape[0] / (2 * LEGIBLE_HEIGHT_PX)))
    grey = crop[::step, ::step, 1].astype(np.float32)
    if grey.shape[1] < 3:
        return 0.0
    low, high = np.percentile(grey, (5, 95))
    if high - low < 8:  # flat: nothing to read
        return 0.0
    edges = np.abs(np.diff(grey, axis=1))
    return float(min(1.0, np.percentile(edges, 98) / (high - low)))


def legibility(box: Box, sharp: float) -> float:
    """Give 0..1: sharpness (0..1), lowered for plates that are small (full from 32 pixels of height on)."""
    return sharp * min(1.0, box.height / LEGIBLE_HEIGHT_PX)
