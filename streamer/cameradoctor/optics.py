"""What one crop of a plate, and one whole picture, tell about size, tilt, focus, blur and exposure. Pure: arrays in, numbers out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from streamer.reader.nets import Floats
from streamer.reader.platelayout import line_size, tilt
from streamer.types import Image

HIGHLIGHT: Final = 250
"""Grey levels from here on count as clipped: the top of the range, less what coding and colour conversion round away."""
SHADOW: Final = 8
"""Grey levels up to here count as clipped."""
STEEP: Final = 98.0
"""Percentile of the brightness steps that stands for the edges of characters; the same as ``crops.sharpness`` uses."""
ROOM: Final = 0.25
"""Room around the characters, in their height, that is looked at: enough for both sides of an edge, too little for the car's body."""


@dataclass(frozen=True, slots=True)
class Text:
    """Where the characters of a plate stand in its crop, as the reader's layout network says.

    Measured by scaling and turning 100 real crops: heights of 5 to 24 pixels come out within 3 %, angles up to 27 degrees within 3.
    The network does not see whether characters slant (5 degrees for 40), so nothing is said about that.
    """

    height_px: float
    """Of the characters: mean of the left and the right side of the higher line of characters."""
    width_px: float
    """Of the widest line."""
    lines: int
    tilt_deg: float
    """Of the lines against the picture's rows, clockwise."""
    area: tuple[int, int, int, int]
    """x1, y1, x2, y2 in pixels of the crop around all lines, with ROOM."""


@dataclass(frozen=True, slots=True)
class Light:
    """How bright something is: shares of its pixels, grey levels 0..255."""

    mean: float
    highlights: float
    """Share that is clipped white, 0..1."""
    shadows: float
    """Share that is clipped black, 0..1."""
    contrast: float
    """Grey levels between the 5th and the 95th percentile."""


def text_of(quads: Floats, width: int, height: int) -> Text:
    """Say how the lines stand. ``quads``: (lines, 4, 2) pixels of a crop of ``width`` x ``height``, from the top left corner clockwise."""
    sizes = [line_size(quad) for quad in quads]
    high = max(size[1] for size in sizes)
    room = ROOM * high
    low, top = quads.reshape(-1, 2).min(axis=0) - room, quads.reshape(-1, 2).max(axis=0) + room
    x1, y1 = (int(v) for v in np.clip(np.floor(low), 0, (width - 1, height - 1)))
    x2, y2 = (int(v) for v in np.clip(np.ceil(top), (x1 + 1, y1 + 1), (width, height)))
    return Text(high, max(size[0] for size in sizes), len(quads), tilt(quads), (x1, y1, x2, y2))


def grey_of(image: Image) -> npt.NDArray[np.float32]:
    """Give the grey picture, float32 (h, w), 0..255, by the weights of ITU-R BT.601."""
    return np.asarray(image @ np.array([0.114, 0.587, 0.299], np.float32), np.float32)


def light_of(grey: npt.NDArray[np.float32]) -> Light:
    """Say how bright a grey picture, (h, w) 0..255, is."""
    low, high = np.percentile(grey, (5, 95))
    return Light(float(grey.mean()), float((grey >= HIGHLIGHT).mean()), float((grey <= SHADOW).mean()), float(high - low))


def edge_widths(grey: npt.NDArray[np.float32]) -> tuple[float, float] | None:
    """Give over how many pixels edges stretch, across columns (x) and across rows (y); None where there is nothing to see.

    The range of brightness (5th to 95th percentile) over the steepest steps between neighbours: an ideal edge has 1, one that is smeared
    evenly over n pixels has n. ``grey``: float32 (h, w), 0..255, the characters of a plate and little else.
    """
    if min(grey.shape) < 4:
        return None
    low, high = np.percentile(grey, (5, 95))
    if high - low < 8:
        return None
    x = np.percentile(np.abs(np.diff(grey, axis=1)), STEEP)
    y = np.percentile(np.abs(np.diff(grey, axis=0)), STEEP)
    return float((high - low) / max(x, 0.5)), float((high - low) / max(y, 0.5))


def smear_px(along_px: float, across_px: float, turn_deg: float) -> float | None:
    """Give how long motion smears, pixels, from the widths of edges along and across it; None where they cannot tell.

    Motion over L pixels at an angle a to the axis widens the edges across that axis to sqrt(w^2 + (L cos a)^2) and the others to
    sqrt(w^2 + (L sin a)^2), where w is what lens and sensor alone would give; the difference of squares leaves L. Near the diagonal
    both are the same. ``turn_deg``: a, 0..45. Measured by blurring 100 real crops by 2, 3, 4, 5, 6, 8 pixels: 2.0, 2.6, 3.7, 4.2, 5.1,
    6.5; by none: 0.5.
    """
    share = math.cos(math.radians(2 * turn_deg))
    if share < 0.5:
        return None
    return math.sqrt(max(0.0, along_px**2 - across_px**2) / share)
