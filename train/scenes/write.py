"""Writes scenes: pictures and a manifest that ``plate-train prepare`` takes beside that of the photographs."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.errors import UsageError
from train.manifest import Picture, write_manifest
from train.scenes.config import ScenesConfig
from train.scenes.maker import Scene, SceneMaker

_CHUNK = 20
_QUALITY = 92
"""Of the JPEG files: a little more loss than cameras have, on top of what the photograph had."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made of what."""

    rows: tuple[Picture, ...]
    folder: Path
    """Of their manifest."""
    config: ScenesConfig
    seed: int

    def maker(self) -> SceneMaker:
        """Give a maker for it."""
        return SceneMaker(self.rows, self.folder, self.config, self.seed)


def write_scenes(out: Path, count: int, order: Order, workers: int = 1, done: Callable[[int], None] | None = None) -> list[Picture]:
    """Write ``count`` scenes below ``out`` and give the rows of its ``manifest.jsonl``.

    A row has the region, group and split of its photograph, so that prepare keeps them together, and as source ``scenes`` before the
    photograph's. ``done`` is told how many scenes are newly written. Raises UsageError where the folder holds scenes already or cannot be
    written, SourceError where a photograph cannot be read.
    """
    if (out / "manifest.jsonl").exists():
        raise UsageError(f"{out}: has a manifest.jsonl already; name a new folder, or remove it")
    try:
        (out / "images").mkdir(parents=True, exist_ok=True)
        rows = []
        for part in _chunks(out, count, order, workers):
            rows += part
            if done:
                done(len(part))
        write_manifest(out / "manifest.jsonl", rows)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written ({error.strerror})") from error
    return rows


def _chunks(out: Path, count: int, order: Order, workers: int) -> Iterator[list[Picture]]:
    spans = [range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    if workers <= 1:
        maker = order.maker()
        yield from ([_write(out, index, maker.scene(index), order.seed) for index in span] for span in spans)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_alone) as pool:
        yield from pool.map(_write_span, repeat(out), spans, repeat(order))


def _alone() -> None:
    """Processes share the cores: one thread each."""
    cv2.setNumThreads(1)


def _write_span(out: Path, span: range, order: Order) -> list[Picture]:
    maker = order.maker()
    return [_write(out, index, maker.scene(index), order.seed) for index in span]


def _write(out: Path, index: int, scene: Scene, seed: int) -> Picture:
    data = cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
    name = f"images/{seed}_{index:06d}.jpg"
    (out / name).write_bytes(data)
    height, width = scene.image.shape[:2]
    base = scene.base
    return Picture(
        file=name,
        sha256=hashlib.sha256(data).hexdigest(),
        width=width,
        height=height,
        kind="photo",
        source=f"scenes {base.source}".strip(),
        licence=scene.licence,
        region=base.region,
        group=base.group or base.sha256,
        split=base.split,
        plates=scene.plates,
    )


def contact_sheet(scenes: Sequence[Scene], columns: int = 4, cell: tuple[int, int] = (460, 380)) -> NDArray[np.uint8]:
    """Draw scenes side by side, corners in green and boxes without corners in yellow: uint8 BGR, ``cell`` (width, height) pixels each."""
    wide, high = cell
    sheet = np.zeros((-(-len(scenes) // columns) * high, columns * wide, 3), np.uint8)
    for place, scene in enumerate(scenes):
        height, width = scene.image.shape[:2]
        scale = min(wide / width, high / height)
        image = cv2.resize(scene.image, (max(1, int(width * scale)), max(1, int(height * scale))), interpolation=cv2.INTER_AREA)
        for plate in scene.plates:
            if plate.corners:
                cv2.polylines(image, [np.round(np.array(plate.corners) * scale).astype(np.int32)], True, (0, 255, 0))
            elif plate.box:
                x1, y1, x2, y2 = (round(value * scale) for value in plate.box)
                cv2.rectangle(image, (x1, y1), (x2, y2), (0, 255, 255))
        y, x = place // columns * high, place % columns * wide
        sheet[y : y + image.shape[0], x : x + image.shape[1]] = image
    return sheet
