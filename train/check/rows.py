"""Checks that look at one row at a time: file, boxes, texts, licence (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterator

from streamer.plates import ALPHABET, FormatBook, known_countries
from train.check.finding import Entry, Finding, Level, Look
from train.manifest import Plate

OUTSIDE_PX = 2.0
"""Pixels by which a box may leave the picture: rounding of the labels."""
TINY_PX = (12.0, 5.0)
"""Width and height below which nothing can be read and hardly anything found."""
ASPECTS = (0.6, 8.0)
"""Width over height that plates have: two-line ones of motorcycles down to 0.8, long European ones 4.7, slanted ones anything between."""
CROP_ASPECTS = (0.5, 12.0)
LARGEST = 0.5
"""Share of a photograph that a plate may take up."""
LENGTHS = (2, 12)
STAR = "*"


def check_row(entry: Entry, look: Look | str, books: Books) -> Iterator[Finding]:
    """Look for everything that can be wrong with one row."""
    picture = entry.picture
    if isinstance(look, str):
        yield _finding("error", "unreadable", look, entry)
        return
    if picture.sha256 and look.sha256 != picture.sha256:
        yield _finding("error", "changed file", "its SHA-256 is not the one in the manifest: collect it again", entry)
    if (picture.width, picture.height) != (look.width, look.height):
        said = f"{picture.width}x{picture.height} in the manifest, {look.width}x{look.height} in the file"
        yield _finding("error", "wrong size", said, entry)
    if not picture.licence:
        yield _finding("note", "no licence", "licence not known: weights trained on it may not ship", entry)
    if picture.split is None:
        yield _finding("note", "no split", "is in no split yet; prepare will choose one", entry)
    if picture.kind == "crop" and len(picture.plates) > 1:
        yield _finding("error", "several plates in a crop", f"{len(picture.plates)} plates", entry)
    if picture.kind == "crop" and not CROP_ASPECTS[0] <= look.width / look.height <= CROP_ASPECTS[1]:
        yield _finding("warning", "absurd crop", f"{look.width}x{look.height} pixels", entry)
    if picture.kind == "photo" and any(plate.box is None for plate in picture.plates):
        yield _finding(
            "note", "not fully labelled", "has plates without a box: neither for the detector nor a picture without plates", entry
        )
    for number, plate in enumerate(picture.plates):
        yield from _boxes(entry, number, plate)
        yield from _text(entry, number, plate, books)
    yield from _same_box(entry)


class Books:
    """Country formats, compiled once for each region."""

    def __init__(self) -> None:
        self._all = FormatBook.load()
        self._known = frozenset(known_countries())
        self._books: dict[str, FormatBook] = {}

    def fits(self, text: str, region: str) -> tuple[bool, str]:
        """Tell whether a text fits a format of its region, and whose formats were looked at; of all countries if the region is none."""
        name = region.strip().upper()
        if name not in self._known:
            return self._fits(self._all, text), "any country"
        if name not in self._books:
            self._books[name] = FormatBook.load([name], only=True)
        return self._fits(self._books[name], text), name

    @staticmethod
    def _fits(book: FormatBook, text: str) -> bool:
        return any(candidate.plate == text and candidate.fits for candidate in book.rank(text))


def _boxes(entry: Entry, number: int, plate: Plate) -> Iterator[Finding]:
    if plate.box is None:
        return
    x1, y1, x2, y2 = plate.box
    picture = entry.picture
    if not all(map(math.isfinite, plate.box)) or x2 <= x1 or y2 <= y1:
        yield _finding("error", "empty box", f"box {_round(plate.box)} has no area", entry, number)
        return
    beyond = max(-x1, -y1, x2 - picture.width, y2 - picture.height)
    if beyond > OUTSIDE_PX:
        yield _finding("error", "box outside", f"box {_round(plate.box)} leaves the picture by {beyond:.0f} px", entry, number, beyond)
    for x, y in plate.corners or ():
        outside = max(x1 - x, y1 - y, x - x2, y - y2)
        if outside > max(OUTSIDE_PX, 0.25 * (x2 - x1)):
            yield _finding("error", "corner far from box", f"corner {x:.0f}, {y:.0f} is {outside:.0f} px off", entry, number, outside)
            break
    width, height = x2 - x1, y2 - y1
    if width < TINY_PX[0] or height < TINY_PX[1]:
        yield _finding("warning", "tiny box", f"{width:.0f} x {height:.0f} px", entry, number, -width * height)
    aspect = width / height
    if not ASPECTS[0] <= aspect <= ASPECTS[1]:
        away = max(aspect / ASPECTS[1], ASPECTS[0] / aspect)
        yield _finding("warning", "absurd aspect", f"{width:.0f} x {height:.0f} px, aspect {aspect:.2f}", entry, number, away)
    share = width * height / max(1, picture.width * picture.height)
    if share > LARGEST:
        yield _finding("warning", "huge box", f"takes up {share:.0%} of the picture", entry, number, share)


def _text(entry: Entry, number: int, plate: Plate, books: Books) -> Iterator[Finding]:
    text = plate.text
    if text is None:
        return
    if not plate.legible:
        yield _finding("error", "text of an illegible plate", f"{text!r} is given, and that nobody can read it", entry, number)
    added = {character for character in text if character.isalpha() and character == character.upper()}  # collect --letters
    if wrong := sorted(set(text) - {*ALPHABET, *added, STAR}):
        yield _finding(
            "error", "impossible text", f"{text!r} has {' '.join(map(repr, wrong))}; only capitals, digits and * may", entry, number
        )
        return
    if not LENGTHS[0] <= len(text) <= LENGTHS[1]:
        yield _finding("error", "impossible text", f"{text!r} has {len(text)} characters", entry, number, len(text))
        return
    if set(text) == {STAR}:
        yield _finding("warning", "doubtful text", f"{text!r} has nothing in the alphabet", entry, number)
    elif len(text) > 3 and len(set(text)) == 1:
        yield _finding("warning", "doubtful text", f"{text!r} is one character all through", entry, number)
    elif set(text) - set(ALPHABET):
        yield _finding("note", "characters outside the alphabet", f"{text!r}", entry, number)
    elif not (answer := books.fits(text, entry.picture.region))[0]:
        yield _finding("note", "no country format", f"{text!r} fits no format of {answer[1]}", entry, number)


def _same_box(entry: Entry) -> Iterator[Finding]:
    boxes = [(number, plate.box) for number, plate in enumerate(entry.picture.plates) if plate.box is not None]
    for place, (number, a) in enumerate(boxes):
        for _, b in boxes[:place]:
            shared = _iou(a, b)
            if shared > 0.5:
                yield _finding("error", "same plate twice", f"two boxes overlap by {shared:.0%}", entry, number, shared)


def _iou(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return width * height / (sum(areas) - width * height)


def _round(box: tuple[float, ...]) -> str:
    return " ".join(f"{edge:.0f}" for edge in box)


def _finding(level: Level, kind: str, message: str, entry: Entry, plate: int | None = None, weight: float = 0.0) -> Finding:
    return Finding(level, kind, message, (entry.picture.file,), plate, weight)
