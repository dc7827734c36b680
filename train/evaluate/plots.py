"""Plots as PNG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.plates import ALPHABET
from streamer.private import make_file
from train.evaluate.figures import Part
from train.evaluate.reads import NOTHING
from train.evaluate.run import Side

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TOLD = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Thresholds that are written beside the curve."""
_SAME = 1e-9
Lines = Sequence[tuple[str, Part]]
"""Label and part of each side."""


def draw(sides: Sequence[Side], out: Path) -> list[Path]:
    """Draw what was measured into a folder; gives the files."""
    files = []
    kinds: tuple[tuple[str, str, Callable[[Axes, Lines], None]], ...] = (
        ("detector", "precision_recall", _precision_recall),
        ("reader", "calibration", _calibration),
        ("photographs", "calibration", _calibration),
        ("photographs", "abstain", _abstain),
        ("clips", "abstain", _abstain),
    )
    for part, curve, plot in kinds:
        lines = [(side.label, side.parts[part]) for side in sides if side.parts.get(part) and side.parts[part].curves.get(curve)]
        if lines:
            files.append(_figure(out / f"{part}-{curve.replace('_', '-')}.png", f"{part}: {curve.replace('_', ' ')}", plot, lines))
    for side in sides:
        if (reader := side.parts.get("reader")) and reader.curves["confusions"]:
            name = f"reader-confusions{'' if side.label == 'weights' else '-' + side.label}.png"
            files.append(_figure(out / name, "reader: true character (down), read as (across)", _confusions, [(side.label, reader)]))
    return files


def _figure(file: Path, title: str, plot: Callable[[Axes, Lines], None], lines: Lines) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title)
    plot(axes, lines)
    make_file(file)
    figure.savefig(file)
    return file


def _precision_recall(axes: Axes, lines: Lines) -> None:
    for label, part in lines:
        points = part.curves["precision_recall"]
        drawn = axes.plot([p["recall"] for p in points], [p["precision"] for p in points], label=label)
        shipped = [p for p in points if p["confidence"] >= part.curves["confidence"]]
        if shipped:
            at = shipped[-1]
            name = f"{label}: at confidence {part.curves['confidence']:.2f}"
            axes.plot(at["recall"], at["precision"], "o", color=drawn[0].get_color(), label=name)
    _finish(axes, "recall (IoU 0.5)", "precision", low=0.0)


def _calibration(axes: Axes, lines: Lines) -> None:
    axes.plot([0, 1], [0, 1], "--", color="grey", label="perfect")
    for label, part in lines:
        bins = part.curves["calibration"]["bins"]
        error = part.curves["calibration"]["expected_error"]
        told = f"{label}: expected error {error:.3f}" if error is not None else label
        axes.plot([b["score"] for b in bins], [b["right"] for b in bins], "o-", label=told)
        for b in bins:
            axes.annotate(str(b["count"]), (b["score"], b["right"]), textcoords="offset points", xytext=(4, -12), fontsize=8)
    lowest = min((min(b["score"], b["right"]) for _, part in lines for b in part.curves["calibration"]["bins"]), default=0.0)
    _finish(axes, "score of the plate", "share that is right (0/O and 1/I folded)", low=max(0.0, lowest - 0.05))


def _abstain(axes: Axes, lines: Lines) -> None:
    for label, part in lines:
        points = [point for point in part.curves["abstain"] if point["error"] is not None]
        drawn = axes.plot([p["yield"] for p in points], [100 * p["error"] for p in points], ".-", label=label)
        for point in points:
            if any(abs(point["threshold"] - told) < _SAME for told in TOLD):
                at = (point["yield"], 100 * point["error"])
                axes.annotate(
                    f"{point['threshold']:.2f}", at, textcoords="offset points", xytext=(3, 3), fontsize=7, color=drawn[0].get_color()
                )
    axes.set_xlabel("yield: plates given of all plates (the figures are thresholds)")
    axes.set_ylabel("error: wrong of those given, %")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()


def _confusions(axes: Axes, lines: Lines) -> None:
    import numpy as np

    names = ALPHABET + NOTHING
    table = np.zeros((len(names), len(names)))
    for pair in lines[0][1].curves["confusions"]:
        if pair["truth"] in names and pair["given"] in names:
            table[names.index(pair["truth"]), names.index(pair["given"])] += pair["count"]
    right = table.diagonal().copy()
    np.fill_diagonal(table, 0)
    axes.imshow(table, cmap="Reds", vmin=0, vmax=max(1.0, 1.5 * float(table.max())))
    for y, x in np.argwhere(table > 0):
        axes.text(x, y, str(int(table[y, x])), ha="center", va="center", fontsize=6)
    axes.set_xticks(range(len(names)), names, fontsize=7)
    axes.set_yticks(range(len(names)), [f"{n} ({int(k)})" for n, k in zip(names, right, strict=True)], fontsize=6)
    axes.set_ylabel("true character (how often it was read right); - is none")


def _finish(axes: Any, across: str, up: str, low: float) -> None:
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.set_xlim(low, 1.01)
    axes.set_ylim(low, 1.01)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
