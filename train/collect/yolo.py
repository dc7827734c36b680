"""YOLO data sets: data.yaml, or a folder with images/ and labels/; boxes, oriented boxes, polygons and poses of four points.

supervision's reader gives the same boxes (a test compares them), but it stops at the first broken line, takes a missing label
file for an empty one and drops key points, so that it cannot say what was left out and why.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from streamer.errors import UsageError
from train.collect.found import Found, Item, Mark, Options, Skipped, clockwise, extent, pictures_in, plate_classes, split_in, split_of
from train.manifest import Split

Row = tuple[int, Mark]
"""Number of the class, and the plate."""


def read_yolo(source: Path, options: Options) -> Iterator[Item]:
    """Read a data set. ``source``: a data.yaml or its folder. Raises UsageError."""
    description = source if source.is_file() else source / "data.yaml"
    data = _load(description) if description.is_file() else {}
    raw = data.get("names", [])
    names = [str(name) for _, name in sorted(raw.items())] if isinstance(raw, dict) else [str(name) for name in raw]
    chosen = plate_classes(names, options.classes, str(description)) if names else None
    keypoints = (data.get("kpt_shape") or [0, 2])[1]
    root = description.parent
    for picture, split in _pictures(root, data, description):
        labels = label_file(picture)
        where = _name(labels, root)
        if not labels.is_file():
            if options.backgrounds:
                yield Found(picture, str(picture), split=split)
            else:
                yield Skipped(
                    _name(picture, root), "picture", f"has no label file {where}; --backgrounds takes such pictures for empty ones"
                )
            continue
        yield from _labelled(picture, labels, where, split, chosen, keypoints)


def label_file(picture: Path) -> Path:
    """Give where the labels of a picture lie: the last ``images`` in its path is ``labels`` there; without one, beside it."""
    parts = list(picture.parts[:-1])
    for place in range(len(parts) - 1, -1, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return Path(*parts, picture.stem + ".txt")


def read_labels(file: Path, keypoints: int = 2) -> list[Row]:
    """Read a label file; coordinates are shares of the picture. ``keypoints``: numbers for each. Raises ValueError naming the line."""
    rows = []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            rows.append(_row(line, keypoints))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    return rows


def _labelled(picture: Path, labels: Path, where: str, split: Split | None, chosen: set[int] | None, keypoints: int) -> Iterator[Item]:
    try:
        rows = read_labels(labels, keypoints)
    except (ValueError, OSError) as error:
        yield Skipped(where, "picture", f"{error}; a picture with a plate missing would teach the wrong thing")
        return
    kept = tuple(mark for number, mark in rows if chosen is None or number in chosen)
    if len(kept) < len(rows):
        yield Skipped(where, "object", f"{len(rows) - len(kept)} of other classes")
    yield Found(picture, where, kept, "shares", split=split)


def _row(line: str, keypoints: int) -> Row:
    number, *values = line.split()
    numbers = [float(value) for value in values]
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"{line.strip()!r} has a number that is not finite")
    return int(float(number)), _mark(numbers, keypoints, line)


def _mark(numbers: list[float], keypoints: int, line: str) -> Mark:
    if len(numbers) in (4, 4 + 4 * keypoints):  # with 2 numbers a point, a pose of four has 12: a polygon of six has them too, but rarely
        x, y, width, height = numbers[:4]
        points = [tuple(numbers[i : i + 2]) for i in range(4, len(numbers), keypoints)]
        corners = tuple((px, py) for px, py in points) or None
        return Mark((x - width / 2, y - height / 2, x + width / 2, y + height / 2), corners)
    if len(numbers) >= 6 and len(numbers) % 2 == 0:
        polygon = tuple(zip(numbers[::2], numbers[1::2], strict=True))
        return Mark(extent(polygon), clockwise(polygon) if len(polygon) == 4 else None)
    raise ValueError(f"{line.strip()!r} is neither class x y w h nor class and points")


def _load(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path}: is no description of a data set; it needs names, train and val")
    return data


def _pictures(root: Path, data: Mapping[str, Any], description: Path) -> Iterator[tuple[Path, Split | None]]:
    splits = {name: data[name] for name in ("train", "val", "valid", "test") if data.get(name)}
    if not splits:
        folder = root / "images" if (root / "images").is_dir() else root
        yield from ((picture, split_in(picture.relative_to(root))) for picture in pictures_in(folder))
        return
    for name, places in splits.items():
        for place in places if isinstance(places, list) else [places]:
            yield from ((picture, split_of(name)) for picture in _listed(_place(root, str(data.get("path") or "."), place, description)))


def _place(root: Path, base: str, place: str, description: Path) -> Path:
    """Find what data.yaml names: paths that were written on another machine are looked for beside the file."""
    for path in (root / base / place, root / place, root / place.removeprefix("../")):
        if path.exists():
            return path
    raise UsageError(f"{description}: names {place}, which is not there; correct path, train, val or test")


def _listed(place: Path) -> list[Path]:
    if place.is_dir():
        return pictures_in(place)
    lines = place.read_text("utf-8").splitlines()
    return [place.parent / line.strip() for line in lines if line.strip()]


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
