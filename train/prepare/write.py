"""Writes the data set."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from streamer.errors import SourceError, UsageError
from streamer.types import Image
from train.augment import TYPICAL, Augment
from train.collect.found import Skipped
from train.manifest import Picture, Split
from train.prepare.boxes import Labelled, letterboxed, paint_over, place_boxes, placement
from train.prepare.sources import Entry, class_names, entries
from train.settle import VAL, Settled, settle

QUALITY = 95
"""Of the JPEG files."""
SKIPPED = "skipped.csv"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a data set is made."""

    input_size: int = 640
    """Side of the square pictures, pixels, multiple of 32."""
    val: float = VAL
    """Share of the groups that validate, where the manifest gives no split."""
    seed: int = 0
    """Of the augmented copies."""
    min_height: float = 4.0
    """Boxes lower than this in the square, in pixels, are painted grey: too small to learn from, and no background either. 0: keep all."""
    characters: bool = False
    """36 classes from crops instead of plates from photos."""
    licensed: bool = False
    """Only pictures whose licence is known."""
    copies: int = 0
    """Augmented copies of each training picture."""
    augment: Augment = TYPICAL
    """What copies go through."""
    corners: bool = False
    """Labels with the four corners of each plate, for a network that finds them."""


@dataclass(slots=True)
class Prepared:
    """What was written."""

    data: Path
    """data.yaml."""
    pictures: Counter[Split] = field(default_factory=Counter)
    boxes: Counter[Split] = field(default_factory=Counter)
    groups: Counter[Split] = field(default_factory=Counter)
    copies: int = 0
    clipped: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def prepare(
    manifests: Sequence[Sequence[Picture]],
    folder: Path,
    out: Path,
    settings: Settings,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Prepared:
    """Write ``out/images/SPLIT``, ``out/labels/SPLIT``, ``out/data.yaml`` and ``out/skipped.csv`` from manifests' rows.

    ``folder``: what the file names of all are relative to. ``tick`` is told how many pictures of how many are done.
    The same rows and settings give the same files. Raises UsageError if there is nothing to train or to validate on, if the
    settings make no sense, or if ``out`` holds a data set already.
    """
    if settings.input_size < 32 or settings.input_size % 32:
        raise UsageError(f"--input-size {settings.input_size}: must be a multiple of 32, such as 416 or 640")
    if not 0 < settings.val < 1:
        raise UsageError(f"--val {settings.val}: must lie between 0 and 1")
    if (out / "data.yaml").exists() or (out / "images").exists():
        raise UsageError(f"{out}: holds a data set already; name a new folder, or remove it")
    if settings.corners and (settings.characters or settings.copies):
        raise UsageError("--corners goes neither with --characters nor with --augment")
    settled = settle(manifests, settings.val)
    done = Prepared(out / "data.yaml", remarks=_remarks(settled, settings.val))
    found: list[Entry] = []
    for item in entries(settled.rows, folder, characters=settings.characters, licensed=settings.licensed):
        if isinstance(item, Entry):
            found.append(item)
        else:
            done.skipped.append(item)
    splits = [entry.split for entry in found]
    _demand_both(splits, done, "the manifest")
    copier = settings.augment.copies() if settings.copies else None
    seen: dict[Split, set[str]] = {}
    for number, entry in enumerate(found, 1):
        if _write(entry, out, settings, copier, done):
            seen.setdefault(entry.split, set()).add(entry.group)
        tick(number, len(found))
    _demand_both([split for split in splits if done.pictures[split]], done, "what could be read of the manifest")
    done.groups = Counter({split: len(groups) for split, groups in seen.items()})
    _describe(out, settings, done)
    return done


def _remarks(settled: Settled, share: float) -> list[str]:
    if settled.drawn and share < VAL:
        leak = (
            f"fewer than the {VAL:g} that evaluate, promote and reader keep back: their figures would count pictures that were trained on"
        )
        return [*settled.remarks, f"{share:g} of the groups validate, {leak}"]
    return list(settled.remarks)


def _write(entry: Entry, out: Path, settings: Settings, copier: Any, done: Prepared) -> bool:
    """Write one picture with its labels and copies; False if it cannot be read, or its labels are wrong."""
    from streamer.stills import load_picture

    try:
        picture = load_picture(entry.path)
    except SourceError as error:
        done.skipped.append(Skipped(entry.name, "picture", str(error)))
        return False
    split = entry.split
    at = placement(picture.shape[1], picture.shape[0], settings.input_size)
    placed = place_boxes(entry.labels, at, settings.min_height)
    if placed.outside:  # without them the picture would teach that a plate is background
        reason = f"{placed.outside} boxes have no area in the picture: its labels are wrong"
        done.skipped.append(Skipped(str(entry.path), "picture", reason))
        return False
    done.clipped += placed.clipped
    if placed.small:
        reason = f"{len(placed.small)} boxes are lower than {max(1, settings.min_height):g} pixels at this size; painted grey"
        done.skipped.append(Skipped(entry.name, "object", reason))
    square = paint_over(letterboxed(picture, at), placed.small, placed.kept)
    _save(out, split, entry.name, square, placed.kept, settings.corners)
    done.pictures[split] += 1
    done.boxes[split] += len(placed.kept)
    if split == "train" and copier is not None:
        for number in range(1, settings.copies + 1):
            _save(out, split, f"{entry.name}_aug{number}", *_copy(copier, square, placed.kept, f"{settings.seed}/{entry.name}/{number}"))
            done.copies += 1
    return True


def _copy(copier: Any, square: Image, labels: Sequence[Labelled], seed: str) -> tuple[Image, list[Labelled]]:
    copier.set_random_seed(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big"))
    made = copier(image=square, bboxes=[label.box for label in labels], labels=[label.number for label in labels])
    boxes = []
    for box, number in zip(made["bboxes"], made["labels"], strict=True):
        x1, y1, x2, y2 = map(float, box)
        boxes.append(Labelled(int(number), (x1, y1, x2, y2)))
    return made["image"], boxes


def _save(out: Path, split: Split, name: str, square: Image, labels: Sequence[Labelled], corners: bool = False) -> None:
    import cv2

    for kind in ("images", "labels"):
        (out / kind / split).mkdir(parents=True, exist_ok=True)
    quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    (out / "images" / split / f"{name}.jpg").write_bytes(cv2.imencode(".jpg", square, quality)[1].tobytes())
    lines = "".join(label.line(square.shape[1], square.shape[0], corners) + "\n" for label in labels)
    (out / "labels" / split / f"{name}.txt").write_text(lines, "utf-8")


def _describe(out: Path, settings: Settings, done: Prepared) -> None:
    names = dict(enumerate(class_names(settings.characters)))
    # No path: both ultralytics and plate-train take what is relative from where the file lies, so that the folder may be moved.
    content: dict[str, Any] = {"train": "images/train", "val": "images/val"}
    if done.pictures["test"]:
        content["test"] = "images/test"
    if settings.corners:
        content |= {"kpt_shape": [4, 3], "flip_idx": [1, 0, 3, 2]}  # mirrored, the left corners are the right ones
    done.data.write_text(yaml.safe_dump(content | {"names": names}, sort_keys=False), "utf-8")
    with (out / SKIPPED).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("where", "what", "reason"))
        writer.writerows((skipped.where, skipped.what, skipped.reason) for skipped in done.skipped)


def _demand_both(splits: Sequence[Split], done: Prepared, what: str) -> None:
    if missing := [split for split in ("train", "val") if split not in splits]:
        reasons = Counter(row.reason for row in done.skipped if row.what == "picture")
        left_out = "".join(f"; left out: {count} x {reason}" for reason, count in reasons.most_common(3))
        raise UsageError(
            f"{what} has no picture to {' or '.join('train on' if m == 'train' else 'validate on' for m in missing)} "
            f"({len(splits)} usable pictures); at least two groups are needed: vehicles, clips, sub-folders; if one folder shows many "
            f"vehicles, collect it again with --group-by picture{left_out}"
        )
