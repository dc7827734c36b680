"""Every time a crop is seen it is cut, turned and coloured in another way."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.reader.platelayout import INPUT_HEIGHT, INPUT_WIDTH
from train.layout.samples import Samples

Floats = NDArray[np.float32]
_MIRRORED = [1, 0, 3, 2]
"""Top left becomes top right."""
TURNED = 0.35
"""Share of the looks at which the whole crop is turned, as by a camera that hangs askew: the rest lie as the renderer laid them."""
DEGREES = 8.0
"""Standard deviation of that turn; three times as much at most."""


def batch_of(samples: Samples, indices: NDArray[np.int64], rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Give pictures (n, 3, INPUT_HEIGHT, INPUT_WIDTH), -1..1, quads (n, 2, 4, 2) as shares of them, and 1 for two lines (n,)."""
    pictures = np.empty((len(indices), INPUT_HEIGHT, INPUT_WIDTH, 3), np.float32)
    quads = np.zeros((len(indices), 2, 4, 2), np.float32)
    for row, index in enumerate(indices):
        lines = 2 if samples.two[index] else 1
        aspect = float(samples.aspects[index])
        pictures[row], quads[row, :lines] = _seen(samples.images[index], samples.quads[index, :lines], aspect, rng)
    coloured = _coloured(pictures, rng)
    return np.ascontiguousarray(coloured.transpose(0, 3, 1, 2)), quads, samples.two[indices].astype(np.float32)


def _seen(image: NDArray[np.uint8], quads: Floats, aspect: float, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Floats]:
    """Look at a part of a crop, perhaps turned, a little sheared, in a mirror."""
    view = _view(quads, rng)
    if rng.random() < TURNED:
        view = _turned(view, quads, aspect, rng)
    if rng.random() < 0.5:
        view = view + rng.normal(0, 0.015, (4, 2)).astype(np.float32)
    if rng.random() < 0.2:  # mirrored text is no text, but it stands at the same places
        view = view[_MIRRORED]
        quads = quads[:, _MIRRORED]
    height, width = image.shape[:2]
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    size = np.array((INPUT_WIDTH, INPUT_HEIGHT), np.float32)
    matrix = cv2.getPerspectiveTransform(view * np.array((width, height), np.float32), unit * size)
    beyond = cv2.BORDER_REPLICATE if rng.random() < 0.5 else cv2.BORDER_REFLECT_101  # what the second look of the program shows, or scenery
    picture = cv2.warpPerspective(image, matrix, (INPUT_WIDTH, INPUT_HEIGHT), flags=cv2.INTER_LINEAR, borderMode=beyond)
    places = cv2.perspectiveTransform(quads.reshape(1, -1, 2), cv2.getPerspectiveTransform(view, unit))
    return picture.astype(np.uint8), places.reshape(quads.shape).astype(np.float32)


def _view(quads: Floats, rng: np.random.Generator) -> Floats:
    """The corners of the part to look at: cut on every side by some of the room around the characters, now and then into them."""
    low, high = quads.min(axis=(0, 1)), quads.max(axis=(0, 1))
    room = np.clip(np.concatenate((low, 1 - high)), 0, 0.35)
    share = rng.uniform(0, 1, 4) * (rng.random(4) < 0.5)
    cut = room * share * rng.choice((0.5, 0.9, 1.05), p=(0.4, 0.55, 0.05))
    left, top, right, bottom = cut[0], cut[1], 1 - cut[2], 1 - cut[3]
    if rng.random() < 0.15:  # a loose cut: what is beyond the crop mirrors it
        left, top = left - rng.uniform(0, 0.1), top - rng.uniform(0, 0.15)
        right, bottom = right + rng.uniform(0, 0.1), bottom + rng.uniform(0, 0.15)
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def _turned(view: Floats, quads: Floats, aspect: float, rng: np.random.Generator) -> Floats:
    """Turn the part to look at, (4, 2), of a crop ``aspect`` times as wide as high, about its middle; widen it to hold all characters."""
    angle = np.radians(np.clip(rng.normal(0, DEGREES), -3 * DEGREES, 3 * DEGREES))
    square = np.array((aspect, 1), np.float32)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], np.float32)
    middle = view.mean(axis=0)
    along, down = (view[1] - view[0]) * square @ turn / 2, (view[3] - view[0]) * square @ turn / 2
    places = np.linalg.solve(np.column_stack((along, down)), ((quads.reshape(-1, 2) - middle) * square).T)
    beyond = np.maximum(1, np.abs(places).max(axis=1) * rng.uniform(0.97, 1.25, 2))
    sides = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32) * beyond
    return np.asarray(middle + sides @ np.stack((along, down)) / square, np.float32)


def _coloured(pictures: Floats, rng: np.random.Generator) -> Floats:
    """0..255 to -1..1, in other light, sometimes grey, negative or noisy."""
    count = len(pictures)
    out = pictures / 127.5 - 1

    def some(share: float) -> NDArray[np.bool_]:
        return rng.random(count) < share

    grey = some(0.15)
    out[grey] = out[grey].mean(axis=3, keepdims=True)
    swapped = some(0.1)
    out[swapped] = out[swapped][..., rng.permutation(3)]
    negative = some(0.08)
    out[negative] *= -1
    contrast, bright = rng.uniform(0.6, 1.3, (count, 1, 1, 1)), rng.uniform(-0.25, 0.25, (count, 1, 1, 1))
    out = out * contrast.astype(np.float32) + bright.astype(np.float32)
    noisy = some(0.2)
    level = rng.uniform(0.01, 0.1, (int(noisy.sum()), 1, 1, 1)).astype(np.float32)
    out[noisy] += rng.standard_normal(out[noisy].shape, np.float32) * level
    return np.clip(out, -1, 1).astype(np.float32)
