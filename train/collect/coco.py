"""COCO: one JSON file for many pictures. Texts of plates are taken from an annotation's ``text``, ``plate`` or its attributes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streamer.errors import UsageError
from train.collect.found import (
    Found,
    Item,
    Mark,
    Options,
    Points,
    Skipped,
    clockwise,
    group_in,
    pictures_in,
    plate_classes,
    split_in,
    split_of,
)

_TEXT = ("text", "plate", "number", "plate_text", "plate_number", "ocr")
_HOW = "a picture with a plate missing would teach the wrong thing"


def read_coco(source: Path, options: Options) -> Iterator[Item]:
    """Read a JSON file, or every COCO file under a folder. Raises UsageError."""
    files = [source] if source.is_file() else [file for file in sorted(source.rglob("*.json")) if is_coco(file)]
    if not files:
        raise UsageError(f"{source}: holds no COCO file (JSON with images, annotations and categories)")
    seen: set[Path] = set()
    for file in files:
        yield from _read(file, options, seen)
    for other in pictures_in(source) if source.is_dir() else ():
        if other not in seen:
            yield Skipped(other.relative_to(source).as_posix(), "picture", "no COCO file that was read gives its boxes")


def is_coco(file: Path) -> bool:
    """Tell whether a file is COCO's kind of JSON."""
    try:
        data = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and {"images", "annotations", "categories"} <= set(data)


def _read(file: Path, options: Options, seen: set[Path]) -> Iterator[Item]:
    try:
        data = json.loads(file.read_text("utf-8"))
        categories = [(int(entry["id"]), str(entry["name"])) for entry in data["categories"]]
        images = {image["id"]: image for image in data["images"]}
        annotations: dict[Any, list[Any]] = defaultdict(list)
        for annotation in data["annotations"]:
            annotations[annotation["image_id"]].append(annotation)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file}: is no COCO file ({error!r})") from error
    used = {category for many in annotations.values() for category in (entry.get("category_id") for entry in many)}
    present = [(number, name) for number, name in categories if number in used] or categories
    numbers = plate_classes([name for _, name in present], options.classes, str(file))
    chosen = {present[place][0] for place in numbers}
    places = {path.name: path for path in pictures_in(file.parent)}
    for stray in annotations.keys() - images.keys():
        yield Skipped(f"{file.name}: image {stray}", "object", f"{len(annotations[stray])} boxes of a picture that is not listed")
    for number, image in images.items():
        yield from _image(file, image, annotations.get(number, []), chosen, places, seen)


def _image(file: Path, image: Any, annotations: list[Any], chosen: set[int], places: dict[str, Path], seen: set[Path]) -> Iterator[Item]:
    where = f"{file.name}: image {image.get('id')}"
    name = str(image.get("file_name", ""))
    picture = next((path for path in (file.parent / name, file.parent / "images" / name) if name and path.is_file()), None)
    picture = picture or places.get(Path(name).name)
    if picture is None:
        yield Skipped(where, "picture", f"its picture {name!r} is not there")
        return
    seen.add(picture)
    plates = [entry for entry in annotations if entry.get("category_id") in chosen]
    if any(entry.get("iscrowd") for entry in plates):
        yield Skipped(where, "picture", f"has a box around a crowd; {_HOW}")
        return
    try:
        marks = tuple(map(_mark, plates))
    except (ValueError, KeyError, TypeError) as error:
        yield Skipped(where, "picture", f"a box cannot be read ({error!r}); {_HOW}")
        return
    if len(plates) < len(annotations):
        yield Skipped(where, "object", f"{len(annotations) - len(plates)} of other classes")
    below = picture.relative_to(file.parent)
    split = split_in(below) or split_in(file) or split_of(file.stem.rsplit("_", 1)[-1])
    size = (int(image.get("width") or 0), int(image.get("height") or 0))
    yield Found(picture, where, marks, size=size if all(size) else None, split=split, nearby=group_in(below, file.parent))


def _mark(entry: Any) -> Mark:
    x, y, width, height = map(float, entry["bbox"])
    known = {**entry, **(entry.get("attributes") or {})}
    text = next((str(known[key]) for key in _TEXT if known.get(key)), None)
    return Mark((x, y, x + width, y + height), _corners(entry), text)


def _corners(entry: Any) -> Points | None:
    points = entry.get("keypoints") or []
    if len(points) == 12 and all(points[2::3]):
        return tuple((float(points[i]), float(points[i + 1])) for i in range(0, 12, 3))
    outline = entry.get("segmentation")
    if isinstance(outline, list) and len(outline) == 1 and len(outline[0]) == 8:
        flat = [float(value) for value in outline[0]]
        return clockwise(tuple(zip(flat[::2], flat[1::2], strict=True)))
    return None
