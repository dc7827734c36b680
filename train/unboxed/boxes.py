"""The table of suggested boxes: written, marked by a person, read, and added to a manifest's rows."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from streamer.errors import UsageError
from streamer.types import Box
from train.evaluate.boxes import iou
from train.manifest import Picture, Plate

XYXY = tuple[float, float, float, float]
COLUMNS = ("number", "file", "sha256", "box", "score", "keep")
KEEP, DROP = "y", "n"
APART = 0.1
"""Overlap (intersection over union) below which a box lies beside a plate."""
SAME = 0.3
"""Overlap from which a box is one that is there already."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A box that a detector gave where the data have none."""

    number: int
    """As on the sheets."""
    file: str
    """For people: the picture is known by its sha256, wherever it lies."""
    sha256: str
    box: XYXY
    """x1, y1, x2, y2 in pixels."""
    score: float
    keep: bool | None = None
    """What a person said; None: nothing yet."""


def is_new(box: XYXY, plates: Iterable[Plate]) -> bool:
    """Whether a box lies apart from all plates: a loose box of a plate is that plate's."""
    return all(plate.box is None or iou(Box(*box), Box(*plate.box)) < APART for plate in plates)


def add(rows: Sequence[Picture], suggestions: Iterable[Suggestion]) -> tuple[list[Picture], int, list[str]]:
    """Give the rows with the boxes that are to be kept, how many came in, and the files of which there is no row.

    What is there already does not come in again.
    """
    wanted: dict[str, list[Suggestion]] = defaultdict(list)
    for suggestion in suggestions:
        if suggestion.keep:
            wanted[suggestion.sha256].append(suggestion)
    added, result = 0, []
    for row in rows:
        plates = row.plates
        for suggestion in wanted.pop(row.sha256, ()):
            known = (Box(*plate.box) for plate in plates if plate.box is not None)
            if all(iou(Box(*suggestion.box), box) < SAME for box in known):
                plates, added = (*plates, Plate(box=suggestion.box)), added + 1
        result.append(replace(row, plates=plates))
    return result, added, sorted({suggestion.file for rest in wanted.values() for suggestion in rest})


def write_suggestions(path: Path, suggestions: Iterable[Suggestion]) -> None:
    """Write the table."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(COLUMNS)
        for s in suggestions:
            keep = "" if s.keep is None else KEEP if s.keep else DROP
            table.writerow((s.number, s.file, s.sha256, " ".join(f"{side:.1f}" for side in s.box), f"{s.score:.2f}", keep))


def read_suggestions(path: Path) -> list[Suggestion]:
    """Read the table. Raises UsageError naming file, line and what is wrong."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.DictReader(stream)
            if missing := [name for name in COLUMNS if name not in (table.fieldnames or ())]:
                raise UsageError(f"{path}: has no column {', '.join(missing)}; it must be a table of plate-train unboxed")
            return [_suggestion(path, table.line_num, row) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from error


def _suggestion(path: Path, line: int, row: dict[str, str]) -> Suggestion:
    keep = (row["keep"] or "").strip().lower()
    if keep not in ("", KEEP, DROP):
        raise UsageError(f"{path}:{line}: keep is {keep!r}; write {KEEP} for a plate, {DROP} for none, or leave it empty")
    try:
        x1, y1, x2, y2 = map(float, row["box"].split())
        return Suggestion(
            int(row["number"]), row["file"], row["sha256"], (x1, y1, x2, y2), float(row["score"]), keep == KEEP if keep else None
        )
    except (ValueError, AttributeError) as error:
        raise UsageError(f"{path}:{line}: is no row of the table ({error})") from error
