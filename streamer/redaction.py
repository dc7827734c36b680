"""Pictures in which others than the vehicle of the event cannot be recognised: their plates, people behind windows, marked regions (pure).

What is hidden is painted over with one colour, always the same. Blurring or a mosaic would look kinder, but both are made of the pixels
that they hide, and can be undone: of a plate the font and the alphabet are known, so that each possible text can be blurred alike and
compared (S. Hill and others, "On the (in)effectiveness of mosaicing and blurring as tools for document redaction", PoPETs 2016), and
networks recognise mosaicked faces (R. McPherson and others, "Defeating image obfuscation with deep learning", arXiv 1609.00408). Here not
one pixel of the result depends on a pixel that is hidden. A picture that was redacted shows that it was.

Limits. Plates are hidden that the detector found in the very frame, and those that the tracker expects there; one that neither knows is
not. There is no detector of windows: they are taken to be where those of a car with its plate are, seen from the front, from behind, or up
to some 30 degrees from the side and from above. Windows of vehicles whose plate nobody sees stay, and so do people on foot.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from streamer.crops import MARGIN
from streamer.polygons import Points, bounds, fill
from streamer.types import Box, Image, KnownPlate

Hidden = Literal["other_plates", "windows", "regions"]
"""What is hidden: the keys of ``evidence.redact``."""

Area = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; the last two lie just outside."""

Inside = npt.NDArray[np.bool_]
"""Of a box (height, width)."""

COLOUR: Final = (96, 96, 96)
"""Of what is hidden, BGR: a grey that no thing in a picture has so evenly."""
PLATE_MARGIN: Final = 0.3
"""Share of its height by which more than a plate's box is hidden on every side: detectors cut tightly, and a plate's rim may tell its place
of origin."""
LEAST_MARGIN_PX: Final = 2
"""Cameras send one sample of colour for every two pixels each way, so that a plate colours its neighbours."""
WINDOW_SIDE, WINDOW_TOP, WINDOW_BOTTOM = 2.6, 4.0, 0.6
"""Where windows are, above the middle of the plate and to both sides, in plate sizes of about 0.45 m (see ``tracker``). A car is 1.8 m
wide, its windows end 1.5 m above the road, those of vans and lorries up to 2.3 m; seen from above, what is farther back stands higher.
Tuned by eye on the vehicles of the photographs and clips of the tests."""
SIZES_KEPT: Final = 2
"""Sizes of pictures whose regions are kept as masks."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is to be hidden in the pictures of one camera."""

    other_plates: bool = False
    windows: bool = False
    regions: tuple[Points, ...] = ()
    """Polygons in shares of the picture that is analysed."""

    @property
    def kinds(self) -> tuple[Hidden, ...]:
        """What is looked for."""
        wanted: tuple[tuple[Hidden, bool], ...] = (
            ("other_plates", self.other_plates),
            ("windows", self.windows),
            ("regions", bool(self.regions)),
        )
        return tuple(kind for kind, asked in wanted if asked)


@dataclass(frozen=True, slots=True, eq=False)
class Redacted:
    """A picture without what was to be hidden."""

    image: Image
    kinds: tuple[Hidden, ...]
    areas: tuple[tuple[Hidden, Area], ...]
    """What is hidden and the box around it."""

    def counts(self, view: Area) -> Mapping[Hidden, int] | None:
        """Say how many areas of each kind reach into a part of the picture, 0 where none of a kind does; None if nothing was looked for."""
        if not self.kinds:
            return None
        seen = [kind for kind, area in self.areas if _overlap(area, view)]
        return {kind: seen.count(kind) for kind in self.kinds}


class Redactor:
    """Hides things in the pictures of one camera. For one thread."""

    def __init__(self, what: Redaction) -> None:
        self._what = what
        self._masks: dict[tuple[int, int], list[tuple[Area, Inside]]] = {}

    def apply(self, image: Image, own: Box, plates: Sequence[KnownPlate]) -> Redacted:
        """Hide what is to be hidden in a picture, uint8 (h, w, 3) BGR, which is not changed.

        Args:
            image: the frame.
            own: the plate of the event, pixels; it stays, as far as its crop shows it.
            plates: all plates that are known to be in the frame; boxes on the event's own plate do not count as others.
        """
        kinds = self._what.kinds
        if not kinds:
            return Redacted(image, (), ())
        height, width = image.shape[:2]
        result = image.copy()
        areas: list[tuple[Hidden, Area]] = []
        for area, inside in self._regions(width, height):
            result[area[1] : area[3], area[0] : area[2]][inside] = COLOUR
            areas.append(("regions", area))
        others = [plate for plate in plates if not is_same(plate.box, own)]
        boxes: list[tuple[Hidden, Box]] = []
        if self._what.windows:
            boxes += [("windows", window_of(plate)) for plate in (KnownPlate(own), *others)]
        if self._what.other_plates:
            boxes += [("other_plates", plate_of(plate)) for plate in others]
        for kind, box in boxes:
            area = clipped(box, width, height)
            if _overlap(area, (0, 0, width, height)):
                result[area[1] : area[3], area[0] : area[2]] = COLOUR
                areas.append((kind, area))
        x1, y1, x2, y2 = clipped(_with_margin(own), width, height)
        result[y1:y2, x1:x2] = image[y1:y2, x1:x2]
        return Redacted(result, kinds, tuple(areas))

    def _regions(self, width: int, height: int) -> list[tuple[Area, Inside]]:
        found = self._masks.get((width, height))
        if found is None:
            if len(self._masks) >= SIZES_KEPT:
                self._masks.clear()
            masks = [_mask(region, width, height) for region in self._what.regions]
            found = self._masks[width, height] = [mask for mask in masks if mask is not None]
        return found


def is_same(box: Box, other: Box) -> bool:
    """Say whether two boxes are of one plate: plates are side by side or apart, so a middle within another box is that plate again."""
    (u, v), (x, y) = box.centre, other.centre
    return (other.x1 <= u <= other.x2 and other.y1 <= v <= other.y2) or (box.x1 <= x <= box.x2 and box.y1 <= y <= box.y2)


def plate_of(plate: KnownPlate) -> Box:
    """Give what is hidden of a plate."""
    return _grown(plate.box, max(PLATE_MARGIN * plate.box.height, LEAST_MARGIN_PX) + plate.off_px)


def window_of(plate: KnownPlate) -> Box:
    """Give where the windscreen, or the rear window, of the vehicle with a plate must be."""
    size = 2.0 * math.sqrt(max(plate.box.width * plate.box.height, 1.0))
    x, y = plate.box.centre
    return _grown(Box(x - WINDOW_SIDE * size, y - WINDOW_TOP * size, x + WINDOW_SIDE * size, y - WINDOW_BOTTOM * size), plate.off_px)


def clipped(box: Box, width: int, height: int) -> Area:
    """Give a box in whole pixels of a picture; of no width or height if it lies outside."""
    x1, y1 = min(max(math.floor(box.x1), 0), width), min(max(math.floor(box.y1), 0), height)
    return x1, y1, min(max(math.ceil(box.x2), x1), width), min(max(math.ceil(box.y2), y1), height)


def _grown(box: Box, by: float) -> Box:
    return Box(box.x1 - by, box.y1 - by, box.x2 + by, box.y2 + by)


def _with_margin(box: Box) -> Box:
    dx, dy = box.width * MARGIN, box.height * MARGIN
    return Box(box.x1 - dx, box.y1 - dy, box.x2 + dx, box.y2 + dy)


def _mask(region: Points, width: int, height: int) -> tuple[Area, Inside] | None:
    """Give the box around a region and what of it is inside, grown by some pixels for rounding and colour; None if it is out of sight."""
    import cv2

    around = bounds(region, width, height)
    if not _overlap(around, (0, 0, width, height)):
        return None
    size = 2 * LEAST_MARGIN_PX + 1
    mask = np.asarray(cv2.dilate(fill(region, width, height), np.ones((size, size), np.uint8)), np.uint8)
    x1, y1, x2, y2 = area = clipped(_grown(Box(*around), LEAST_MARGIN_PX), width, height)
    return area, mask[y1:y2, x1:x2] > 0


def _overlap(one: Area, other: Area) -> bool:
    return max(one[0], other[0]) < min(one[2], other[2]) and max(one[1], other[1]) < min(one[3], other[3])
