"""What ``plate-train detector`` does and prints."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from streamer.errors import StreamerError, UsageError
from train.detector.config import DetectorTraining
from train.detector.own import link, read_description, read_folder
from train.detector.training import Scores, Trained, train_detector
from train.manifest import read_manifest
from train.prepare import Settings, prepare
from train.prepare.command import report
from train.prepare.write import SKIPPED
from train.settle import SEED

_LINES = 10
"""Of progress in an epoch, where no bar can be drawn."""


class StoppedError(StreamerError):
    """Somebody stopped the training."""


def run_detector(source: Path, config: DetectorTraining, out: Path, *, resume: bool) -> Trained:
    """Train and print how it went. ``source``: a data.yaml, a manifest, or a folder of labelled pictures. Raises UsageError."""
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 140)  # rich assumes 80 columns there and would break the tables
    last = out / "weights" / "last.pt"
    if last.exists() and not resume:
        raise UsageError(f"{out}: holds a training already; go on with it by --resume, or name a new folder")
    data = out / "data.yaml" if resume and (out / "data.yaml").is_file() else _data(source, config, out, console)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total} batches"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        try:
            trained = train_detector(data, config, out, resume=resume, watch=_Bar(progress, console))
        except KeyboardInterrupt:
            saved = f"go on with the same command and --resume (saved: {last})" if last.exists() else "no epoch was finished"
            raise StoppedError(f"stopped; {saved}") from None
    _conclude(trained, source, out, console)
    return trained


def _data(source: Path, config: DetectorTraining, out: Path, console: Console) -> Path:
    """Give the data.yaml to train from; what has to be made for it is made in ``out/data``."""
    place = out / "data"
    if (place / "data.yaml").is_file():
        shutil.rmtree(place)  # of a run that did not reach its first epoch
    if not source.exists():
        raise UsageError(f"{source}: there is no such file or folder; give a data.yaml, a manifest (.jsonl) or a folder of pictures")
    if source.suffix == ".jsonl":
        settings = Settings(input_size=config.input_size, val=config.val, seed=config.seed, augment=config.augment)
        done = prepare([read_manifest(source)], source.parent, place, settings)
        report(done, console)
        return done.data
    if source.is_dir() and not (source / "data.yaml").is_file():
        own = read_folder(source)
    else:
        description = source / "data.yaml" if source.is_dir() else source
        own, complete = read_description(description)
        if complete:
            _say(console, *own.remarks)
            return description
        own.remarks.append(f"{description} has no val")
    data = link(own, place, config.val, SEED)
    _say(console, *own.remarks, f"classes: {', '.join(own.names)}")
    return data


class _Bar:
    """A training.Watch on the terminal: a bar for the running epoch, a line for each that is done."""

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress, self._console = progress, console
        self._task: TaskID = progress.add_task("making ready", total=None)
        self._best = -1.0

    def batch(self, epoch: int, epochs: int, batch: int, batches: int) -> None:
        """See Watch."""
        name = f"epoch {epoch} of {epochs}"
        self._progress.update(self._task, description=name, completed=(epoch - 1) * batches + batch, total=epochs * batches)
        if not self._console.is_terminal and batch * _LINES // batches > (batch - 1) * _LINES // batches:
            _say(self._console, f"{name}: {batch} of {batches} batches")

    def epoch(self, epoch: int, epochs: int, loss: float, scores: Scores) -> None:
        """See Watch."""
        fitness = 0.1 * scores.map50 + 0.9 * scores.map50_95
        mark = "  best so far" if fitness > self._best else ""
        self._best = max(self._best, fitness)
        figures = f"precision {scores.precision:.3f}  recall {scores.recall:.3f}  mAP50 {scores.map50:.3f}  mAP50-95 {scores.map50_95:.3f}"
        _say(self._console, f"epoch {epoch} of {epochs}: loss {loss:.3f}  {figures}{mark}")


def _conclude(trained: Trained, source: Path, out: Path, console: Console) -> None:
    table = Table("precision", "recall", "mAP50", "mAP50-95", "epochs", "time", title=str(trained.weights), title_justify="left")
    scores = trained.scores
    figures = [f"{value:.3f}" for value in (scores.precision, scores.recall, scores.map50, scores.map50_95)]
    minutes, seconds = divmod(round(trained.seconds), 60)
    table.add_row(*figures, str(trained.epochs), f"{minutes} min {seconds:02} s")
    console.print(table)
    if trained.corners:
        _say(console, "it finds corners too, for trials: plate-streamer has no use for them (weights/README.md, plate-layout, says why)")
    elif len(trained.names) == 1:
        _say(console, f"use it: detector.weights: {trained.weights.absolute()} in a configuration of plate-streamer")
        _say(console, *_next(source, out, trained.weights))
    else:
        _say(console, f"{len(trained.names)} classes. If they are characters, read with it, in a configuration of plate-streamer:")
        _say(console, f"reader: {{engine: characters, weights: {trained.weights.absolute()}}}")
        _say(console, "next: plate-train evaluate MANIFEST.jsonl --only reader --config THAT_CONFIGURATION")


def _next(source: Path, out: Path, weights: Path) -> list[str]:
    """Say how to measure on the very pictures that validated, in commands that work as they stand where that can be."""
    measure = "next: plate-train evaluate {} --split val --detector " + str(weights)
    if source.suffix == ".jsonl":
        return [measure.format(source)]
    description = source / "data.yaml" if source.is_dir() else source
    if (description.parent / SKIPPED).is_file():
        return [f"{measure.format('MANIFEST')}, MANIFEST being what {description} was prepared from"]
    linked, manifest = out / "data" / "data.yaml", out / "plates.jsonl"
    data = linked if linked.is_file() else description
    return [f"next: plate-train collect {data} --format yolo --out {manifest}", measure.format(manifest).replace("next", "then")]


def _say(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
