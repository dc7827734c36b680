"""What the checks give, and what they look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from train.manifest import Picture

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")
"""Worst first. Errors make the exit code 1."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a manifest and where its picture lies."""

    picture: Picture
    path: Path
    manifest: str
    """Name of its manifest."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a picture gave; everything that comparing needs, so that it is decoded once."""

    sha256: str
    width: int
    height: int
    hashes: tuple[int, int]
    """64 bits each: perceptual (DCT) and difference hash."""
    mirrored: tuple[int, int]
    """The same of the picture mirrored left to right."""
    thumbnail: npt.NDArray[np.float32]
    """(32 * 32,) grey, mean 0, length 1."""
    flat: bool
    """Nearly one colour: alike to every other flat picture."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or worth knowing."""

    level: Level
    kind: str
    """Short name, the same for all findings of its kind, for example ``duplicate across splits``."""
    message: str
    files: tuple[str, ...]
    """As in the manifest; the pictures that it is about."""
    plate: int | None = None
    """Place of the plate in its picture's list, if it is about one."""
    weight: float = 0.0
    """The larger, the worse among its kind."""
