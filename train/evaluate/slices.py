"""Which groups a plate belongs to (pure).

A plate is in ``all``, in its region and source, in ``day`` or ``night``, in a band of widths, and in these where they are so:

- ``two-line``: said to have two lines or, where nobody said, squatter than 2:1. American plates of one line are that squat too:
  they fail in the same way, because the characters are narrow in the reader's input.
- ``small``: lower than 20 pixels.
- ``slanted``: said to be so or, by its corners, the upper edge more than 8 degrees off the level, or the sides more than 8 degrees off the
  plumb. Where neither is known nothing is said about it.
- ``night``: said to be so or, where nobody said, the mean brightness of the picture is under 70 of 255.

Plates with characters outside the alphabet (``*``) are counted in slices of their own, named with a leading ``*``, and in no other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from train.evaluate.data import Sample, Truth
from train.evaluate.figures import ALL

DARK = 70.0
"""Mean brightness; it parts what people called dark and light on 338 photographs without an exception."""
SQUAT = 2.0
SMALL_PX = 20.0
SLANT_DEGREES = 8.0
WIDTHS = (40, 80, 160)
"""Pixels, ends of the bands."""


def picture_slices(sample: Sample, brightness: float) -> list[str]:
    """Give the groups that a whole picture belongs to; ``brightness``: its mean, 0..255."""
    said = sample.tags & {"night", "day"}
    names = [ALL, *(said or ("night" if brightness < DARK else "day",))]
    if sample.region:
        names.append(f"region {sample.region}")
    if sample.source:
        names.append(f"source {sample.source}")
    return names


def plate_slices(sample: Sample, truth: Truth, brightness: float, width: float, height: float) -> list[str]:
    """Give the groups that a plate of ``width`` x ``height`` pixels belongs to."""
    names = [*picture_slices(sample, brightness), width_slice(width)]
    tags = sample.tags | truth.tags
    if "two-line" in tags or ("one-line" not in tags and width < SQUAT * height):
        names.append("two-line")
    if height < SMALL_PX:
        names.append("small")
    if "slanted" in tags or (truth.corners is not None and _slant(truth.corners) > SLANT_DEGREES):
        names.append("slanted")
    if truth.text is not None and "*" in truth.text:
        return [f"* {name}" for name in names if name == ALL or name.startswith("region ")]
    return names


def width_slice(width: float) -> str:
    """Give the band of widths: ``width 40-80`` for 40 <= width < 80 pixels."""
    if width < WIDTHS[0]:
        return f"width < {WIDTHS[0]}"
    if width >= WIDTHS[-1]:
        return f"width > {WIDTHS[-1]}"
    return next(f"width {low}-{high}" for low, high in pairwise(WIDTHS) if width < high)


def _slant(corners: Sequence[tuple[float, float]]) -> float:
    """Give the larger of the upper edge's angle to the level and the left side's to the plumb, degrees."""
    (ax, ay), (bx, by), _, (dx, dy) = corners
    level = math.degrees(math.atan2(abs(by - ay), abs(bx - ax)))
    plumb = math.degrees(math.atan2(abs(dx - ax), abs(dy - ay)))
    return max(level, plumb)
