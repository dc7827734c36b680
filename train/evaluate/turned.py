"""Real plates, turned and slanted: most photographs of data sets lie level, cameras beside roads do not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from streamer.crops import MARGIN
from streamer.stills import load_picture
from streamer.types import Box, Image
from train.evaluate.data import Sample, Truth, plates_to_read
from train.evaluate.rendered import Crop

Matrix = npt.NDArray[np.float64]
LARGEST = 640
"""Pixels of a picture's longer side: of close plates, which readers shrink anyhow, so that all fit into memory."""
MOST = 150
"""Plates; of more so many are taken, evenly spread: each is read in every one of WAYS."""


def _turn(degrees: float) -> Matrix:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cos, -sin], [sin, cos]])


WAYS: dict[str, Matrix] = {
    **{f"turned {degrees:+d}": _turn(degrees) for degrees in (-15, -8, 8, 15)},
    **{f"leaning {slant:+.2f}": np.array([[1, slant], [0, 1]]) for slant in (-0.15, 0.15)},
    **{f"climbing {slant:+.2f}": np.array([[1, 0], [slant, 1]]) for slant in (-0.15, 0.15)},
}
"""What is done to x and y, by its name: clockwise degrees; how far the upper edge is pushed aside, or a side down, for its length."""


def turned(samples: Sequence[Sample]) -> list[Crop]:
    """Give plates in all WAYS, cut as a detector would: those of photographs, or the crops if these are more.

    (Both may show the same plates.) Those with characters beyond the alphabet are left out.
    """
    kinds = [plates_to_read([sample for sample in samples if sample.kind == kind]) for kind in ("photo", "crop")]
    plates = max(([plate for plate in known if "*" not in (plate[1].text or "*")] for known in kinds), key=len)
    spread = max(1, math.ceil(len(plates) / MOST))
    return [crop for sample, truth in plates[::spread] for crop in _crops(sample, truth)]


def _crops(sample: Sample, truth: Truth) -> Iterator[Crop]:
    picture = load_picture(sample.path)
    height, width = picture.shape[:2]
    whole = sample.kind == "crop" or truth.box is None
    box = Box(0, 0, width, height) if whole or truth.box is None else truth.box
    for name, way in WAYS.items():
        named = replace(sample, path=sample.path.with_name(f"{sample.path.name} {name}"), tags=sample.tags | {"slanted"})
        yield Crop(named, replace(truth, box=box, corners=None), look(picture, box, way, 0.0 if whole else MARGIN))


def look(picture: Image, box: Box, way: Matrix, margin: float = MARGIN) -> Image:
    """Give what ``box`` of a picture, uint8 (h, w, 3), becomes if x and y are multiplied by ``way``, (2, 2), upright around it.

    ``margin``: room on every side, as a share of the result. What lies beyond the picture repeats its edge.
    """
    middle = np.array(((box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2))
    corners = np.array(((box.x1, box.y1), (box.x2, box.y1), (box.x2, box.y2), (box.x1, box.y2))) - middle
    reach = np.abs(corners @ way.T).max(axis=0) * (1 + 2 * margin)
    matrix = np.column_stack((way, reach - way @ middle))
    width, height = np.maximum(1, np.ceil(2 * reach)).astype(int)
    seen = cv2.warpAffine(picture, matrix, (int(width), int(height)), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    share = LARGEST / max(seen.shape[:2])
    return np.asarray(cv2.resize(seen, None, fx=share, fy=share, interpolation=cv2.INTER_AREA) if share < 1 else seen, np.uint8)
