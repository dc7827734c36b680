"""How well the lines of unseen synthetic crops are found, with the code that ships."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.reader.lines import LINE_HEIGHT, scaled
from streamer.reader.nets import Net
from streamer.reader.platelayout import CUT_WIDTH, INPUT_HEIGHT, INPUT_WIDTH, cut_matrix, line_size, quads_of
from train.layout.quads import char_quads, line_quads
from train.synth import PlateRenderer, SynthConfig, SyntheticCrop

UNSEEN = 1_000_003
"""Added to the seed of training: crops that it did not see."""
ROUNDING = 0.5
"""Pixels of a cut that a character may lie outside of it."""


@dataclass(frozen=True, slots=True)
class LayoutFigures:
    """Errors on unseen crops."""

    crops: int
    count_right: float
    """Share of crops whose number of lines is right."""
    two_right: float
    """The same of those with two lines; NaN if there are none."""
    doubtful: float
    """Share of crops for which the other number of lines is offered too."""
    mean_error: float
    """Of a corner, in heights of its line, where the number of lines is right."""
    error_95: float
    """95 of 100 corners are nearer."""
    inside: float
    """Share of characters, of all crops, that lie fully in the cut of their line."""
    whole_crops: float
    """Share of crops all of whose characters do."""


def measure(net: Net, config: SynthConfig, seed: int, count: int) -> LayoutFigures:
    """Render ``count`` crops of a seed that training does not use, find their lines, compare."""
    renderer = PlateRenderer(config, seed + UNSEEN)
    right, doubtful, errors, inside = [], [], [], []
    for index in range(count):
        crop = renderer.sample(index)
        height, width = crop.image.shape[:2]
        found = quads_of(net.run([scaled(crop.image, INPUT_WIDTH, INPUT_HEIGHT)])[0], width, height)
        right.append((len(crop.lines), len(found[0]) == len(crop.lines)))
        doubtful.append(len(found) > 1)
        if right[-1][1]:
            errors.append(_errors(crop, found[0]))
        inside.append(_inside(crop, found[0]))
    distances = np.concatenate(errors) if errors else np.array([np.nan])
    twos = [good for lines, good in right if lines == 2]
    return LayoutFigures(
        crops=count,
        count_right=float(np.mean([good for _, good in right])),
        two_right=float(np.mean(twos)) if twos else float("nan"),
        doubtful=float(np.mean(doubtful)),
        mean_error=float(distances.mean()),
        error_95=float(np.percentile(distances, 95)),
        inside=float(np.concatenate(inside).mean()),
        whole_crops=float(np.mean([part.all() for part in inside])),
    )


def _errors(crop: SyntheticCrop, found: NDArray[np.float32]) -> NDArray[np.float64]:
    """Distances of all corners, in heights of their line."""
    truth = line_quads(crop.char_boxes, crop.corners, crop.lines)
    heights = np.array([line_size(quad.astype(np.float32))[1] for quad in truth])
    return np.asarray((np.linalg.norm(found - truth, axis=2) / heights[:, None]).ravel())


def _inside(crop: SyntheticCrop, found: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which characters lie fully in their line's cut; none if the number of lines is wrong."""
    if len(found) != len(crop.lines):
        return np.zeros(len(crop.char_boxes), np.bool_)
    ends = np.cumsum([len(line) for line in crop.lines])[:-1]
    verdicts = []
    for quad, part in zip(found, np.split(char_quads(crop.char_boxes, crop.corners), ends), strict=True):
        placed = cv2.perspectiveTransform(part.reshape(1, -1, 2), cut_matrix(quad)).reshape(-1, 4, 2)
        low, high = placed.min(axis=1), placed.max(axis=1)
        verdicts.append(((low >= -ROUNDING) & (high <= np.array((CUT_WIDTH, LINE_HEIGHT)) + ROUNDING)).all(axis=1))
    return np.concatenate(verdicts)
