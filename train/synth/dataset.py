"""Writes synthetic crops: pictures, a manifest, and a YOLO data set of their characters."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from streamer.errors import UsageError
from streamer.plates.text import ALPHABET
from train.manifest import Picture, Plate, Split, tags_of_lines, write_manifest
from train.synth.config import SynthConfig
from train.synth.crops import PlateRenderer, SyntheticCrop

FORMATS = {"jpg": (cv2.IMWRITE_JPEG_QUALITY, 95), "webp": (cv2.IMWRITE_WEBP_QUALITY, 90)}
_CHUNK = 50
_VAL_EVERY = 20
"""Every twentieth crop is for validation: no two crops show one vehicle."""
LICENCE = "CC0-1.0"
"""What is drawn from rules and free fonts belongs to nobody."""


def write_crops(
    folder: Path,
    count: int,
    seed: int,
    config: SynthConfig,
    form: str = "jpg",
    workers: int = 1,
    done: Callable[[int], None] | None = None,
) -> list[Picture]:
    """Write ``count`` crops below ``folder`` and give the rows of its ``manifest.jsonl``.

    Layout: ``images/characters/{train,val}/``, ``labels/characters/{train,val}/`` (YOLO: class index in 0-9A-Z, x y w h as shares of
    the crop; signs outside the alphabet have no class and no row) and ``characters.yaml``, which names both for a detector's training.
    ``done`` is told how many crops are newly written. Raises UsageError where the folder is not empty or cannot be written.
    """
    if count < 1:
        raise UsageError(f"--count is {count}: write at least one crop")
    if (folder / "manifest.jsonl").exists():
        raise UsageError(f"{folder}: has a manifest.jsonl already; name a new folder, or remove it")
    try:
        for split in ("train", "val"):
            for kind in ("images", "labels"):
                (folder / kind / "characters" / split).mkdir(parents=True, exist_ok=True)
        rows = []
        for part in _chunks(folder, count, seed, config, form, workers):
            rows += part
            if done:
                done(len(part))
        write_manifest(folder / "manifest.jsonl", rows)
        (folder / "characters.yaml").write_text(yaml.safe_dump(_data(), sort_keys=False), "utf-8")
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror})") from error
    return rows


def _chunks(folder: Path, count: int, seed: int, config: SynthConfig, form: str, workers: int) -> Iterator[list[Picture]]:
    spans = [range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    if workers <= 1:
        yield from (_write_span(folder, span, seed, config, form) for span in spans)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_alone) as pool:
        yield from pool.map(_write_span, repeat(folder), spans, repeat(seed), repeat(config), repeat(form))


def _alone() -> None:
    """Processes share the cores: one thread each."""
    cv2.setNumThreads(1)


def _write_span(folder: Path, span: range, seed: int, config: SynthConfig, form: str) -> list[Picture]:
    renderer = PlateRenderer(config, seed)
    return [_write(folder, index, seed, renderer.sample(index), form) for index in span]


def _write(folder: Path, index: int, seed: int, crop: SyntheticCrop, form: str) -> Picture:
    split: Split = "val" if index % _VAL_EVERY == _VAL_EVERY - 1 else "train"
    name = f"characters/{split}/{index:07d}"
    data = cv2.imencode(f".{form}", crop.image, list(FORMATS[form]))[1].tobytes()
    (folder / "images" / f"{name}.{form}").write_bytes(data)
    (folder / "labels" / f"{name}.txt").write_text(yolo_rows(crop), "utf-8")
    height, width = crop.image.shape[:2]
    corners = tuple((round(float(x), 2), round(float(y), 2)) for x, y in crop.corners)
    return Picture(
        file=f"images/{name}.{form}",
        sha256=hashlib.sha256(data).hexdigest(),
        width=width,
        height=height,
        kind="crop",
        source="synthetic",
        licence=LICENCE,
        region=crop.region,
        group=f"synthetic-{seed}-{index}",
        split=split,
        plates=(Plate(corners=corners, text=crop.text, tags=tags_of_lines(len(crop.lines))),),
    )


def yolo_rows(crop: SyntheticCrop) -> str:
    """Give a line per character with a class: its index in 0-9A-Z, then x, y of the middle, width and height as shares of the crop."""
    height, width = crop.image.shape[:2]
    lines = []
    for character, (x1, y1, x2, y2) in zip(crop.text, crop.char_boxes, strict=True):
        if character in ALPHABET:
            box = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
            lines.append(f"{ALPHABET.index(character)} " + " ".join(f"{value:.5f}" for value in box))
    return "".join(f"{line}\n" for line in lines)


def _data() -> dict[str, object]:
    names = dict(enumerate(ALPHABET))
    return {"path": ".", "train": "images/characters/train", "val": "images/characters/val", "names": names}


def contact_sheet(crops: list[SyntheticCrop], columns: int = 8, cell: tuple[int, int] = (180, 104)) -> NDArray[np.uint8]:
    """Draw crops with their lines of text, region and size below: uint8 BGR, ``cell`` (width, height) pixels each."""
    wide, high = cell
    sheet = np.zeros((-(-len(crops) // columns) * (high + 14), columns * wide, 3), np.uint8)
    for place, crop in enumerate(crops):
        height, width = crop.image.shape[:2]
        scale = min(wide / width, high / height)
        image = cv2.resize(crop.image, (max(1, int(width * scale)), max(1, int(height * scale))))
        y, x = place // columns * (high + 14), place % columns * wide
        sheet[y : y + image.shape[0], x : x + image.shape[1]] = image
        told = f"{'/'.join(crop.lines)} {crop.region} {width}x{height}"
        cv2.putText(sheet, told, (x, y + high + 10), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (255, 255, 255), 1, cv2.LINE_AA)
    return sheet
