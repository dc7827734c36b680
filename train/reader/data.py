"""Lines of text to learn from: synthetic ones without end, and the real ones of a manifest again and again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from streamer.crops import cut
from streamer.reader.gap import gap_row
from streamer.stills import load_picture
from streamer.types import Box
from train.manifest import Picture, read_manifest
from train.reader.network import OTHER
from train.reader.views import Floats, quad_view, to_input, whole, worn
from train.synth import PlateRenderer, SynthConfig

WHOLE_SHARE = 0.45
"""Of the synthetic lines; the others are cut along their characters."""

SKIP_OTHER = 0.8
"""Share of real plates with a character outside the alphabet that are passed over: half of all real ones are Chinese."""


@dataclass(frozen=True, slots=True)
class RealCrop:
    """A labelled plate of a manifest, cut with room around it where the picture has some."""

    image: Any
    """uint8 (h, w, 3) BGR."""
    box: tuple[float, float, float, float]
    """The plate in it."""
    text: str
    source: str
    region: str


def real_crops(manifests: list[Path], split: str, alphabet: str, *, licensed: bool = True) -> list[RealCrop]:
    """Load the plates of a split that can be spelt; ``licensed``: only those that weights for others may be trained on."""
    found = []
    for manifest in manifests:
        for picture in read_manifest(manifest):
            if picture.split == split and (picture.licence or not licensed):
                found += list(_of_picture(picture, manifest.parent, alphabet))
    return found


def _of_picture(picture: Picture, folder: Path, alphabet: str) -> Iterator[RealCrop]:
    plates = [p for p in picture.plates if p.text and p.legible and set(p.text) <= set(alphabet) and (p.box or picture.kind == "crop")]
    if not plates:
        return
    image = load_picture(folder / picture.file)
    for plate in plates:
        assert plate.text is not None
        if plate.box is None:
            yield RealCrop(image, (0.0, 0.0, float(picture.width), float(picture.height)), plate.text, picture.source, picture.region)
            continue
        x1, y1, x2, y2 = plate.box
        room = cut(image, Box(x1, y1, x2, y2), 0.3).copy()
        left, top = max(0.0, x1 - 0.3 * (x2 - x1)) // 1, max(0.0, y1 - 0.3 * (y2 - y1)) // 1
        yield RealCrop(room, (x1 - left, y1 - top, x2 - left, y2 - top), plate.text, picture.source, picture.region)


def cut_loosely(crop: RealCrop, dice: np.random.Generator) -> Any:
    """Cut the plate as a detector would: seldom exactly."""
    x1, y1, x2, y2 = crop.box
    width, height = x2 - x1, y2 - y1
    spread = (0.02, 0.14) if dice.random() < 0.8 else (0.03, 0.3)
    x1, x2 = x1 - dice.uniform(-spread[0], spread[1]) * width, x2 + dice.uniform(-spread[0], spread[1]) * width
    y1, y2 = y1 - dice.uniform(-spread[0], spread[1]) * height, y2 + dice.uniform(-spread[0], spread[1]) * height
    return cut(crop.image, Box(x1, y1, x2, y2), 0.0)


def real_lines(crops: list[RealCrop], seed: int) -> Iterator[tuple[Floats, str]]:
    """Give (float32 (3, 48, 224), text) of real plates with one line, without end."""
    dice = np.random.default_rng(seed)
    single = [crop for crop in crops if gap_row(cut_loosely(crop, np.random.default_rng(0))) is None]
    while single:
        for index in dice.permutation(len(single)):
            if OTHER in single[index].text and dice.random() < SKIP_OTHER:
                continue
            view = cut_loosely(single[index], dice)
            if dice.random() < 0.4:
                view = _turned(view, dice)
            yield to_input(worn(whole(view), dice)), single[index].text


def _turned(picture: Any, dice: np.random.Generator) -> Any:
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), dice.normal(0, 2.5), 1.0)
    matrix[0, 1] += dice.normal(0, 0.08)  # slant
    return cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def synthetic_lines(config: SynthConfig | None, seed: int, first: int, step: int) -> Iterator[tuple[Floats, str]]:
    """Give (float32 (3, 48, 224), text) of every ``step``-th synthetic plate from ``first`` on, line by line, without end."""
    renderer, index = PlateRenderer(config, seed), first
    while True:
        crop, dice = renderer.sample(index), np.random.default_rng((seed, index, 7))
        index += step
        ends = np.cumsum([0, *map(len, crop.lines)])
        boxes = [crop.char_boxes[a:b] for a, b in pairwise(ends)]
        if dice.random() >= WHOLE_SHARE:
            views = [quad_view(crop.image, part, dice) for part in boxes]
        elif len(boxes) == 1:
            views = [whole(crop.image)]
        else:
            views = _halves(crop.image, boxes, dice)
        yield from ((to_input(view), line) for view, line in zip(views, crop.lines, strict=True))


def _halves(image: Any, boxes: list[Any], dice: np.random.Generator) -> list[Any]:
    upper, lower = boxes[0][:, 3].max(), boxes[1][:, 1].min()
    row = (upper + lower) / 2 + dice.normal(0, 0.03) * image.shape[0]
    row = int(np.clip(row, 4, image.shape[0] - 4))
    return [whole(image[:row]), whole(image[row:])]
