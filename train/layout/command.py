"""What ``plate-train layout`` does and prints."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from streamer.errors import StreamerError, UsageError
from streamer.reader.nets import SYMMETRIC, OnnxNet
from train.layout.config import LayoutTraining
from train.layout.measure import LayoutFigures, measure
from train.layout.samples import load_samples

MEASURED = 500
"""Unseen crops."""


class StoppedError(StreamerError):
    """Somebody stopped the training."""


def run_layout(config: LayoutTraining, out: Path, *, resume: bool) -> LayoutFigures:
    """Render, train, export ``out/plate-layout.onnx`` and measure it. Raises UsageError if ``out`` holds a training already."""
    from train.layout.network import export_onnx, parameters_of
    from train.layout.training import train_layout

    console, last = Console(), out / "last.pt"
    if last.exists() and not resume:
        raise UsageError(f"{out}: holds a training already; go on with it by --resume, or name a new folder")
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        rendering = progress.add_task("render", total=config.crops, told="")
        samples = load_samples(
            out / "samples",
            config.crops,
            config.seed,
            config.synth,
            config.workers,
            lambda done: progress.update(rendering, completed=done, told=f"{done} crops"),
        )
        progress.update(rendering, completed=config.crops, told=f"{len(samples)} crops, {samples.two.mean():.0%} of two lines")
        training = progress.add_task("train", total=1.0, told="")
        try:
            net = train_layout(
                samples,
                config,
                out,
                resume=resume,
                watch=lambda step, done, loss: progress.update(training, completed=done, told=f"step {step}, loss {loss:.3f}"),
            )
        except KeyboardInterrupt:
            saved = f"go on with the same command and --resume (saved: {last})" if last.exists() else "nothing was saved yet"
            raise StoppedError(f"stopped; {saved}") from None
        progress.update(training, completed=1.0)
    path = out / "plate-layout.onnx"
    difference = export_onnx(net, path)
    console.print(f"{path}: {parameters_of(net)} parameters, within {difference:.1g} of the trained network")
    return report(measure(OnnxNet(path, SYMMETRIC, config.threads), config.synth, config.seed, min(MEASURED, config.crops)), out, console)


def report(figures: LayoutFigures, out: Path, console: Console) -> LayoutFigures:
    """Print the figures and write them to ``out/layout.json``."""
    (out / "layout.json").write_text(json.dumps(asdict(figures), indent=1) + "\n", "utf-8")
    console.print(
        f"On {figures.crops} crops of another seed: number of lines right {figures.count_right:.1%} "
        f"(two-line plates {figures.two_right:.1%}; in doubt {figures.doubtful:.1%}); corners off by "
        f"{figures.mean_error:.3f} line heights, 95 of 100 by less than {figures.error_95:.3f}; "
        f"{figures.inside:.2%} of the characters are fully in the cut "
        f"of their line, of {figures.whole_crops:.1%} of the crops all."
    )
    return figures
