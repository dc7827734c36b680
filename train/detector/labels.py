"""Label files of YOLO data sets, read strictly: a line that is wrong is named, never left out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from train.collect.found import extent
from train.prepare.boxes import Labelled

TOLERANCE = 0.01
"""Labelling programs put edges a little outside at times: by this share they are clipped, as ultralytics does."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that is wrong."""

    file: Path
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.why}"


def read_strictly(file: Path, points: int = 0) -> tuple[list[Labelled], list[Problem]]:
    """Give the labels of a file, boxes in shares of the picture within 0..1, and what is wrong with it.

    ``points``: as many keypoints follow each box, x, y and visibility (0, 1 or 2); they are checked and left out.
    """
    labels: list[Labelled] = []
    problems: list[Problem] = []
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return [], [Problem(file, 1, f"cannot be read as text ({error})")]
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                labels.append(_label(_without_points(line, points) if points else line))
            except ValueError as error:
                problems.append(Problem(file, number, str(error)))
    return labels, problems


def _without_points(line: str, points: int) -> str:
    """Give a line without its keypoints. Raises ValueError saying what is wrong with them."""
    parts = line.split()
    if len(parts) != 5 + 3 * points:
        raise ValueError(f"has {len(parts) - 1} numbers after the class; needed are 4 and {points} times x, y and visibility")
    for x, y, seen in zip(parts[5::3], parts[6::3], parts[7::3], strict=True):
        if seen not in ("0", "1", "2") or not all(0 <= float(value) <= 1 for value in (x, y)):
            raise ValueError(f"{x} {y} {seen} is no keypoint: x and y between 0 and 1, then 0, 1 or 2")
    return " ".join(parts[:5])


def _label(line: str) -> Labelled:
    """Read ``class x y width height`` or ``class x1 y1 x2 y2 x3 y3 ...``. Raises ValueError saying what is wrong."""
    first, *rest = line.split()
    if not first.isdecimal():
        raise ValueError(f"starts with {first!r}; a line is: class x y width height, the class a whole number from 0 on")
    try:
        values = [float(value) for value in rest]
    except ValueError:
        raise ValueError(f"{line.strip()!r} has something else than numbers") from None
    if len(values) != 4 and (len(values) < 6 or len(values) % 2):
        raise ValueError(f"has {len(values)} numbers after the class; needed are 4 (x y width height), or the points of a polygon")
    for value in values:
        if not math.isfinite(value) or not -TOLERANCE <= value <= 1 + TOLERANCE:
            hint = "; pixels must be divided by the picture's width or height" if value > 2 else ""
            raise ValueError(f"{value:g} is not between 0 and 1: all numbers are shares of the picture{hint}")
    if len(values) == 4:
        x, y, width, height = values
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    else:
        box = extent(tuple(zip(values[::2], values[1::2], strict=True)))
    x1, y1, x2, y2 = (min(max(value, 0.0), 1.0) for value in box)
    if x2 <= x1 or y2 <= y1:
        raise ValueError("the box has no width or no height")
    return Labelled(int(first), (x1, y1, x2, y2))
