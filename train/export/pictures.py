"""Pictures to calibrate with and to compare answers on, from a manifest or a folder."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamer.errors import UsageError
from streamer.types import Image
from train.manifest import Picture, Plate, read_manifest
from train.settle import settle

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A photograph, or the crop of a plate."""

    image: Image
    """uint8 (height, width, 3) BGR."""
    text: str | None = None
    """Of a crop, where it is known."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What a model is calibrated with, and what the results are compared on: no picture is in both."""

    calibration: tuple[Sample, ...]
    comparison: tuple[Sample, ...]


def read_samples(*sources: Path, crops: bool, calibration: int = 200, comparison: int = 60, seed: int = 0) -> Samples:
    """Draw pictures from manifests (.jsonl) or folders; the same for the same seed.

    ``crops``: of a manifest the plates cut out with a little margin, and the pictures that are crops; of a folder its pictures
    as they are. Calibration takes the rows of the training split where there are splits, comparison the others; of crops those with a
    text first: what nobody can read, chance decides. Raises
    UsageError if there are fewer than two, or if one cannot be read.
    """
    first, second = _places_in(sources, crops=crops)
    dice = random.Random(seed)  # noqa: S311 - a draw, not a secret
    dice.shuffle(first)
    dice.shuffle(second)
    if crops:
        second.sort(key=lambda place: place.plate is None or place.plate.text is None)
    if not second:
        share = max(1, min(comparison, len(first) // 4))
        first, second = first[share:], first[:share]
    if not first or not second:
        names, what = ", ".join(map(str, sources)), "crops" if crops else "photographs"
        raise UsageError(f"{names}: has no two {what}; some are for calibration, others for comparison")
    return Samples(tuple(map(_sample, first[:calibration])), tuple(map(_sample, second[:comparison])))


@dataclass(frozen=True, slots=True)
class _Place:
    file: Path
    plate: Plate | None = None


def _places_in(sources: Sequence[Path], *, crops: bool) -> tuple[list[_Place], list[_Place]]:
    found = [_named(source, crops=crops) if source.is_file() else _of_folder(source) for source in sources]
    return [place for first, _ in found for place in first], [place for _, second in found for place in second]


def _of_folder(folder: Path) -> tuple[list[_Place], list[_Place]]:
    files = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES] if folder.is_dir() else []
    if not files:
        raise UsageError(f"{folder}: no manifest, and no folder with pictures ({', '.join(SUFFIXES)})")
    return [_Place(file) for file in files], []


def _named(manifest: Path, *, crops: bool) -> tuple[list[_Place], list[_Place]]:
    rows = settle([read_manifest(manifest)]).rows
    places = {
        split: [p for row in rows if (row.split == "train") == split for p in _places(row, manifest.parent, crops=crops)]
        for split in (True, False)
    }
    return (places[True], places[False]) if places[True] else (places[False], [])


def _places(row: Picture, folder: Path, *, crops: bool) -> Iterator[_Place]:
    file = folder / row.file
    if row.kind == "crop":
        if crops:
            yield _Place(file, row.plates[0] if row.plates else None)
    elif not crops:
        yield _Place(file)
    else:
        yield from (_Place(file, plate) for plate in row.plates if plate.box and plate.legible)


def _sample(place: _Place) -> Sample:
    import cv2

    read = cv2.imread(str(place.file))
    if read is None:
        raise UsageError(f"{place.file}: is no picture that can be read")
    image = np.asarray(read, np.uint8)
    if place.plate is None or place.plate.box is None:
        return Sample(image, place.plate.text if place.plate else None)
    return Sample(_cut(image, place.plate.box), place.plate.text)


def _cut(image: Image, box: Sequence[float], margin: float = 0.04) -> Image:
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box
    right, down = margin * (x2 - x1), margin * (y2 - y1)
    rows = slice(max(0, round(y1 - down)), min(height, max(round(y1) + 1, round(y2 + down))))
    columns = slice(max(0, round(x1 - right)), min(width, max(round(x1) + 1, round(x2 + right))))
    return image[rows, columns]
