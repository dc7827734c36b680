"""Real plates of manifests for the reader: which are used, and what is left out, counted by its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from streamer.crops import cut
from streamer.errors import UsageError
from streamer.reader.gap import gap_row
from streamer.stills import load_picture
from streamer.types import Box
from train.collect.found import extent
from train.manifest import Picture, Plate, Split, read_manifest
from train.settle import settle

XYXY = tuple[float, float, float, float]
_ROOM = 0.3
"""Of a plate's width and height, kept around it where the picture has it."""


@dataclass(frozen=True, slots=True)
class RealCrop:
    """A labelled plate of a manifest, cut with room around it where the picture has some."""

    image: Any
    """uint8 (h, w, 3) BGR."""
    box: XYXY
    """The plate in it."""
    text: str
    source: str
    region: str


@dataclass(slots=True)
class RealPlates:
    """Plates of one line each, and what was left out."""

    train: list[RealCrop] = field(default_factory=list)
    val: list[RealCrop] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """Plates, by reason."""
    unlicensed: int = 0
    """Of those used, plates of pictures without a licence."""
    remarks: list[str] = field(default_factory=list)
    """For people: how rows came to their splits."""

    @property
    def reasons(self) -> str:
        """What was left out: ``3 without a text, 1 of two lines``."""
        return ", ".join(f"{number} {reason}" for reason, number in self.left_out.most_common())


def load_real(manifests: Sequence[Path], alphabet: str, *, licensed: bool = False) -> RealPlates:
    """Load the plates of manifests that can be spelt in ``alphabet``; ``licensed``: only of pictures whose licence is known.

    Rows without a split get the one that ``train.settle`` gives. Plates of two lines are left out: the network reads one line,
    and where the lines of a real plate part is not labelled. Raises UsageError if a manifest gives no plate, or all none to train on.
    """
    settled = settle([read_manifest(manifest) for manifest in manifests])
    found = RealPlates(remarks=settled.told())
    for manifest, rows in zip(manifests, settled.manifests, strict=True):
        part = _load(rows, manifest.parent, alphabet, licensed=licensed)
        if not part.train and not part.val:
            why = f"left out: {part.reasons}" if part.left_out else "its pictures have no plates"
            raise UsageError(f"{manifest}: gives no plate to train the reader on; {why}")
        found.train += part.train
        found.val += part.val
        found.left_out += part.left_out
        found.unlicensed += part.unlicensed
    if manifests and not found.train:
        names = ", ".join(map(str, manifests))
        raise UsageError(f"{names}: all {len(found.val)} plates that can be used validate, none trains; give more, or another split")
    return found


def _load(rows: Sequence[Picture], folder: Path, alphabet: str, *, licensed: bool) -> RealPlates:
    found = RealPlates()
    for row in rows:
        fit = []
        for plate in row.plates:
            if reason := _unfit(row, plate, alphabet, licensed):
                found.left_out[reason] += 1
            else:
                fit.append(plate)
        for crop in _crops(row, fit, folder):
            if gap_row(cut_loosely(crop, np.random.default_rng(0))) is not None:
                found.left_out["of two lines"] += 1
                continue
            (found.train if row.split == "train" else found.val).append(crop)
            found.unlicensed += not row.licence
    return found


def _unfit(row: Picture, plate: Plate, alphabet: str, licensed: bool) -> str:
    used: tuple[Split, ...] = ("train", "val")
    reasons = (
        (row.split not in used, f"of the split {row.split}"),
        (licensed and not row.licence, "of pictures without a licence"),
        (not plate.legible, "that nobody could read"),
        (not plate.text, "without a text"),
        (not set(plate.text or "") <= set(alphabet), "with a character outside the alphabet"),
        (row.kind == "photo" and _box(plate) is None, "without a box"),
    )
    return next((reason for applies, reason in reasons if applies), "")


def _box(plate: Plate) -> XYXY | None:
    return plate.box or (extent(plate.corners) if plate.corners else None)


def _crops(row: Picture, plates: Sequence[Plate], folder: Path) -> Iterator[RealCrop]:
    if not plates:
        return
    image = load_picture(folder / row.file)
    for plate in plates:
        assert plate.text is not None
        box = _box(plate)
        if box is None:
            yield RealCrop(image, (0.0, 0.0, float(row.width), float(row.height)), plate.text, row.source, row.region)
            continue
        x1, y1, x2, y2 = box
        room = cut(image, Box(x1, y1, x2, y2), _ROOM).copy()
        left, top = max(0.0, x1 - _ROOM * (x2 - x1)) // 1, max(0.0, y1 - _ROOM * (y2 - y1)) // 1
        yield RealCrop(room, (x1 - left, y1 - top, x2 - left, y2 - top), plate.text, row.source, row.region)


def cut_loosely(crop: RealCrop, dice: np.random.Generator) -> Any:
    """Cut the plate as a detector would: seldom exactly."""
    x1, y1, x2, y2 = crop.box
    width, height = x2 - x1, y2 - y1
    spread = (0.02, 0.14) if dice.random() < 0.8 else (0.03, 0.3)
    x1, x2 = x1 - dice.uniform(-spread[0], spread[1]) * width, x2 + dice.uniform(-spread[0], spread[1]) * width
    y1, y2 = y1 - dice.uniform(-spread[0], spread[1]) * height, y2 + dice.uniform(-spread[0], spread[1]) * height
    return cut(crop.image, Box(x1, y1, x2, y2), 0.0)
