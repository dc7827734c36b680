"""Items of any reader to rows of the manifest: pictures are opened, hashed, measured, merged with what is there, and written."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import SourceError, UsageError
from train.collect.found import Found, Item, Mark, Options, Points, Skipped, plate_text
from train.collect.licences import spdx
from train.manifest import Picture, Plate, read_manifest, write_manifest

_WORKERS = 4
_VIDEO_IN_NAME = re.compile(r"([^/\\]+\.(?:mp4|mkv|avi|mov|webm))[^/\\]*$", re.IGNORECASE)
"""Frames are often named after the video that they come from."""
_WORDS = ("picture", "text", "folder", "source")


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a collect did."""

    added: int
    replaced: int
    total: int
    """Rows in the manifest now."""
    skipped: tuple[Skipped, ...]
    pictures: tuple[Picture, ...]
    """Those of this collect."""


def gather(
    items: Iterable[Item],
    name: str,
    manifest: Path,
    options: Options,
    *,
    copy: bool = False,
    tick: Callable[[int, int], object] = lambda done, total: None,
) -> Gathered:
    """Write what a reader gives into ``manifest``, which may be there already, and what was left out into ``skipped_file(manifest)``.

    A row whose file is in the manifest replaces that row; what an earlier collect of the source ``name`` left out is replaced too.
    ``copy``: the pictures are copied to images/ beside the manifest. ``tick`` gets pictures done and in all. Raises UsageError.
    """
    group_by = _compiled(options.group_by)
    old = {row.file: row for row in read_manifest(manifest)} if manifest.exists() else {}
    listed = list(items)
    skipped = [item for item in listed if isinstance(item, Skipped)]
    pictures = [item for item in listed if isinstance(item, Found)]
    new: dict[str, Picture] = {}
    for done, (found, made) in enumerate(_open_all(pictures, manifest, options, group_by, copy), 1):
        tick(done, len(pictures))
        if isinstance(made, Skipped):
            skipped.append(made)
            continue
        picture, notes = made
        skipped += notes
        if picture.file in new:
            skipped.append(Skipped(found.where, "picture", f"{picture.file} came twice in this collect; the later one counts"))
        new[picture.file] = picture
    write_manifest(manifest, {**old, **new}.values())
    _write_skipped(skipped_file(manifest), name, skipped)
    replaced = len(old.keys() & new.keys())
    return Gathered(len(new) - replaced, replaced, len(old.keys() | new.keys()), tuple(skipped), tuple(new.values()))


Made = tuple[Picture, list[Skipped]] | Skipped


def _open_all(
    found: Sequence[Found], manifest: Path, options: Options, group_by: re.Pattern[str] | None, copy: bool
) -> Iterable[tuple[Found, Made]]:
    def one(item: Found) -> Made:
        return _row(item, manifest, options, group_by, copy)

    with ThreadPoolExecutor(min(_WORKERS, os.cpu_count() or 1)) as pool:
        yield from zip(found, pool.map(one, found), strict=True)


def _row(found: Found, manifest: Path, options: Options, group_by: re.Pattern[str] | None, copy: bool) -> Made:
    from streamer.stills import load_picture

    try:
        data = found.path.read_bytes()
        height, width = load_picture(found.path).shape[:2]
    except (SourceError, OSError) as error:
        return Skipped(found.where, "picture", str(error))
    digest = hashlib.sha256(data).hexdigest()
    if found.sha256 and found.sha256 != digest:
        return Skipped(found.where, "picture", f"{found.path}: is not the file that was recorded (its SHA-256 differs)")
    if found.size and found.size != (width, height):
        said = "x".join(map(str, found.size))
        return Skipped(found.where, "picture", f"its labels were made for {said} pixels, the picture has {width}x{height}")
    scale = (width, height) if found.unit == "shares" else (1, 1)
    notes: list[Skipped] = []
    plates = tuple(_plate(mark, scale, found.where, notes, options.letters) for mark in found.marks)
    if wrong := [plate.box for plate in plates if plate.box and not _touches(plate.box, width, height)]:
        box = " ".join(f"{edge:g}" for edge in wrong[0])
        return Skipped(found.where, "picture", f"box {box} has no area in the picture of {width}x{height} pixels; its labels are wrong")
    place = _copied(found.path, digest, manifest.parent) if copy else found.path
    licence = spdx(options.licence) if found.licence is None else found.licence
    return Picture(
        file=_relative(place, manifest.parent), sha256=digest, width=width, height=height, kind=found.kind,
        source=found.source or options.source or found.path.parent.name, licence=licence, region=found.region or options.region,
        group=_group(found, options, group_by, _relative(found.path, manifest.parent)), split=options.split or found.split, plates=plates,
        tags=found.tags,
    ), notes  # fmt: skip


def _touches(box: tuple[float, float, float, float], width: int, height: int) -> bool:
    x1, y1, x2, y2 = box
    return min(x2, width) > max(x1, 0) and min(y2, height) > max(y1, 0)


def _plate(mark: Mark, scale: tuple[int, int], where: str, notes: list[Skipped], letters: str) -> Plate:
    text, legible, wrong = plate_text(mark.text, letters)
    if wrong:
        notes.append(Skipped(where, "text", wrong))
    box = None
    if mark.box is not None:
        (x1, y1), (x2, y2) = _scaled((mark.box[:2], mark.box[2:]), scale)
        box = (x1, y1, x2, y2)
    return Plate(box, None if mark.corners is None else _scaled(mark.corners, scale), text, legible)


def _scaled(points: Points, scale: tuple[int, int]) -> Points:
    return tuple((round(x * scale[0], 2), round(y * scale[1], 2)) for x, y in points)


def _group(found: Found, options: Options, group_by: re.Pattern[str] | None, path: str) -> str:
    """Give the group of a picture: as the source says, a pattern, its sub-folder or a video's name in its own does. Empty: its own.

    ``path``: relative to the manifest, so that groups are the same on every machine.
    """
    name = (found.original or path).replace("\\", "/")
    if found.group:
        return found.group
    if group_by is not None:
        match = group_by.search(name)
        if match is None:
            return ""
        return f"{found.source or options.source}:{'/'.join(part for part in match.groups() if part) or match[0]}"
    if options.group_by == "picture":
        return ""
    if options.group_by == "text":
        return " ".join(sorted({mark.text for mark in found.marks if mark.text and "?" not in mark.text}))
    if options.group_by == "folder":
        return Path(name).parent.as_posix()
    if options.group_by == "source":
        return found.source or options.source or found.path.parent.name
    video = _VIDEO_IN_NAME.search(name)
    return found.nearby or (f"video {video[1]}" if video else "")


def _compiled(group_by: str) -> re.Pattern[str] | None:
    if not group_by or group_by in _WORDS:
        return None
    try:
        return re.compile(group_by)
    except re.error as error:
        raise UsageError(f"--group-by {group_by}: is no regular expression ({error}) and none of {', '.join(_WORDS)}") from error


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()


def _copied(path: Path, digest: str, folder: Path) -> Path:
    """Copy a picture into images/; two pictures of one name get their SHA-256 into it."""
    target = folder / "images" / f"{path.stem}-{digest[:10]}{path.suffix}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".part")
        shutil.copyfile(path, partial)
        partial.replace(target)
    return target


def skipped_file(manifest: Path) -> Path:
    """Give where it is listed what a manifest's collects left out."""
    return manifest.with_suffix(".skipped.csv")


def _write_skipped(path: Path, name: str, skipped: Sequence[Skipped]) -> None:
    """List what was left out; what other sources left out stays."""
    others: list[list[str]] = []
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            others = [row for row in csv.reader(file) if row and row[0] not in ("source", name)]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("source", "where", "what", "reason"))
        table.writerows([*others, *((name, row.where, row.what, row.reason) for row in skipped)])
