"""What ``plate-train unboxed`` does and prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from streamer.errors import SourceError, UsageError
from streamer.types import Image
from train.check.finding import Entry
from train.check.tiles import save, sheet, tile
from train.manifest import Picture, Plate, Split, read_manifest, write_manifest
from train.settle import of_split, settle
from train.unboxed.boxes import Suggestion, add, is_new, read_suggestions, write_suggestions

Thing = TypeVar("Thing")
TABLE = "unboxed.csv"
_BATCH = 4
_TILES = 60
"""On a sheet."""


def run_find(manifest: Path, out: Path, detector: str | None, least: float, split: Split | None) -> int:
    """Show what a detector finds in photographs beside the boxes that they have; gives the number. Raises UsageError."""
    console = Console()
    if (out / TABLE).exists():
        raise UsageError(f"{out / TABLE}: is there already, perhaps marked; name a new folder")
    settled = settle([read_manifest(manifest)])
    rows = [row for row in of_split(settled.rows, split) if row.kind == "photo"]
    if not rows:
        raise UsageError(f"{manifest}: has no photographs{f' of the split {split}' if split else ''}")
    for remark in settled.told() if split else ():
        _say(console, remark)
    found = list(_search(rows, manifest.parent, detector, least, console))
    out.mkdir(parents=True, exist_ok=True)
    write_suggestions(out / TABLE, [suggestion for suggestion, _ in found])
    for number, part in enumerate(_sheets(found, manifest), 1):
        save(part, out / f"unboxed-{number}.jpg")
    _say(console, f"{len(found)} boxes that the data do not have: look at {out / 'unboxed-*.jpg'}")
    _say(console, f"write y or n into the column keep of {out / TABLE}, then: plate-train unboxed {manifest} --add {out / TABLE}")
    return len(found)


def run_add(manifest: Path, table: Path) -> int:
    """Add the boxes that a person kept to the manifest; gives their number. Raises UsageError."""
    console = Console()
    suggestions = read_suggestions(table)
    rows, added, strange = add(read_manifest(manifest), suggestions)
    write_manifest(manifest, rows)
    undecided = sum(suggestion.keep is None for suggestion in suggestions)
    _say(console, f"{added} boxes added to {manifest}" + (f"; {undecided} are not decided" if undecided else ""))
    if strange:
        _say(console, f"not in the manifest: {', '.join(strange[:5])}{f' and {len(strange) - 5} more' if len(strange) > 5 else ''}")
    return added


def _search(
    rows: Sequence[Picture], folder: Path, weights: str | None, least: float, console: Console
) -> Iterator[tuple[Suggestion, Picture]]:
    from streamer import load_config
    from streamer.detector import build_detector
    from streamer.stills import load_picture

    settings = load_config(None, {"detector.weights": weights}).detector
    detector = build_detector(settings.model_copy(update={"confidence": least}), stills=True)
    number = 0
    for part in track(parts(rows, _BATCH), "photographs", console=console, transient=True):
        pictures, readable = [], []
        for row in part:
            try:
                pictures.append(load_picture(folder / row.file))
                readable.append(row)
            except SourceError as error:
                _say(console, f"left out: {error}")
        for row, detections in zip(readable, detector.detect(pictures) if pictures else [], strict=True):
            for detection in detections:
                box = (detection.box.x1, detection.box.y1, detection.box.x2, detection.box.y2)
                if is_new(box, row.plates):
                    number += 1
                    yield Suggestion(number, Path(row.file).name, row.sha256, box, detection.score), row


def _sheets(found: Sequence[tuple[Suggestion, Picture]], manifest: Path) -> Iterator[Image]:
    for part in parts(found, _TILES):
        tiles = []
        for suggestion, row in part:
            shown = replace(row, plates=(*row.plates, Plate(box=suggestion.box)))
            tiles.append(tile(Entry(shown, manifest.parent / row.file, manifest.name), len(row.plates)))
        yield sheet(tiles, [f"{suggestion.number}  {suggestion.score:.2f}  {suggestion.file}" for suggestion, _ in part])


def parts(things: Sequence[Thing], size: int) -> list[Sequence[Thing]]:
    """Divide a list into parts of ``size`` and a rest."""
    return [things[start : start + size] for start in range(0, len(things), size)]


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
