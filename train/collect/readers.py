"""Which reader a source needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from streamer.errors import UsageError
from train.collect.ccpd import is_ccpd, read_ccpd
from train.collect.coco import is_coco, read_coco
from train.collect.crops import has_shape_of_crop, names_a_plate, read_crops
from train.collect.found import VIDEOS, Item, Options, Skipped, pictures_in, unread_in
from train.collect.labels import labels_of, looks_like_labels
from train.collect.log import read_events
from train.collect.table import read_table
from train.collect.video import read_video
from train.collect.voc import read_voc
from train.collect.yolo import read_yolo

Reader = Callable[[Path, Options], Iterator[Item]]
_READERS: dict[str, Reader] = {
    "yolo": read_yolo, "voc": read_voc, "coco": read_coco, "ccpd": read_ccpd, "csv": read_table, "crops": read_crops, "log": read_events,
}  # fmt: skip
FORMATS = ("auto", *_READERS, "video")
_OF_PICTURES = {"voc", "coco", "ccpd", "crops"}
"""Formats whose folders hold pictures; yolo looks itself."""
_SAMPLE = 24
"""Pictures that are looked at to tell a folder's format, from all of it."""


def read_source(source: Path, form: str, options: Options, frames: Path) -> Iterator[Item]:
    """Read a source in a format of ``FORMATS``; frames of videos are written into ``frames``. Raises UsageError."""
    if not source.exists():
        raise UsageError(f"{source}: there is no such file or folder")
    if form not in FORMATS:
        raise UsageError(f"--format {form}: known are {', '.join(FORMATS)}")
    form = detect_format(source) if form == "auto" else form
    if form == "video":
        return read_video(source, options, frames)
    items = _READERS[form](source, options)
    return chain(items, _unread(source)) if form in _OF_PICTURES and source.is_dir() else items


def _unread(folder: Path) -> Iterator[Skipped]:
    for path, reason in unread_in(folder):
        yield Skipped(path.relative_to(folder).as_posix(), "picture", reason)


def detect_format(source: Path) -> str:
    """Tell a format from names, and from the contents where names do not do. Raises UsageError if nothing fits."""
    form = _of_folder(source) if source.is_dir() else _of_file(source)
    if form is None:
        raise UsageError(f"{source}: its format cannot be told; name it with --format ({', '.join(FORMATS[1:])})")
    return form


def _of_file(file: Path) -> str | None:
    suffix = file.suffix.lower()
    if suffix in VIDEOS:
        return "video"
    known = {".csv": "csv", ".yaml": "yolo", ".yml": "yolo", ".jsonl": "log"}
    return known.get(suffix) or ("coco" if suffix == ".json" and is_coco(file) else None)


def _of_folder(folder: Path) -> str | None:
    if (folder / "data.yaml").is_file() or (folder / "labels").is_dir():
        return "yolo"
    if (folder / "events.jsonl").is_file() or any(folder.glob("events-*.jsonl")):
        return "log"
    if any(map(is_coco, folder.rglob("*.json"))):
        return "coco"
    if next(folder.rglob("*.xml"), None):
        return "voc"
    pictures = pictures_in(folder)
    if not pictures:
        return "video" if any(path.suffix.lower() in VIDEOS for path in folder.rglob("*")) else None
    sample = pictures[:: -(-len(pictures) // _SAMPLE)]
    if _most(is_ccpd(picture.stem) for picture in sample):
        return "ccpd"
    if any((labels := labels_of(picture)) and looks_like_labels(labels) for picture in pictures):
        return "yolo"
    if _most(names_a_plate(picture.stem) for picture in sample) and _most(map(has_shape_of_crop, sample)):
        return "crops"
    return None


def _most(answers: Iterable[bool]) -> bool:
    counts = Counter(map(bool, answers))
    return counts[True] > counts[False]
