"""How a crop may be cut into lines of text, best way first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from streamer.reader.gap import split_lines, whole_line
from streamer.reader.lines import UNCLIP, detector_input, find_lines, number_lines, rectified
from streamer.reader.nets import Floats, Net
from streamer.types import Image

TIGHT_UNCLIP = 1.2
"""A tighter cut leaves bands and frames out that the usual one includes; it loses a character at times."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A line of text."""

    picture: Image
    """For the recogniser, uint8 (48, width, 3)."""
    height: float
    """Pixels in the crop."""


Layout = tuple[Row, ...]
"""Rows from top to bottom."""


class Layouts(Protocol):
    """Finds the lines of crops."""

    def __call__(self, crops: Sequence[Image]) -> Sequence[Iterable[Layout]]:
        """Give at least one layout of each crop (uint8, (h, w, 3), not empty), best first; further ones are asked for if it reads badly."""


class DetectedLines:
    """By the text detector; the whole crop where it finds nothing, and as a last resort."""

    def __init__(self, net: Net) -> None:
        self._net = net

    def __call__(self, crops: Sequence[Image]) -> list[list[Layout]]:
        """See Layouts."""
        maps = self._net.run([detector_input(crop) for crop in crops])
        return [_detected(crop, output[0]) for crop, output in zip(crops, maps, strict=True)]


def _detected(crop: Image, probability: Floats) -> list[Layout]:
    layouts = []
    for unclip in (UNCLIP, TIGHT_UNCLIP):
        lines = number_lines(find_lines(probability, crop.shape[1], crop.shape[0], unclip))
        if lines:
            layouts.append(tuple(Row(rectified(crop, line), line.height) for line in lines))
    return [*layouts, by_gap(crop)]


def lines_by_gap(crops: Sequence[Image]) -> list[list[Layout]]:
    """See Layouts: the whole crop, or its two halves where a squat plate has a gap."""
    return [[by_gap(crop)] for crop in crops]


def by_gap(crop: Image) -> Layout:
    """Give the rows of a crop without looking for text."""
    return tuple(Row(whole_line(part), float(part.shape[0])) for part in split_lines(crop))
