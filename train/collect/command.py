"""What ``plate-train collect`` does and prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from train.collect.found import Options, Skipped
from train.collect.gather import Gathered, gather, skipped_file
from train.collect.readers import read_source


def run_collect(sources: Sequence[Path], manifest: Path, form: str, options: Options, *, copy: bool) -> int:
    """Collect each source into ``manifest`` and print a summary. Gives the number of pictures collected. Raises UsageError."""
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 140)  # rich assumes 80 columns there and would break the table
    if manifest.suffix != ".jsonl":
        manifest = manifest / "manifest.jsonl"
    done = [_collect(source, manifest, form, options, copy, console) for source in sources]
    _print(console, sources, done, manifest)
    return sum(len(one.pictures) for one in done)


def _collect(source: Path, manifest: Path, form: str, options: Options, copy: bool, console: Console) -> Gathered:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(source.name, total=None)
        items = read_source(source, form, options, manifest.parent / "frames")
        return gather(
            items, str(source), manifest, options, copy=copy, tick=lambda n, total: progress.update(task, completed=n, total=total)
        )


def _print(console: Console, sources: Sequence[Path], done: Sequence[Gathered], manifest: Path) -> None:
    table = Table(
        "source", "pictures", "new", "replaced", "plates", "with box", "with text", "left out", title_justify="left", title=str(manifest)
    )
    for source, one in zip(sources, done, strict=True):
        plates = [plate for picture in one.pictures for plate in picture.plates]
        counts = (
            len(one.pictures), one.added, one.replaced, len(plates), sum(plate.box is not None for plate in plates),
            sum(plate.text is not None for plate in plates), sum(row.what == "picture" for row in one.skipped),
        )  # fmt: skip
        table.add_row(source.name, *map(str, counts))
    console.print(table)
    skipped = [row for one in done for row in one.skipped]
    for (what, reason), count in _reasons(skipped).most_common(10):
        console.print(f"{count} x {what}: {reason}", markup=False, highlight=False, soft_wrap=True)
    if skipped:
        console.print(f"{len(skipped)} rows in {skipped_file(manifest)}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{done[-1].total if done else 0} pictures in the manifest", markup=False, highlight=False, soft_wrap=True)


def _reasons(skipped: Sequence[Skipped]) -> Counter[tuple[str, str]]:
    return Counter((row.what, row.reason) for row in skipped)
