"""What ``plate-train prepare`` does and prints."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from train.manifest import SPLITS, Picture, read_manifest
from train.prepare.write import SKIPPED, Prepared, Settings, prepare


def run_prepare(manifests: Sequence[Path], out: Path, settings: Settings) -> Prepared:
    """Make one data set of all manifests and print what it holds and what was left out. Raises UsageError."""
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 140)  # rich assumes 80 columns there and would break the table
    folder = manifests[0].parent
    rows = [_seen_from(folder, manifest) for manifest in manifests]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("pictures", total=None)
        done = prepare(rows, folder, out, settings, lambda n, total: progress.update(task, completed=n, total=total))
    report(done, console)
    unlicensed = sum(not row.licence for some in rows for row in some)
    if unlicensed and not settings.licensed:
        _say(console, f"{unlicensed} pictures have no licence: keep weights trained on them to yourself, or leave them out with --licensed")
    _say(console, f"next: plate-train detector {done.data} --out RUN")
    return done


def _seen_from(folder: Path, manifest: Path) -> list[Picture]:
    """Give the rows of a manifest with their files named relative to ``folder``."""
    if manifest.parent == folder:
        return read_manifest(manifest)
    way = os.path.relpath(manifest.parent, folder)
    return [replace(row, file=Path(way, row.file).as_posix()) for row in read_manifest(manifest)]


def report(done: Prepared, console: Console) -> None:
    """Print what a data set holds, and what was left out with its reasons."""
    table = Table("split", "pictures", "groups", "boxes", title_justify="left", title=str(done.data.parent))
    for split in SPLITS:
        if done.pictures[split]:
            table.add_row(split, str(done.pictures[split]), str(done.groups[split]), str(done.boxes[split]))
    console.print(table)
    if done.copies:
        _say(console, f"{done.copies} augmented copies of training pictures on top")
    if done.clipped:
        _say(console, f"{done.clipped} boxes reached over the edge of their picture and were clipped")
    for remark in done.remarks:
        _say(console, remark)
    for (what, reason), count in Counter((row.what, row.reason) for row in done.skipped).most_common(10):
        _say(console, f"left out: {count} x {what}: {reason}")
    if done.skipped:
        _say(console, f"{len(done.skipped)} left out in all, listed in {done.data.parent / SKIPPED}")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
