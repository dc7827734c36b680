"""Plates read character by character: a YOLOv8 network with a class per character finds them all in the crop at once.

Nothing has to be cut into lines before: where the characters are says which rows they form, so that plates with two lines and
slanted ones are read in place.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from streamer.reader.lines import scaled
from streamer.reader.nets import Floats, Net
from streamer.reader.pictures import demand_pictures
from streamer.types import Image, ModelInfo, PlateRead

PADDING = 114
"""Grey of the border, in all channels: what YOLOv8 is trained with."""
STRIDE = 32
"""Of YOLOv8's coarsest grid: sides of its input are multiples of it."""

MIN_SCORE = 0.25
"""Weaker characters are left out."""
SAME_PLACE = 0.45
"""Of two characters whose boxes overlap by more (IoU), whatever they are, the weaker is dropped."""
WITHIN = 0.7
"""So it is if this share of the smaller box is covered: a stroke of an H is no I."""

NEAR = 2.5
"""Characters that are so near, in their heights, may be neighbours in a row and tell its slope."""
STEEPEST = 1.4
"""Rows are not steeper, in rows per column: narrow crops of turned plates are squeezed."""
NEXT_ROW = 0.5
"""A row is left where a character lies lower than its mean by so many of its heights."""
ROW_COSTS = 0.5
"""A slope that needs one row more must bring characters nearer to their rows by so many heights in sum."""
SMALL_ROW = 0.5
"""Rows of lower characters, measured by the highest row, are no part of the number."""


@dataclass(frozen=True, slots=True)
class Character:
    """A character in a picture."""

    text: str
    score: float
    """0..1."""
    x: float
    """Of the middle, pixels."""
    y: float
    width: float
    height: float


class CharacterReader:
    """A ports.TextReader. For one thread at a time. A crop's read is the same to the last bit in whatever batch it comes."""

    def __init__(self, net: Net, names: Sequence[str], size: int, info: ModelInfo, *, fixed: bool = False) -> None:
        """Take a network and the text of each class; classes with an empty text are no characters.

        ``size``: longest side of its input, pixels; ``fixed``: it takes squares only.
        """
        self._net, self._names, self._size, self._fixed, self._info = net, tuple(names), size, fixed, info

    @property
    def info(self) -> ModelInfo:
        """Which character detector this is."""
        return self._info

    def read(self, crops: Sequence[Image]) -> list[PlateRead | None]:
        """Read each crop (uint8, (h, w, 3), BGR, sizes may differ); None where there is no character, or no pixel.

        Raises UsageError if something is not a picture.
        """
        demand_pictures(crops)
        filled = [index for index, crop in enumerate(crops) if crop.size]
        reads: list[PlateRead | None] = [None] * len(crops)
        for index, raw in zip(filled, self.outputs([crops[index] for index in filled]), strict=True):
            reads[index] = self.read_of(raw)
        return reads

    def outputs(self, crops: Sequence[Image]) -> list[Floats]:
        """Give what the network says of each crop, none of which may be empty: see ``found``."""
        return self._net.run([network_input(crop, self._size, fixed=self._fixed) for crop in crops])

    def read_of(self, raw: Floats) -> PlateRead | None:
        """Give the read that one of ``outputs`` amounts to; None without a character."""
        return plate_of(rows_of(found(raw, self._names)))


def network_input(crop: Image, size: int, *, fixed: bool = False) -> Image:
    """Scale a crop, (h, w, 3) BGR, until its longer side is ``size`` pixels, on grey in multiples of the stride; gives RGB."""
    height, width = crop.shape[:2]
    scale = size / max(height, width)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    columns, rows = (size, size) if fixed else (-(-side // STRIDE) * STRIDE for side in inner)
    left, top = (columns - inner[0]) // 2, (rows - inner[1]) // 2
    canvas = np.full((rows, columns, 3), PADDING, np.uint8)
    canvas[top : top + inner[1], left : left + inner[0]] = scaled(crop, *inner)[..., ::-1]
    return canvas


def found(raw: Floats, names: Sequence[str]) -> list[Character]:
    """Give the characters in the network's output, best score first.

    ``raw``: (4 + classes, anchors): centre x, centre y, width, height in pixels, a score for each class. A place has one
    character at most: suppression does not look at classes.
    """
    classes = raw[4:].argmax(axis=0)
    scores = raw[4:].max(axis=0)
    named = np.array([bool(name) for name in names])
    strong = np.flatnonzero((scores >= MIN_SCORE) & named[classes])
    if not len(strong):
        return []
    boxes = raw[:4, strong].T.astype(np.float64)
    upright = np.hstack((boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]))
    order = np.asarray(cv2.dnn.NMSBoxes(upright.tolist(), scores[strong].astype(np.float64).tolist(), 0.0, SAME_PLACE), np.int64)
    kept: list[int] = []
    for index in order:
        if all(_covered(upright[index], upright[other]) <= WITHIN for other in kept):
            kept.append(int(index))
    return [Character(names[classes[strong[i]]], float(scores[strong[i]]), *map(float, boxes[i])) for i in kept]


def rows_of(characters: Sequence[Character]) -> list[list[Character]]:
    """Give the rows of text from top to bottom, each from left to right; all have the same slope.

    Slopes between neighbours are tried, and the one kept that puts the characters nearest to few rows; then a line is fitted.
    """
    if not characters:
        return []
    slopes = [0.0, *_slopes(characters)]
    best = min(slopes, key=lambda slope: _cost(characters, slope))
    rows = _rows(characters, _fitted(_rows(characters, best), best))
    heights = [statistics.median(character.height for character in row) for row in rows]
    return [row for row, height in zip(rows, heights, strict=True) if height >= SMALL_ROW * max(heights)]


def plate_of(rows: Sequence[Sequence[Character]]) -> PlateRead | None:
    """Join rows to a text with a score for each character; None if there is none."""
    joined = [character for row in rows for character in row]
    if not joined:
        return None
    return PlateRead("".join(character.text for character in joined), tuple(character.score for character in joined), len(rows))


def _covered(one: Floats, other: Floats) -> float:
    """Give the share of the smaller of two boxes (x, y, width, height) that lies in the other."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    smaller = min(one[2] * one[3], other[2] * other[3])
    return float(max(0.0, width) * max(0.0, height) / smaller) if smaller > 0 else 1.0


def _slopes(characters: Sequence[Character]) -> list[float]:
    slopes = []
    for left in characters:
        for right in characters:
            across, down, reach = right.x - left.x, right.y - left.y, NEAR * max(left.height, right.height)
            if 0 < across <= reach and abs(down) <= STEEPEST * across:
                slopes.append(down / across)
    return slopes


def _cost(characters: Sequence[Character], slope: float) -> float:
    rows = _rows(characters, slope)
    apart = 0.0
    for row in rows:
        middle = statistics.fmean(_level(character, slope) for character in row)
        apart += sum(abs(_level(character, slope) - middle) / character.height for character in row)
    return apart + ROW_COSTS * len(rows)


def _rows(characters: Sequence[Character], slope: float) -> list[list[Character]]:
    rows: list[list[Character]] = []
    for character in sorted(characters, key=lambda c: _level(c, slope)):
        if rows:
            middle = statistics.fmean(_level(other, slope) for other in rows[-1])
            height = statistics.fmean(other.height for other in (*rows[-1], character))
            if _level(character, slope) - middle <= NEXT_ROW * height:
                rows[-1].append(character)
                continue
        rows.append([character])
    return [sorted(row, key=lambda c: c.x + slope * c.y) for row in rows]


def _fitted(rows: Sequence[Sequence[Character]], slope: float) -> float:
    """Give the slope that fits all rows best (least squares around their middles); ``slope`` if they are too short to say."""
    above = below = 0.0
    for row in rows:
        x, y = statistics.fmean(c.x for c in row), statistics.fmean(c.y for c in row)
        above += sum((c.x - x) * (c.y - y) for c in row)
        below += sum((c.x - x) ** 2 for c in row)
    return above / below if below > 0 and abs(above) <= STEEPEST * below else slope


def _level(character: Character, slope: float) -> float:
    return character.y - slope * character.x
