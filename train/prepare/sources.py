"""What of a manifest becomes part of a YOLO data set, and what does not, with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from train.collect.found import Skipped, extent
from train.collect.labels import label_file, read_labels
from train.manifest import Picture, Split
from train.prepare.boxes import Labelled
from train.settle import group_of

CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Classes of a character detector, in their order; what plate-train synth writes."""
PLATE = "plate"


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture with its boxes, as it goes into the data set."""

    path: Path
    name: str
    """For its files, without suffix; different for each."""
    group: str
    split: Split
    labels: tuple[Labelled, ...]
    """In pixels of the picture."""


def entries(rows: Iterable[Picture], folder: Path, *, characters: bool = False, licensed: bool = False) -> Iterator[Entry | Skipped]:
    """Give what the rows of a manifest in ``folder`` lead to; each must have a split (``train.settle``).

    Photos with the box of every plate, class ``plate``; or with ``characters`` crops with the label file that synth writes.
    ``licensed``: leave out pictures whose licence is not known.
    """
    seen: dict[str, str] = {}
    for row in rows:
        reason = _unfit(row, characters, licensed)
        if not reason and row.sha256 in seen:
            reason = f"is the same picture as {seen[row.sha256]}"
        if reason:
            yield Skipped(row.file, "picture", reason)
            continue
        seen[row.sha256] = row.file
        path = folder / row.file
        try:
            labels = _characters(row, path) if characters else _plates(row)
        except ValueError as error:
            yield Skipped(row.file, "picture", str(error))
            continue
        assert row.split is not None
        yield Entry(path, f"{path.stem}_{row.sha256[:8]}", group_of(row), row.split, labels)


def _unfit(row: Picture, characters: bool, licensed: bool) -> str:
    if licensed and not row.licence:
        return "has no licence, so that weights trained on it may not be passed on"
    if characters:
        return "" if row.kind == "crop" else "is a photo; characters are learned from crops"
    if row.kind == "crop":
        return "is a crop; the detector learns from photos"
    if any(plate.box is None and plate.corners is None for plate in row.plates):
        return "has a plate without a box, which would be taken for background"
    return ""


def _plates(row: Picture) -> tuple[Labelled, ...]:
    return tuple(Labelled(0, plate.box or extent(plate.corners or ()), plate.corners) for plate in row.plates)


def _characters(row: Picture, path: Path) -> tuple[Labelled, ...]:
    """Read the boxes of the characters. Raises ValueError naming the file."""
    labels = []
    found, problems = read_labels(label_file(path))
    if problems:
        raise ValueError(str(problems[0]))
    for label in found:
        if label.number >= len(CHARACTERS):
            raise ValueError(
                f"{label_file(path)}:{label.line}: class {label.number} is none of 0 to {len(CHARACTERS) - 1}, which stand for {CHARACTERS}"
            )
        x1, y1, x2, y2 = label.box
        labels.append(Labelled(label.number, (x1 * row.width, y1 * row.height, x2 * row.width, y2 * row.height)))
    if not labels:
        raise ValueError(f"{label_file(path)}: holds no character")
    return tuple(labels)


def class_names(characters: bool) -> Sequence[str]:
    """Give the classes of the data set, in order."""
    return tuple(CHARACTERS) if characters else (PLATE,)
