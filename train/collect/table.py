"""CSV files with a row for each picture.

Columns (only ``file`` is needed; others are ignored):

- ``file``: the picture, relative to the CSV file
- ``text`` (or ``plates``, ``plate``): the texts of its plates, ``A|B``; ``?`` stands for an illegible one
- ``boxes``: either ``x1 y1 x2 y2`` in pixels, several joined by ``|``, or how many there are: then they lie in a YOLO label file
  (``images`` in the path is ``labels`` there), and a count that differs is reported
- ``corners``: ``x y x y x y x y`` in pixels, from the plate's top left one clockwise, several joined by ``|``
- ``kind``: ``photo`` or ``crop``; without it a row is a crop if the CSV knows no boxes at all
- ``source``, ``licence``, ``region``, ``group``, ``split``, ``original`` (its name where it comes from)
- ``tags``: of all its plates ``two-line``, ``one-line``, ``slanted``; of the picture ``night``, ``day``; separated by spaces
- ``permissive``: ``no`` where weights trained on it may not ship: unless it is under the GPL or AGPL, which this project itself
  is, its licence then counts as not known
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from streamer.errors import UsageError
from train.collect.found import Found, Item, Mark, Options, Skipped, paired, split_of
from train.collect.labels import labels_of, read_labels
from train.collect.licences import spdx
from train.manifest import PICTURE_TAGS, Kind, checked_tags

Row = Mapping[str, str]
_TEXT_COLUMNS = ("text", "plates", "plate")


def read_table(source: Path, options: Options) -> Iterator[Item]:
    """Read a CSV file. Raises UsageError if it has no column ``file``."""
    try:
        with source.open(encoding="utf-8-sig", newline="") as lines:
            table = csv.DictReader(lines)
            columns = {name.strip().lower(): name for name in table.fieldnames or ()}
            rows = [(table.line_num, {low: (row.get(name) or "").strip() for low, name in columns.items()}) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{source}: cannot be read ({error})") from error
    if "file" not in columns:
        raise UsageError(f"{source}:1: has no column file; it has {', '.join(columns) or 'nothing'}")
    kind: Kind = "photo" if {"boxes", "corners"} & set(columns) else "crop"
    for line, row in rows:
        yield from _row(source, f"{source.name}:{line}", row, kind, options)


def _row(source: Path, where: str, row: Row, kind: Kind, options: Options) -> Iterator[Item]:
    picture = source.parent / row["file"]
    said = row.get("kind") or kind
    split = split_of(row.get("split", ""))
    if not row["file"] or said not in ("photo", "crop") or (row.get("split") and split is None):
        wrong = "has no file" if not row["file"] else f"has split {row.get('split')!r} and kind {said!r}; use train, val, test; photo, crop"
        yield Skipped(where, "picture", wrong)
        return
    texts = next((row[name].split("|") for name in _TEXT_COLUMNS if row.get(name)), [])
    try:
        tags = checked_tags(row.get("tags", "").split(), PICTURE_TAGS)
        boxes, unit = _boxes(picture, row)
        _check_count(row, len(boxes))
    except (ValueError, OSError) as error:
        yield Skipped(where, "picture", str(error))
        return
    in_pixels = unit == "pixels"
    marks = (
        paired(boxes, texts, in_order=options.in_order or in_pixels)
        if said == "photo"
        else tuple(Mark(text=text) for text in texts or [""])
    )
    if said == "photo" and texts and len(texts) != len(boxes):
        yield Skipped(where, "text", f"{len(texts)} texts for {len(boxes)} boxes: kept, but not brought together")
    licence = _licence(row)
    if licence == "" and row.get("licence"):
        yield Skipped(where, "licence", f"{row['licence']!r} (permissive: {row.get('permissive') or 'not said'}) counts as not known")
    yield Found(
        picture, where, marks, "pixels" if in_pixels else "shares", kind="crop" if said == "crop" else "photo", split=split,
        original=row.get("original", ""), source=row.get("source", ""), licence=licence,
        region=row.get("region", ""), group=row.get("group", ""), tags=tags,
    )  # fmt: skip


def _boxes(picture: Path, row: Row) -> tuple[list[Mark], str]:
    """Give the boxes of a row and their unit. Raises ValueError."""
    boxes, corners = row.get("boxes", ""), row.get("corners", "")
    if corners:
        points = [tuple(zip(numbers[::2], numbers[1::2], strict=True)) for numbers in _numbers(corners, 8)]
        marks = [Mark(_around(four), four) for four in points]
        return marks, "pixels"
    if boxes and not boxes.isdigit():
        return [Mark((a, b, c, d)) for a, b, c, d in _numbers(boxes, 4)], "pixels"
    labels = labels_of(picture)
    if labels is None:
        if boxes not in ("", "0"):
            raise ValueError(f"says {boxes} boxes, but {picture.stem}.txt is not there")
        return [], "pixels"
    found, problems = read_labels(labels)
    if problems:
        raise ValueError(f"{labels.name}:{problems[0].line}: {problems[0].why}")
    return [Mark(label.box, label.corners) for label in found], "shares"


def _check_count(row: Row, count: int) -> None:
    boxes = row.get("boxes", "")
    if boxes.isdigit() and int(boxes) != count:
        raise ValueError(f"says {boxes} boxes, but its label file has {count}")


def _numbers(field: str, count: int) -> Iterator[list[float]]:
    for part in field.split("|"):
        numbers = [float(word) for word in part.split()]
        if len(numbers) != count:
            raise ValueError(f"{part!r} is not {count} numbers")
        yield numbers


def _around(points: tuple[tuple[float, float], ...]) -> tuple[float, float, float, float]:
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _licence(row: Row) -> str | None:
    if "licence" not in row:
        return None
    name = spdx(row["licence"])
    return "" if row.get("permissive", "").lower() == "no" and "GPL-" not in name else name
