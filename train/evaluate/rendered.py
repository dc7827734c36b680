"""Rendered plates that a reader is measured on: so many of what is rare in photographs that each hard slice can decide."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.types import Box, Image
from train.evaluate.data import Sample, Truth
from train.manifest import tags_of_lines

if TYPE_CHECKING:
    from train.synth import SyntheticCrop

COUNT = 1200
"""So many have at least 100 of each hard slice, and take less than two minutes of one core to draw and to read twice."""
SEED = 20_000_003
"""Trainings draw with small seeds: these are plates that none has seen."""
SHARES: dict[str, Any] = {"two_lines": 0.5, "night": 0.35, "slanted": 0.3, "character_height": (8, 26)}
"""What differs from SynthConfig."""
SOURCE = "rendered"


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A plate to read, what is known about it and the picture of it, uint8 (h, w, 3) BGR."""

    sample: Sample
    truth: Truth
    image: Image


def render(count: int, seed: int = SEED) -> list[Crop]:
    """Draw crops, the same for the same seed. Their files are names only, with seed and number. Raises UsageError without fonts."""
    from train.synth import PlateRenderer, SynthConfig

    renderer = PlateRenderer(SynthConfig(**SHARES), seed)
    return [_crop(renderer.sample(index), Path(SOURCE) / str(seed) / f"{index:06d}") for index in range(count)]


def _crop(drawn: SyntheticCrop, name: Path) -> Crop:
    (x1, y1), (x2, y2) = drawn.corners.min(0), drawn.corners.max(0)
    corners = tuple((float(x), float(y)) for x, y in drawn.corners)
    box = Box(float(x1), float(y1), float(x2), float(y2))
    truth = Truth(box, corners, drawn.text, frozenset(tags_of_lines(len(drawn.lines))))
    return Crop(Sample(name, "crop", (truth,), "all", SOURCE), truth, drawn.image)
