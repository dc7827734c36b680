"""Synthetic crops with the places of their lines, rendered once into one small size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.reader.lines import scaled
from train.layout.quads import line_quads
from train.synth import PlateRenderer, SynthConfig

WIDTH, HEIGHT = 160, 80
"""Pixels of a stored crop: somewhat more than the network takes, so that it can still be cut and turned."""

MOST_LINES = 2
_CHUNK = 200
_Part = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]
"""Images, quads and aspects."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Crops and what the network should say about them."""

    images: NDArray[np.uint8]
    """(n, HEIGHT, WIDTH, 3) BGR, stretched."""
    quads: NDArray[np.float32]
    """(n, 2, 4, 2): corners of the lines as shares of the crop's width and height; the second is 0 where there is one line."""
    two: NDArray[np.bool_]
    """(n,): two lines."""
    aspects: NDArray[np.float32]
    """(n,): width over height of the crops before they were stretched."""

    def __len__(self) -> int:
        return len(self.two)


def load_samples(folder: Path, count: int, seed: int, config: SynthConfig, workers: int, watch: Callable[[int], None]) -> Samples:
    """Render ``count`` crops, or read them from ``folder`` where the same were rendered before.

    ``watch`` is told how many are done. Crops of more than two lines are left out. Raises UsageError where a font is missing.
    """
    name = f"samples-{seed}-{count}-{abs(hash_of(config)):08x}"
    paths = {part: folder / f"{name}-{part}.npy" for part in ("images", "quads", "two", "aspects")}
    if not all(path.is_file() for path in paths.values()):
        folder.mkdir(parents=True, exist_ok=True)
        images, quads, aspects = [], [], []
        for part_images, part_quads, part_aspects in _render(count, seed, config, workers):
            images.append(part_images)
            quads.append(part_quads)
            aspects.append(part_aspects)
            watch(min(count, _CHUNK * len(images)))
        joined = np.concatenate(quads)
        np.save(paths["images"], np.concatenate(images))
        np.save(paths["quads"], joined)
        np.save(paths["two"], joined[:, 1].any(axis=(1, 2)))
        np.save(paths["aspects"], np.concatenate(aspects))
    images_in_place = np.load(paths["images"], mmap_mode="r")
    return Samples(images_in_place, *(np.load(paths[part]) for part in ("quads", "two", "aspects")))


def hash_of(config: SynthConfig) -> int:
    """Give a number that differs where the settings differ."""
    from zlib import crc32

    return crc32(config.model_dump_json().encode())


def _render(count: int, seed: int, config: SynthConfig, workers: int) -> Iterator[_Part]:
    chunks = [(start, min(count, start + _CHUNK)) for start in range(0, count, _CHUNK)]
    render = partial(_chunk, seed, config)
    if workers == 1:
        yield from map(render, chunks)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(render, chunks)


def _chunk(seed: int, config: SynthConfig, span: tuple[int, int]) -> _Part:
    cv2.setNumThreads(1)
    renderer = PlateRenderer(config, seed)
    images, quads, aspects = [], [], []
    for index in range(*span):
        crop = renderer.sample(index)
        if len(crop.lines) > MOST_LINES:
            continue
        height, width = crop.image.shape[:2]
        places = np.zeros((MOST_LINES, 4, 2), np.float32)
        places[: len(crop.lines)] = line_quads(crop.char_boxes, crop.corners, crop.lines) / (width, height)
        images.append(scaled(crop.image, WIDTH, HEIGHT))
        quads.append(places)
        aspects.append(width / height)
    return np.stack(images), np.stack(quads), np.array(aspects, np.float32)
