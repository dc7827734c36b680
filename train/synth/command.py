"""What ``plate-train synth`` does."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streamer.errors import UsageError
from train.synth.config import load_synth_config
from train.synth.crops import PlateRenderer
from train.synth.dataset import FORMATS, contact_sheet, write_crops

SHEET = 96
"""Crops on a contact sheet."""


def run_synth(out: Path | None, count: int, seed: int, config: Path | None, sheet: Path | None, form: str, workers: int | None) -> None:
    """Write a data set below ``out``, a contact sheet to ``sheet``, or both. Raises UsageError."""
    if out is None and sheet is None:
        raise UsageError("nothing to write: give --out DIR for a data set, --sheet FILE for a contact sheet, or both")
    if form not in FORMATS:
        raise UsageError(f"--format {form}: must be {' or '.join(FORMATS)}")
    settings, console = load_synth_config(config), Console()
    if sheet is not None:
        renderer = PlateRenderer(settings, seed)
        if not cv2.imwrite(str(sheet), contact_sheet([renderer.sample(index) for index in range(min(SHEET, count))])):
            raise UsageError(f"{sheet}: cannot be written; does its folder exist, and does its name end in .jpg or .png?")
        console.print(f"{sheet}: the first {min(SHEET, count)} crops", markup=False)
    if out is not None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("crops", total=count)
            rows = write_crops(out, count, seed, settings, form, workers or os.cpu_count() or 1, lambda new: progress.advance(task, new))
        val = sum(row.split == "val" for row in rows)
        console.print(f"{out}: {len(rows)} crops ({len(rows) - val} train, {val} val), manifest.jsonl, characters.yaml", markup=False)
