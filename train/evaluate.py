"""How many plates of labelled photographs come out right, end to end, with the program as it ships.

The labels are a CSV file with the columns ``file`` (relative to it) and ``text`` or ``plates`` (several separated by ``|``;
``?`` means a plate that nobody could read) and, optionally, ``region`` and ``split``. A plate counts
as right if the whole text is; *folded* takes 0 and O, 1 and I as equal, which only a country's format can tell apart; *best* looks at the
first plate that the program gives for a photograph with one plate, the others at all of them.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streamer.errors import UsageError
from streamer.pipeline import Pipeline, PlateResult
from streamer.plates import fold, normalise

BATCH = 8


@dataclass(frozen=True, slots=True)
class Photo:
    """A labelled photograph."""

    path: Path
    plates: tuple[str, ...]
    region: str


@dataclass(slots=True)
class Score:
    """Counts over plates."""

    plates: int = 0
    exact: int = 0
    folded: int = 0
    best_folded: int = 0
    """Counted over photographs with one plate."""
    singles: int = 0
    missed: list[tuple[str, str, list[str]]] = field(default_factory=list)
    """(file, truth, what was read instead) of the plates that are wrong even when folded."""

    def add(self, photo: Photo, found: Sequence[PlateResult]) -> None:
        """Count one photograph."""
        texts = [result.plate for result in found if result.plate is not None]
        for truth in photo.plates:
            self.plates += 1
            self.exact += truth in texts
            if fold(truth) in map(fold, texts):
                self.folded += 1
            else:
                self.missed.append((photo.path.name, truth, texts))
        if len(photo.plates) == 1:
            self.singles += 1
            self.best_folded += bool(texts) and fold(texts[0]) == fold(photo.plates[0])


def read_labels(path: Path, split: str | None = None) -> list[Photo]:
    """Read the CSV file of labels; rows without a readable plate are left out. Raises UsageError naming the line."""
    photos = []
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        column = next((name for name in ("plates", "text") if name in (rows.fieldnames or ())), None)
        if column is None or "file" not in (rows.fieldnames or ()):
            raise UsageError(f"{path}: needs the columns 'file' and 'text' or 'plates'")
        for row in rows:
            if split is not None and row.get("split") != split:
                continue
            picture = path.parent / row["file"]
            if not picture.is_file():
                raise UsageError(f"{path}:{rows.line_num}: no picture {picture}")
            plates = tuple(normalise(text) for text in row[column].split("|") if text and text != "?")
            if plates:
                photos.append(Photo(picture, plates, row.get("region") or "all"))
    return photos


def evaluate(pipeline: Pipeline, photos: Sequence[Photo]) -> dict[str, Score]:
    """Read the photographs in batches; gives the score of each region and of ``all``."""
    from streamer.stills import load_picture

    scores: dict[str, Score] = defaultdict(Score)
    for chunk in _chunks(photos, BATCH):
        for photo, found in zip(chunk, pipeline.read_many([load_picture(photo.path) for photo in chunk]), strict=True):
            for name in {"all", photo.region}:
                scores[name].add(photo, found)
    return dict(scores)


def _chunks(photos: Sequence[Photo], size: int) -> Iterator[Sequence[Photo]]:
    for begin in range(0, len(photos), size):
        yield photos[begin : begin + size]


def rows(scores: dict[str, Score]) -> Iterable[tuple[str, str, str, str, str]]:
    """Give the table's rows: region, plates, exact, folded, best folded (percent)."""
    for name, score in sorted(scores.items(), key=lambda item: (item[0] != "all", item[0])):
        best = f"{100 * score.best_folded / score.singles:.1f}" if score.singles else "-"
        yield name, str(score.plates), f"{100 * score.exact / score.plates:.1f}", f"{100 * score.folded / score.plates:.1f}", best
