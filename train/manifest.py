"""The manifest of a data set: one JSON object a line, one line a picture. What collect writes and everything else reads.

A line::

    {"file": "images/0001.webp", "sha256": "...", "width": 1280, "height": 720, "kind": "photo", "source": "owner/name",
     "licence": "MIT", "region": "GB", "group": "clip-17", "split": "train",
     "tags": ["night"], "plates": [{"box": [x1, y1, x2, y2], "corners": null, "text": "AB12CDE", "legible": true, "tags": ["two-line"]}]}

Tags say what nothing else in the row tells; evaluate and promote count plates by them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from streamer.errors import UsageError

Kind = Literal["photo", "crop"]
Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
PLATE_TAGS = ("two-line", "one-line", "slanted")
"""What can be said about a plate; of a picture: about all its plates."""
PICTURE_TAGS = (*PLATE_TAGS, "night", "day")
_OPPOSITES = ({"two-line", "one-line"}, {"night", "day"})


@dataclass(frozen=True, slots=True)
class Plate:
    """A plate in a picture."""

    box: tuple[float, float, float, float] | None = None
    """x1, y1, x2, y2 in pixels of the picture; None: not known, or the picture is a crop of the plate."""
    corners: tuple[tuple[float, float], ...] | None = None
    """x, y of the four corners in pixels, from the plate's own top left one clockwise."""
    text: str | None = None
    """Plate characters, A-Z and 0-9 (and what collect --letters keeps), lines joined; ``*``: one outside the alphabet. None: not known."""
    legible: bool = True
    """False: a person looked and could not read it, which is not the same as an unknown text."""
    tags: tuple[str, ...] = ()
    """Of PLATE_TAGS."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and what is in it."""

    file: str
    """Path relative to the manifest, with ``/``."""
    sha256: str
    width: int
    height: int
    kind: Kind = "photo"
    source: str = ""
    """Where it comes from: owner/name of a data set, a camera, a folder."""
    licence: str = ""
    """SPDX name if it has one; empty: not known, which means that no weights trained on it may ship."""
    region: str = ""
    """Country code, or a wider name."""
    group: str = ""
    """Vehicle, clip or source: pictures of one group never come into different splits."""
    split: Split | None = None
    tags: tuple[str, ...] = ()
    """Of PICTURE_TAGS."""
    plates: tuple[Plate, ...] = ()


def read_manifest(path: Path) -> list[Picture]:
    """Read a manifest. Raises UsageError naming file, line and what is wrong."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); make it with plate-train collect") from error
    return [_picture(line, path, number) for number, line in enumerate(lines, 1) if line.strip()]


def write_manifest(path: Path, pictures: Iterable[Picture]) -> None:
    """Write a manifest, in order of the file names, so that two runs over the same data give the same bytes."""
    rows = sorted(pictures, key=lambda picture: picture.file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows), "utf-8")


def tags_of_lines(count: int) -> tuple[str, ...]:
    """Give the tags of a plate with so many lines of characters."""
    return ("one-line",) if count == 1 else ("two-line",)


def _picture(line: str, path: Path, number: int) -> Picture:
    try:
        row = json.loads(line)
        plates = tuple(_plate(plate) for plate in row.pop("plates", ()))
        tags = checked_tags(row.pop("tags", ()), PICTURE_TAGS)
        picture = Picture(plates=plates, tags=tags, **row)
    except (json.JSONDecodeError, TypeError, ValueError, KeyError) as error:
        raise UsageError(f"{path}:{number}: is no row of a manifest ({error})") from error
    if picture.split not in (None, *SPLITS) or picture.kind not in ("photo", "crop"):
        raise UsageError(f"{path}:{number}: split must be one of {', '.join(SPLITS)} and kind photo or crop")
    return picture


def _plate(row: dict[str, Any]) -> Plate:
    box, corners = row.get("box"), row.get("corners")
    if box is not None:
        x1, y1, x2, y2 = map(float, box)
        row["box"] = (x1, y1, x2, y2)
    if corners is not None:
        row["corners"] = tuple((float(x), float(y)) for x, y in corners)
        if len(row["corners"]) != 4:
            raise ValueError("corners must be four points")
    row["tags"] = checked_tags(row.get("tags", ()), PLATE_TAGS)
    return Plate(**row)


def checked_tags(tags: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Give tags as they are. Raises ValueError naming one that is not known, and two that exclude each other."""
    if isinstance(tags, str) or not all(isinstance(tag, str) for tag in tags):
        raise ValueError(f"tags must be a list of words, not {tags!r}")
    for tag in tags:
        if tag not in known:
            raise ValueError(f"tag {tag!r} is not known; use {', '.join(known)}")
    for pair in _OPPOSITES:
        if pair <= set(tags):
            raise ValueError(f"tags {' and '.join(sorted(pair))} exclude each other")
    return tuple(tags)
