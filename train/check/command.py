"""What ``plate-train check`` does and prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from train.check.examine import examine, load
from train.check.report import write_report

_LISTED = 10


def run_check(manifests: Sequence[Path], folder: Path) -> int:
    """Check manifests, write the report into ``folder`` and print a summary. Gives the number of errors. Raises UsageError."""
    console = Console()
    entries = load(manifests)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("pictures", total=len(entries))
        examined = examine(entries, tick=lambda: progress.advance(task))
        progress.update(task, description="report")
        write_report(examined, [str(manifest) for manifest in manifests], folder)
    counts = Counter((found.level, found.kind) for found in examined.findings)
    for (level, kind), count in counts.items():
        console.print(f"{level:8}{count:6}  {kind}", markup=False, highlight=False, soft_wrap=True)
    errors = [found for found in examined.findings if found.level == "error"]
    for found in errors[:_LISTED]:
        console.print(f"  {found.kind}: {', '.join(found.files[:3])}: {found.message}", markup=False, highlight=False, soft_wrap=True)
    if len(errors) > _LISTED:
        console.print(f"  and {len(errors) - _LISTED} more errors", markup=False, highlight=False)
    console.print(
        f"{examined.readable} of {len(entries)} pictures read; report: {folder / 'report.html'}",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    return len(errors)
