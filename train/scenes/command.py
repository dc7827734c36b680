"""What ``plate-train scenes`` does and prints."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streamer.errors import UsageError
from train.manifest import Picture, read_manifest
from train.scenes.config import load_scenes_config
from train.scenes.maker import usable
from train.scenes.write import Order, contact_sheet, write_scenes
from train.settle import settle

SHEET = 32
"""Scenes on a contact sheet."""


def run_scenes(
    manifest: Path, out: Path | None, count: int | None, seed: int, config: Path | None, sheet: Path | None, workers: int | None
) -> None:
    """Write scenes of a manifest's training photographs below ``out``, a contact sheet to ``sheet``, or both. Raises UsageError."""
    if out is None and sheet is None:
        raise UsageError("nothing to write: give --out DIR for a data set, --sheet FILE for a contact sheet, or both")
    settings, console = load_scenes_config(config), Console()
    rows, remarks = _training(read_manifest(manifest))
    if not rows:
        raise UsageError(f"{manifest}: has no photograph to train on whose plates are all boxed")
    order = Order(tuple(rows), manifest.parent, settings, seed)
    wanted = count or len(rows)
    for remark in remarks:
        console.print(remark, markup=False)
    if sheet is not None:
        maker = order.maker()
        if not cv2.imwrite(str(sheet), contact_sheet([maker.scene(index) for index in range(min(SHEET, wanted))])):
            raise UsageError(f"{sheet}: cannot be written; does its folder exist, and does its name end in .jpg or .png?")
        console.print(f"{sheet}: the first {min(SHEET, wanted)} scenes", markup=False)
    if out is not None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("scenes", total=wanted)
            made = write_scenes(out, wanted, order, workers or os.cpu_count() or 1, lambda new: progress.advance(task, new))
        plates = [plate for row in made for plate in row.plates]
        rendered = sum(plate.corners is not None for plate in plates)
        console.print(f"{out}: {len(made)} scenes, {rendered} rendered plates with corners, {len(plates) - rendered} others", markup=False)
        console.print(f"next: plate-train prepare {manifest} {out / 'manifest.jsonl'} --out DATA", markup=False)


def _training(rows: list[Picture]) -> tuple[list[Picture], list[str]]:
    """Give the rows that scenes are made of, each with its split, and what was left out."""
    settled = settle([rows])
    fit = [row for row in settled.rows if usable(row)]
    left_out = len(rows) - len(fit)
    remarks = [f"left out: {left_out} rows that are crops, or have a plate without a box"] if left_out else []
    return [row for row in fit if row.split == "train"], [*settled.remarks, *remarks]
