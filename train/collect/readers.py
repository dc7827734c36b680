"""Which reader a source needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from streamer.errors import UsageError
from train.collect.ccpd import is_ccpd, read_ccpd
from train.collect.coco import is_coco, read_coco
from train.collect.crops import read_crops, text_of
from train.collect.found import Item, Options, pictures_in
from train.collect.log import read_events
from train.collect.table import read_table
from train.collect.video import VIDEOS, read_video
from train.collect.voc import read_voc
from train.collect.yolo import read_yolo

Reader = Callable[[Path, Options], Iterator[Item]]
_READERS: dict[str, Reader] = {
    "yolo": read_yolo, "voc": read_voc, "coco": read_coco, "ccpd": read_ccpd, "csv": read_table, "crops": read_crops, "log": read_events,
}  # fmt: skip
FORMATS = ("auto", *_READERS, "video")
_SAMPLE = 50
"""Names that are looked at to tell a folder's format."""


def read_source(source: Path, form: str, options: Options, frames: Path) -> Iterator[Item]:
    """Read a source in a format of ``FORMATS``; frames of videos are written into ``frames``. Raises UsageError."""
    if not source.exists():
        raise UsageError(f"{source}: there is no such file or folder")
    if form not in FORMATS:
        raise UsageError(f"--format {form}: known are {', '.join(FORMATS)}")
    form = detect_format(source) if form == "auto" else form
    return read_video(source, options, frames) if form == "video" else _READERS[form](source, options)


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
    stems = [picture.stem for picture in pictures_in(folder)[:_SAMPLE]]
    for form, fits in (("ccpd", is_ccpd), ("crops", text_of)):
        if stems and sum(map(bool, map(fits, stems))) > len(stems) / 2:
            return form
    return "video" if not stems and any(path.suffix.lower() in VIDEOS for path in folder.rglob("*")) else None
