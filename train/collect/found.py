"""What the readers of the formats give: pictures with what is known about them, and what was left out with its reason (pure)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from streamer.plates import ALPHABET, normalise
from train.manifest import Kind, Split

Unit = Literal["pixels", "shares"]
Points = tuple[tuple[float, float], ...]

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".bin"})
OUTSIDE = "*"
"""Stands for a character outside the alphabet."""
UNREADABLE = "?"
"""As a whole text: a plate whose text nobody could read."""
VIDEOS = frozenset({".mp4", ".mkv", ".avi", ".mov", ".webm", ".ts", ".m4v", ".mpg", ".mpeg"})
_NO_PICTURES = frozenset(
    {
        ".txt", ".xml", ".json", ".jsonl", ".csv", ".tsv", ".yaml", ".yml", ".names", ".data", ".labels", ".cfg", ".ini", ".md", ".rst",
        ".html", ".pdf", ".cache", ".log", ".db", ".py", ".ipynb", ".sh", ".zip", ".gz", ".tar", ".npy", ".npz", ".pt", ".onnx", ".pkl",
        ".xls", ".xlsx", ".part", ".bak",
    }
)  # fmt: skip
_YEAR = re.compile(r"[_-]?20\d\d$")
_LAYOUT = re.compile(r"(images?|imgs?|labels?|annotations?|jpegimages|frames|obj_\w+_data)$", re.IGNORECASE)
"""Folders that tell what lies in them, not what belongs together."""
_SPLIT_NAMES: dict[str, Split] = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "testing": "test",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """What the user says about the data as a whole; what the data say themselves goes before it."""

    source: str = ""
    licence: str = ""
    region: str = ""
    group_by: str = ""
    """Regular expression on the original name (else the path, relative to the manifest), or one of ``picture``, ``text``,
    ``folder``, ``source``."""
    split: Split | None = None
    classes: tuple[str, ...] = ()
    """Names of the classes that are plates; empty: those that sound like it."""
    every_s: float = 1.0
    """Seconds between the frames that are taken out of a video."""
    corrections: Path | None = None
    trust: float | None = None
    """Score from which the product's own texts are believed without a person's look; None: never."""
    in_order: bool = False
    """Several texts of a picture are in the order of its boxes."""
    backgrounds: bool = False
    """A picture without a label file is one without plates."""
    letters: str = ""
    """Capitals beyond A-Z that texts keep, for a reader that is to learn them; others become a plain letter, or ``*``."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A plate as a data set describes it."""

    box: tuple[float, float, float, float] | None = None
    """x1, y1, x2, y2."""
    corners: Points | None = None
    """Four points, from the plate's own top left one clockwise."""
    text: str | None = None
    """As written in the data set; ``?``: illegible; None: not known."""


@dataclass(frozen=True, slots=True)
class Found:
    """A picture of a data set. Empty fields are filled from the options."""

    path: Path
    where: str
    """The row that it came from, for messages: ``labels.csv:12``."""
    marks: tuple[Mark, ...] = ()
    unit: Unit = "pixels"
    """Boxes and corners in pixels of the upright picture, or in shares of its width and height."""
    size: tuple[int, int] | None = None
    """Width and height that the labels were made for, where they say so."""
    kind: Kind = "photo"
    original: str = ""
    """The name that groups are told by; empty: the path."""
    source: str = ""
    licence: str | None = None
    """As written; None: not said. Told apart because a licence that is said to be unknown is not the user's general one."""
    region: str = ""
    group: str = ""
    nearby: str = ""
    """Group that its folder or its name suggests: where nobody says another one."""
    split: Split | None = None
    tags: tuple[str, ...] = ()
    """As in the manifest."""
    sha256: str = ""
    """What the file must have, where the source tells."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that is not in the manifest, or not as the source has it."""

    where: str
    what: str
    """``picture``, ``object``, ``text``, ``licence``, ``correction``, ``event``."""
    reason: str


Item = Found | Skipped


def plate_text(raw: str | None, letters: str = "") -> tuple[str | None, bool, str]:
    """Give the text for the manifest, whether the plate is legible, and why a text was left out (empty: it was not).

    Spaces, hyphens and the like are dropped; a character that neither the alphabet nor ``letters`` has anything for becomes ``*``,
    so that the length stays true.
    """
    written = (raw or "").strip()
    if not written:
        return None, True, ""
    if set(written) == {UNREADABLE}:
        return None, False, ""
    if UNREADABLE in written:
        return None, True, f"{raw!r} has unread characters"
    text = "".join(c.upper() if c.upper() in letters else _letter(c) for c in unicodedata.normalize("NFC", written))
    return (text, True, "") if text else (None, True, f"{raw!r} holds no plate characters")


def _letter(character: str) -> str:
    known = normalise(character)
    if known or character == OUTSIDE:
        return known or OUTSIDE
    return "" if unicodedata.category(character)[0] in "ZPSCM" else OUTSIDE


def is_plate_text(text: str, letters: str = "") -> bool:
    """Tell whether a text has manifest characters only."""
    return bool(text) and set(text) <= {*ALPHABET, *letters, OUTSIDE}


def paired(boxes: Sequence[Mark], texts: Sequence[str], *, in_order: bool) -> tuple[Mark, ...]:
    """Bring texts to boxes that came without: one to one, or in order if the source says that they are.

    Else the boxes stay without text and the texts become plates without a box: nothing is guessed.
    """
    if len(boxes) == len(texts) and (in_order or len(texts) == 1):
        return tuple(replace(mark, text=text or None) for mark, text in zip(boxes, texts, strict=True))
    return (*boxes, *(Mark(text=text) for text in texts if text))


def extent(points: Iterable[tuple[float, float]]) -> tuple[float, float, float, float]:
    """Give the upright box around points."""
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def clockwise(points: Points) -> Points:
    """Bring four corners into clockwise order (y downwards) from the top left one, as a plate turned less than 45° has them."""
    import math

    cx, cy = sum(x for x, _ in points) / 4, sum(y for _, y in points) / 4
    ring = sorted(points, key=lambda p: math.atan2(p[1] - cy, p[0] - cx))
    first = min(range(4), key=lambda i: ring[i][0] + ring[i][1])
    return tuple(ring[first:] + ring[:first])


def split_in(path: Path) -> Split | None:
    """Tell the split from the folders of a path: the deepest that is named like one."""
    return next((split for part in reversed(path.parts[:-1]) if (split := split_of(part))), None)


def split_of(name: str) -> Split | None:
    """Give the split that a word means, as ``valid`` or ``train2017``. None: none."""
    return _SPLIT_NAMES.get(_YEAR.sub("", name.strip().lower()))


def group_in(below: Path, source: Path) -> str:
    """Give the group that the sub-folders of a path make, ``below`` a source: of one vehicle, one clip. Empty: it lies in none.

    Folders named like a split or a part of a data set (``images``) do not count.
    """
    folders = [part for part in below.parts[:-1] if part != ".." and split_of(part) is None and not _LAYOUT.match(part)]
    return "/".join((source.resolve().name, *folders)) if folders else ""


def pictures_in(folder: Path) -> list[Path]:
    """List the pictures of a folder and its subfolders, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES and path.is_file())


def unread_in(folder: Path) -> Iterator[tuple[Path, str]]:
    """Give the files of a folder and its subfolders that may be pictures and are not among ``pictures_in``, and why not, sorted."""
    for path in sorted(folder.rglob("*")):
        kind = path.suffix.lower()
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if kind in PICTURES | _NO_PICTURES or not kind or hidden or not path.is_file():
            continue
        if kind in VIDEOS:
            yield path, "is a video; collect it by itself for its frames"
        else:
            yield path, f"is no picture that can be read ({kind}); save it as JPEG or PNG"


def plate_classes(names: Sequence[str], wanted: Sequence[str], where: str) -> set[int]:
    """Give the numbers of the classes that are plates. Raises UsageError if that cannot be told."""
    from streamer.errors import UsageError

    if wanted:
        if missing := sorted(set(wanted) - set(names)):
            raise UsageError(f"{where}: has no class {', '.join(missing)}; its classes are {', '.join(names)}")
        return {number for number, name in enumerate(names) if name in wanted}
    if len(names) <= 1:
        return set(range(len(names)))
    if found := {number for number, name in enumerate(names) if "plate" in name.lower() or name.lower() in ("lp", "licence", "license")}:
        return found
    raise UsageError(f"{where}: none of its classes sounds like a plate; name it with --class ({', '.join(names)})")
