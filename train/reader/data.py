"""Lines of text to learn from: synthetic ones without end, and the real ones of manifests again and again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import cv2
import numpy as np

from train.reader.network import OTHER
from train.reader.real import RealCrop, cut_loosely
from train.reader.views import Floats, quad_view, to_input, whole, worn
from train.synth import PlateRenderer, SynthConfig

WHOLE_SHARE = 0.45
"""Of the synthetic lines; the others are cut along their characters."""

SKIP_OTHER = 0.8
"""Share of real plates with a character outside the alphabet that are passed over: half of all real ones are Chinese."""


def real_lines(crops: list[RealCrop], seed: int) -> Iterator[tuple[Floats, str]]:
    """Give (float32 (3, 48, 224), text) of real plates, each of one line, without end."""
    dice = np.random.default_rng(seed)
    while crops:
        for index in dice.permutation(len(crops)):
            if OTHER in crops[index].text and dice.random() < SKIP_OTHER:
                continue
            view = cut_loosely(crops[index], dice)
            if dice.random() < 0.4:
                view = _turned(view, dice)
            yield to_input(worn(whole(view), dice)), crops[index].text


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
