"""Label files of YOLO data sets, read strictly: a line that is wrong is named, never left out; and the files that name the classes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.errors import UsageError
from train.collect.found import Points, clockwise, extent

TOLERANCE = 0.01
"""Labelling programs put numbers a little outside 0..1 at times: by this share they are taken, as ultralytics does."""
NAME_FILES = ("classes.txt", "obj.names", "_darknet.labels")
"""What labelling programs call the list of the classes, a name a line."""


@dataclass(frozen=True, slots=True)
class Label:
    """A line of a label file."""

    number: int
    """Of the class."""
    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in shares of the picture, as written: an edge may lie beyond it."""
    corners: Points | None
    """Four points in shares, from the plate's own top left one clockwise; None: not known."""
    line: int
    """In the file, from 1."""

    def clipped(self) -> tuple[float, float, float, float]:
        """Give the part of the box that is in the picture."""
        return _clipped(self.box)


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that is wrong."""

    file: Path
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.why}"


def label_file(picture: Path) -> Path:
    """Give where the labels of a picture lie: the last ``images`` in its path is ``labels`` there; without one, beside it."""
    parts = list(picture.parts[:-1])
    for place in range(len(parts) - 1, -1, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return Path(*parts, picture.stem + ".txt")


def labels_of(picture: Path) -> Path | None:
    """Give the label file of a picture, in labels/ or beside it. None: it has none."""
    return next((file for file in (label_file(picture), picture.with_suffix(".txt")) if file.is_file()), None)


def read_labels(file: Path, points: tuple[int, int] | None = None) -> tuple[list[Label], list[Problem]]:
    """Give the labels of a file, and what is wrong with it.

    ``points``: ``kpt_shape`` of the data set: as many keypoints follow each box, of x and y, or of x, y and visibility (0, 1, 2);
    four that are all seen are the corners. Without it a line of twelve numbers is a box and its corners if they fit each other.
    """
    labels: list[Label] = []
    problems: list[Problem] = []
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return [], [Problem(file, 1, f"cannot be read as text ({error})")]
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                labels.append(_label(line, number, points))
            except ValueError as error:
                problems.append(Problem(file, number, str(error)))
    return labels, problems


def unclaimed(folder: Path, claimed: Iterable[Path]) -> Iterator[Path]:
    """Give the label files of a folder and its subfolders that belong to no picture, sorted; ``claimed``: those that do."""
    known = set(claimed)
    for file in sorted(folder.rglob("*.txt")):
        if file not in known and file.name not in NAME_FILES and (looks_like_labels(file) or _empty_label(file)):
            yield file


def looks_like_labels(file: Path) -> bool:
    """Tell whether the first line of a text file that is not blank has five numbers or more, as lines of labels have."""
    try:
        words = next((line.split() for line in file.read_text("utf-8-sig").splitlines() if line.strip()), [])
        return len([float(word) for word in words]) >= 5
    except (OSError, ValueError):
        return False


def _empty_label(file: Path) -> bool:
    return "labels" in file.parts[:-1] and file.is_file() and not file.read_bytes().strip()


def read_names(folder: Path) -> tuple[str, ...]:
    """Give the names of the classes as a file of ``NAME_FILES`` in the folder, or below it, lists them; empty: there is none.

    Raises UsageError if several of them differ, or if one cannot be read.
    """
    found = [folder / name for name in NAME_FILES if (folder / name).is_file()]
    found = found or sorted(file for name in NAME_FILES for file in folder.rglob(name) if file.is_file())
    try:
        lists = {file: tuple(line.strip() for line in file.read_text("utf-8-sig").splitlines() if line.strip()) for file in found}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{folder}: its list of classes cannot be read as text ({error})") from error
    if len(set(lists.values())) > 1:
        raise UsageError(
            f"{folder}: {' and '.join(map(str, found))} name different classes; put the right list into {folder / NAME_FILES[0]}"
        )
    return next(iter(lists.values()), ())


def as_names(said: Any, where: str) -> tuple[str, ...]:
    """Give the ``names`` of a data.yaml, a list or a table by number, in order; empty: there are none. Raises UsageError."""
    if not isinstance(said, dict):
        return tuple(str(name) for name in said or ())
    if sorted(said, key=str) != sorted(range(len(said)), key=str):
        raise UsageError(f"{where}: names must be numbered from 0 on without gaps; they are {', '.join(map(str, said))}")
    return tuple(str(said[number]) for number in range(len(said)))


def keypoints(data: Mapping[str, Any], where: str) -> tuple[int, int] | None:
    """Give the ``kpt_shape`` of a data.yaml: how many points, and 2 or 3 numbers of each. Raises UsageError."""
    match data.get("kpt_shape"):
        case None:
            return None
        case [int(points), int(numbers)] if points > 0 and numbers in (2, 3):
            return points, numbers
        case other:
            raise UsageError(f"{where}: kpt_shape is {other}; it must be a number of points, and 2 or 3: [4, 3]")


def nameless(where: str, used: Iterable[int], more: str = "") -> UsageError:
    """Give the error of labels with several classes whose names nobody says. ``more``: what else may be done."""
    return UsageError(
        f"{where}: its labels have the classes {', '.join(map(str, used))}; say what they are: classes.txt, a name a line, "
        f"the first for class 0{more}"
    )


def _label(line: str, at: int, points: tuple[int, int] | None) -> Label:
    """Read ``class x y width height``, with keypoints or not, or ``class x1 y1 x2 y2 x3 y3 ...``. Raises ValueError."""
    first, *rest = line.split()
    if not first.isdecimal():
        raise ValueError(f"starts with {first!r}; a line is: class x y width height, the class a whole number from 0 on")
    try:
        values = [float(value) for value in rest]
    except ValueError:
        raise ValueError(f"{line.strip()!r} has something else than numbers") from None
    corners: Points | None = None
    if points:
        values, corners = _pointed(values, *points)
    elif len(values) == 12 and _box_and_corners(values):
        values, corners = values[:4], _pairs(values[4:])
    if len(values) != 4 and (len(values) < 6 or len(values) % 2):
        raise ValueError(f"has {len(values)} numbers after the class; needed are 4 (x y width height), or the points of a polygon")
    for value in values:
        if not math.isfinite(value) or not -TOLERANCE <= value <= 1 + TOLERANCE:
            hint = "; pixels must be divided by the picture's width or height" if value > 2 else ""
            raise ValueError(f"{value:g} is not between 0 and 1: all numbers are shares of the picture{hint}")
    if len(values) == 4:
        box = _around(values)
    else:
        polygon = _pairs(values)
        box, corners = extent(polygon), clockwise(polygon) if len(polygon) == 4 else None
    x1, y1, x2, y2 = _clipped(box)
    if x2 <= x1 or y2 <= y1:
        raise ValueError("the box has no width or no height")
    return Label(int(first), box, corners, at)


def _pointed(values: list[float], points: int, numbers: int) -> tuple[list[float], Points | None]:
    """Part a box from its keypoints, and give their places if they are four that are seen. Raises ValueError."""
    if len(values) != 4 + points * numbers:
        each = "x, y and visibility" if numbers == 3 else "x and y"
        raise ValueError(f"has {len(values)} numbers after the class; needed are 4 and {points} times {each}")
    found = [values[at : at + numbers] for at in range(4, len(values), numbers)]
    for x, y, *seen in found:
        if not (0 <= x <= 1 and 0 <= y <= 1 and set(seen) <= {0, 1, 2}):
            told = " ".join(f"{value:g}" for value in (x, y, *seen))
            raise ValueError(f"{told} is no keypoint: x and y between 0 and 1{', then 0, 1 or 2' if seen else ''}")
    known = points == 4 and all(point[2:] != [0] for point in found)
    return values[:4], tuple((point[0], point[1]) for point in found) if known else None


def _box_and_corners(values: list[float]) -> bool:
    """Tell a box with four points from a polygon of six: they lie in the box and reach over more than half of it."""
    x1, y1, x2, y2 = _around(values[:4])
    left, top, right, bottom = extent(_pairs(values[4:]))
    width, height = x2 - x1, y2 - y1
    inside = left >= x1 - 0.1 * width and right <= x2 + 0.1 * width and top >= y1 - 0.1 * height and bottom <= y2 + 0.1 * height
    return inside and right - left > 0.5 * width and bottom - top > 0.5 * height


def _around(values: list[float]) -> tuple[float, float, float, float]:
    x, y, width, height = values
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _pairs(values: list[float]) -> Points:
    return tuple(zip(values[::2], values[1::2], strict=True))


def _clipped(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (min(max(value, 0.0), 1.0) for value in box)
    return x1, y1, x2, y2
