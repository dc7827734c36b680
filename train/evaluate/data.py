"""Manifests and CSV files to samples.

A manifest is what ``plate-train collect`` writes (train/manifest.py). A CSV file has a row for each picture:

- ``file``: relative to the CSV file
- ``text`` or ``plates``: the texts, several joined by ``|``; ``?`` is a plate that nobody could read
- ``boxes``: ``x1 y1 x2 y2`` in pixels, several joined by ``|``; without them the YOLO label file is taken, if there is one
  (``images`` in the path is ``labels`` there)
- ``kind``: ``photo`` or ``crop``; without it pictures in a folder named ``crops`` are crops, all others photographs
- ``region``, ``source``, ``split``; ``tags``: ``two-line``, ``one-line``, ``slanted``, ``night``, ``day``, separated by spaces

Texts may hold separators and accents, A-Z 0-9 and ``*`` for a character outside the alphabet. A text in another script is left
out, and counted.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from streamer.errors import UsageError
from streamer.plates import normalise
from streamer.types import Box
from train.collect.labels import keypoints, labels_of, read_labels
from train.manifest import PICTURE_TAGS, Kind, Picture, Split, checked_tags, read_manifest
from train.settle import Settled, settle

Row = Mapping[str, str]
Boxed = Literal["all", "some", "none"]
VIDEOS = frozenset({".mp4", ".mkv", ".avi", ".mov", ".webm", ".ts"})
_EXIF_ORIENTATION, _FIRST_ON_ITS_SIDE = 274, 5
_UP = 3
"""Folders from labels up to their data.yaml: at most set/train/labels/day."""
_SEPARATORS = frozenset(" -.·•:_/'")


@dataclass(frozen=True, slots=True)
class Truth:
    """A plate that is there."""

    box: Box | None = None
    corners: tuple[tuple[float, float], ...] | None = None
    text: str | None = None
    """A-Z, 0-9 and ``*``; None: not known, illegible or in another script."""
    tags: frozenset[str] = frozenset()
    """What was said about this plate; about all of a picture's, it stands in the sample."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture with what is known about it."""

    path: Path
    kind: Kind
    truths: tuple[Truth, ...]
    boxed: Boxed
    """Of which of its plates the boxes are known; ``all`` without plates: it is known to have none."""
    source: str = ""
    region: str = ""
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Clip:
    """A video with the plates of vehicles that pass in it."""

    path: Path
    plates: tuple[str, ...]
    region: str = ""
    complete: bool = False
    """Whether no other plates are in view: then any other text is wrong."""


@dataclass(slots=True)
class Data:
    """What is measured on."""

    samples: list[Sample] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """Rows and plates that cannot be used, by reason."""
    remarks: list[str] = field(default_factory=list)
    """For people: how rows came to their splits."""


def load_samples(paths: Sequence[Path], split: Split | None = None, kind: Kind | None = None) -> Data:
    """Read the rows of a split (None: all) of manifests (.jsonl) and CSV files; what a manifest does not put into one, ``settle`` does.

    ``kind``: of the rows that do not say it. Raises UsageError naming file and line, or if no row has that split.
    """
    data, seen = Data(), Counter[str]()
    for path in paths:
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; bring it into a manifest first: plate-train collect {path} --out plates.jsonl")
    settled = settle([read_manifest(path) for path in paths if path.suffix == ".jsonl"])
    manifests = iter(settled.manifests)
    for path in paths:
        table = path.suffix != ".jsonl"
        data.samples.extend(_table_samples(path, split, kind, data, seen) if table else _samples(path, next(manifests), split, data, seen))
    if split is not None:
        _tell_splits(split, seen, settled, data)
    elif {"train", "val"} <= {row.split for row in settled.rows}:
        data.remarks.append("all rows are measured, those too that training learns from; --split val keeps to what it does not see")
    return data


def _tell_splits(split: Split, seen: Counter[str], settled: Settled, data: Data) -> None:
    """Say where the rows are that are not taken. Raises UsageError if all are elsewhere."""
    if not seen[split]:
        there = ", ".join(f"{name or 'none'} ({number})" for name, number in seen.most_common()) or "not even that: there are none"
        hint = "; a CSV file says it in a column named split" if seen[""] else ""
        raise UsageError(f"no row has split {split}: rows have {there}; --split all takes every row{hint}")
    data.left_out.update({f"rows of split {name}" if name else "rows without a split": seen[name] for name in seen if name != split})
    data.remarks += settled.told()


def load_clips(path: Path) -> list[Clip]:
    """Read the rows of a CSV file whose file is a video; ``complete``: ``yes`` where every plate in view is named. Raises UsageError."""
    clips = []
    for line, row in _rows(path):
        video = path.parent / row["file"]
        if video.suffix.lower() not in VIDEOS:
            continue
        if not video.is_file():
            raise UsageError(f"{path}:{line}: there is no video {video}")
        plates = tuple(text for text in map(comparable, _texts(row)) if text)
        clips.append(Clip(video, plates, row.get("region", ""), row.get("complete", "").lower() == "yes"))
    if not clips:
        raise UsageError(f"{path}: names no video ({', '.join(sorted(VIDEOS))})")
    return clips


def plates_to_read(samples: Sequence[Sample]) -> list[tuple[Sample, Truth]]:
    """Give the plates that readers are measured on: the crops with text or, without any, those that boxes cut out of photographs."""
    crops = [(sample, truth) for sample in samples if sample.kind == "crop" for truth in sample.truths if truth.text]
    return crops or [(sample, truth) for sample in samples for truth in sample.truths if truth.text and truth.box]


def comparable(text: str) -> str | None:
    """Give a text as it is compared: A-Z, 0-9 and ``*``. None if it has none of them, or characters of another script."""
    characters = []
    for character in text.strip():
        known = "*" if character == "*" else normalise(character)
        if not known and character not in _SEPARATORS:
            return None
        if not character.isascii() and character.isdecimal():
            return None
        characters.append(known)
    return "".join(characters) or None


def _samples(path: Path, rows: Sequence[Picture], split: Split | None, data: Data, seen: Counter[str]) -> Iterator[Sample]:
    for picture in rows:
        if not _wanted(picture.split or "", split, seen):
            continue
        file = path.parent / picture.file
        if not file.is_file():
            raise UsageError(f"{path}: there is no picture {file}; make the manifest anew with plate-train collect")
        yield _sample(file, picture, data)


def _wanted(said: str, split: Split | None, seen: Counter[str]) -> bool:
    seen[said] += 1
    return split in (None, said)


def _sample(file: Path, picture: Picture, data: Data) -> Sample:
    truths = []
    for plate in picture.plates:
        box = Box(*plate.box) if plate.box is not None else None
        truths.append(Truth(box, plate.corners, _counted(plate.text if plate.legible else None, data), frozenset(plate.tags)))
    return Sample(file, picture.kind, tuple(truths), _boxed(truths), picture.source, picture.region, frozenset(picture.tags))


def _boxed(truths: Sequence[Truth]) -> Boxed:
    known = sum(truth.box is not None for truth in truths)
    return "all" if known == len(truths) else "some" if known else "none"


def _counted(text: str | None, data: Data) -> str | None:
    if not text or text == "?":
        return None
    known = comparable(text)
    if known is None:
        data.left_out["texts in another script"] += 1
    return known


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            if "file" not in (table.fieldnames or ()) or not {"text", "plates"} & set(table.fieldnames or ()):
                raise UsageError(f"{path}: needs the columns 'file' and 'text' or 'plates'")
            for row in table:
                yield table.line_num, {key: value or "" for key, value in row.items() if isinstance(key, str)}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from error


def _texts(row: Row) -> list[str]:
    return [text for text in (row.get("plates") or row.get("text") or "").split("|") if text]


def _table_samples(path: Path, split: Split | None, kind: Kind | None, data: Data, seen: Counter[str]) -> Iterator[Sample]:
    for line, row in _rows(path):
        picture, where = path.parent / row["file"], f"{path}:{line}"
        if picture.suffix.lower() in VIDEOS:
            data.left_out["videos (give them with --clips)"] += 1
            continue
        if not _wanted(row.get("split", ""), split, seen):
            continue
        if not picture.is_file():
            raise UsageError(f"{where}: there is no picture {picture}")
        said = row.get("kind") or kind or ("crop" if "crops" in picture.absolute().parts[:-1] else "photo")
        if said not in ("photo", "crop"):
            raise UsageError(f"{where}: kind {said!r} is neither photo nor crop")
        texts = _texts(row)
        tags = _tags(row, where)
        if said == "crop":
            text = _counted(texts[0] if texts else None, data)
            yield Sample(picture, "crop", (Truth(text=text),), "none", row.get("source", ""), row.get("region", ""), tags)
            continue
        boxes = _boxes(picture, row, where)
        if boxes is None and not texts:
            data.left_out["pictures of which nothing is known"] += 1
            continue
        truths = tuple(_paired(boxes or [], [_counted(text, data) for text in texts]))
        boxed: Boxed = "none" if boxes is None else "all" if len(boxes) >= len(texts) else "some"
        yield Sample(picture, "photo", truths, boxed, row.get("source", ""), row.get("region", ""), tags)


def _tags(row: Row, where: str) -> frozenset[str]:
    try:
        return frozenset(checked_tags(row.get("tags", "").split(), PICTURE_TAGS))
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error


def _paired(boxes: Sequence[Box], texts: Sequence[str | None]) -> Iterator[Truth]:
    """Bring texts to boxes: in order if there are as many; else each stands alone, because nothing is guessed."""
    if len(boxes) == len(texts):
        yield from (Truth(box, text=text) for box, text in zip(boxes, texts, strict=True))
        return
    yield from (Truth(box) for box in boxes)
    yield from (Truth(text=text) for text in texts if text)


def _boxes(picture: Path, row: Row, where: str) -> list[Box] | None:
    """Give the boxes in pixels; None: not known."""
    given = row.get("boxes", "").strip()
    try:
        if given and not given.isdigit():
            return [_box(part) for part in given.split("|")]
        if labels := labels_of(picture):
            return _from_labels(labels, picture)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error
    # A table that has the column, and neither boxes nor texts in it, says that there is no plate.
    return [] if given == "0" or ("boxes" in row and not given and not _texts(row)) else None


def _box(part: str) -> Box:
    numbers = [float(word) for word in part.split()]
    if len(numbers) != 4:
        raise ValueError(f"boxes: {part!r} is not x1 y1 x2 y2")
    return Box(*numbers)


def _from_labels(labels: Path, picture: Path) -> list[Box]:
    found, problems = read_labels(labels, _keypoints_above(labels.parent))
    if problems:
        raise ValueError(str(problems[0]))
    width, height = _size(picture)
    return [Box(x1 * width, y1 * height, x2 * width, y2 * height) for x1, y1, x2, y2 in (label.clipped() for label in found)]


@cache
def _keypoints_above(folder: Path) -> tuple[int, int] | None:
    """Give the keypoints that labels in a folder have, as the nearest data.yaml above says; None: none. Raises ValueError."""
    for place in (folder, *list(folder.parents)[:_UP]):
        if (description := place / "data.yaml").is_file():
            try:
                content = yaml.safe_load(description.read_text("utf-8"))
            except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
                raise ValueError(f"{description} cannot be read ({error})") from error
            return keypoints(content, str(description)) if isinstance(content, dict) else None
    return None


def _size(picture: Path) -> tuple[int, int]:
    """Give width and height of a picture, turned as its EXIF data say, from its header alone."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(picture) as header:
            turned = header.getexif().get(_EXIF_ORIENTATION, 1) >= _FIRST_ON_ITS_SIDE
            return (header.height, header.width) if turned else (header.width, header.height)
    except (OSError, UnidentifiedImageError) as error:
        raise ValueError(f"{picture} cannot be read ({error})") from error
