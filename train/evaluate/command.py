"""What ``plate-train evaluate`` does, without its options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from streamer.errors import UsageError
from train.evaluate.data import Data, load_clips
from train.evaluate.rendered import Crop
from train.evaluate.report import report, write
from train.evaluate.run import EVERYTHING, Side, What, read_made, run
from train.evaluate.show import list_misses, show, show_changes
from train.manifest import Kind

PLAIN_WIDTH = 170
"""Columns where the output is no terminal."""


def evaluate(
    sides: Sequence[Side],
    data: Data,
    files: Sequence[Path],
    split: str | None,
    truth: Path | None,
    only: Sequence[What],
    console: Console,
    made: Mapping[str, Sequence[Crop]] | None = None,
) -> dict[str, Any]:
    """Measure each side, print the tables and give the report; ``made``: what readers are measured on besides, by the name of the part.

    Raises UsageError or what the models raise.
    """
    known_clips = load_clips(truth) if truth is not None else []
    progress = Console(stderr=True)

    def shown(things: Sequence[Any], what: str) -> Iterable[Any]:
        return track(things, what, console=progress, transient=True)

    for side in sides:
        run(side, data.samples, known_clips, only, shown)
        for name, crops in (made or {}).items():
            if crops:
                read_made(side, name, crops, shown)
    for side in sides:
        for name, info in sorted(side.models.items()):
            console.print(f"{side.label}: {name} {info.name} {info.sha256[:12]}, {info.backend}", highlight=False, markup=False)
    show(console, sides)
    for remark in data.remarks:
        console.print(remark, highlight=False, markup=False)
    for reason, count in data.left_out.items():
        console.print(f"left out: {count} {reason}", highlight=False)
    document = report(sides, [*files, *([truth] if truth else [])], split, data.left_out)
    show_changes(console, document["differences"] or {})
    return document


def turned_of(data: Data, only: Sequence[What], *, wanted: bool) -> dict[str, Sequence[Crop]]:
    """Make what the option --turned asks for. Raises UsageError if there is nothing for it."""
    if not wanted:
        return {}
    from train.evaluate.turned import turned

    if "reader" not in only or not (crops := turned(data.samples)):
        raise UsageError("--turned: is for readers (--only reader) and plates whose texts are known, in A-Z and 0-9")
    return {"turned": crops}


def conclude(sides: Sequence[Side], document: dict[str, Any], out: Path | None, console: Console, *, missed: bool) -> None:
    """List what came out wrong if wanted; write evaluation.json, the plots and (``missed``) the contact sheets into ``out``."""
    if missed:
        list_misses(console, sides)
    if out is None:
        return
    from train.evaluate.plots import draw
    from train.evaluate.sheets import lay_out

    places = [write(document, out), *draw(sides, out), *(lay_out(sides, out) if missed else [])]
    console.print("see: " + "  ".join(map(str, places)), highlight=False, markup=False, soft_wrap=True)


def kind_of(text: str | None) -> Kind | None:
    """Check the option --kind. Raises UsageError."""
    if text not in (None, "photo", "crop"):
        raise UsageError(f"--kind {text}: must be photo or crop")
    return text  # type: ignore[return-value]


def parts_of(text: str | None) -> tuple[What, ...]:
    """Give the parts that the option --only names; all without it. Raises UsageError."""
    if text is None:
        return EVERYTHING
    chosen = tuple(part for part in EVERYTHING if part == text)
    if not chosen:
        raise UsageError(f"--only {text}: must be {', '.join(EVERYTHING)}")
    return chosen
