"""What ``plate-train reader`` does and prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from streamer.errors import UsageError
from train.reader.config import ReaderTraining
from train.reader.real import RealPlates, load_real
from train.reader.training import CHECKPOINT, train_reader


def run_reader(config: ReaderTraining, manifests: Sequence[Path], out: Path, *, resume: bool, licensed: bool) -> Path:
    """Train on the plates of manifests and print how it goes; gives the folder of the reader.

    ``licensed``: leave out pictures whose licence is not known. Raises UsageError if ``out`` holds a training already, or if a
    manifest gives no plate.
    """
    console = Console()
    if (out / CHECKPOINT).exists() and not resume:
        raise UsageError(f"{out}: holds a training already; go on with it by --resume, or name a new folder")
    plates = load_real(manifests, config.alphabet, licensed=licensed)
    _tell(plates, console)
    folder = train_reader(config, plates, out, resume=resume, tell=lambda progress: _say(console, progress.line(config.steps)))
    _say(console, f"{folder}: written")
    _say(console, f"next: plate-train evaluate {' '.join(map(str, manifests))} --split val --reader {folder}")
    _say(console, f"then: plate-train export {folder} --calibrate {manifests[0]} --out {folder / 'export'}")
    return folder


def _tell(plates: RealPlates, console: Console) -> None:
    for remark in plates.remarks:
        _say(console, remark)
    _say(console, f"real plates: {len(plates.train)} to train on, {len(plates.val)} to validate on")
    if plates.left_out:
        _say(console, f"left out: {plates.reasons}")
    if not plates.val:
        _say(console, "nothing validates: progress shows the loss alone")
    if plates.unlicensed:
        many = f"{plates.unlicensed} plates are of pictures without a licence"
        _say(console, f"{many}: keep weights trained on them to yourself, or leave them out with --licensed")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
