"""Tables on the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from train.evaluate.curves import yield_at
from train.evaluate.figures import Miss, Part, Slice
from train.evaluate.run import Side

Column = tuple[str, str, float]
"""Heading, name of the figure, factor."""
_RATES = 100.0
_READER: tuple[Column, ...] = (
    ("exact", "exact", _RATES), ("folded", "folded", _RATES), ("CER", "character_error", _RATES),
    ("CER folded", "character_error_folded", _RATES), ("given", "given", _RATES), ("ms a crop", "ms_per_crop", 1.0),
    ("CPU ms", "cpu_ms_per_crop", 1.0),
)  # fmt: skip
MADE = ("rendered", "turned")
"""Parts whose pictures lie in no file."""
COLUMNS: dict[str, tuple[Column, ...]] = {
    "detector": (
        ("rec. .5", "recall_50", _RATES), ("rec. .3", "recall_30", _RATES), ("prec. .5", "precision_50", _RATES),
        ("prec. .3", "precision_30", _RATES), ("mAP50", "map50", _RATES), ("mAP50-95", "map50_95", _RATES),
        ("mean IoU", "mean_iou", 1.0), ("false/empty", "false_per_empty", 1.0),
    ),
    "reader": _READER,
    **dict.fromkeys(MADE, _READER),
    "photographs": (
        ("exact", "exact", _RATES), ("folded", "folded", _RATES), ("best folded", "best_folded", _RATES), ("given", "given", _RATES),
        ("silent", "silent", _RATES),
    ),
    "clips": (
        ("given (yield)", "given", _RATES), ("folded", "folded", _RATES), ("exact", "exact", _RATES),
        ("wrong of given", "wrong", _RATES), ("once", "once", _RATES), ("other texts / vehicle", "extra", 1.0),
    ),
}  # fmt: skip
LEADING = {"detector": "recall_50"} | dict.fromkeys(("reader", *MADE, "photographs", "clips"), "folded")
"""The rate that a part is judged by: its interval is shown, and its difference."""
ABSTAIN_SHOWN = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
_SHOWN_CONFUSIONS = 12
_ERRORS = (0.0, 0.01, 0.02, 0.05)


def show(console: Console, sides: Sequence[Side]) -> None:
    """Print the tables of each part, side by side where there are two."""
    for part in COLUMNS:
        measured = [(side.label, side.parts[part]) for side in sides if part in side.parts]
        if measured:
            console.print(_table(part, measured))
            for label, done in measured:
                _curves(console, label if len(measured) > 1 else "", done)


def figure(known: Slice | None, name: str) -> float | None:
    """Give a rate's share or a value; None if the slice has none."""
    if known is None:
        return None
    if name in known.rates:
        share = known.rates[name].share
        return None if math.isnan(share) else share
    return known.values.get(name)


def _table(part: str, measured: Sequence[tuple[str, Part]]) -> Table:
    table = Table(title=f"{part}, percent (95 % interval of {LEADING[part].replace('_50', ' .5')})", title_justify="left")
    table.add_column("slice", no_wrap=True, max_width=44)
    two = len(measured) > 1
    names = list(dict.fromkeys(name for _, done in measured for name in done.slices))
    columns = [c for c in COLUMNS[part] if any(figure(s, c[1]) is not None for _, done in measured for s in done.slices.values())]
    for heading in ("n", *([""] if two else []), "interval", *(column[0] for column in columns)):
        table.add_column(heading, justify="right", no_wrap=True)
    for name in names:
        for place, (label, done) in enumerate(measured):
            known = done.slices.get(name)
            cells = [_cell(figure(known, key), factor) for _, key, factor in columns]
            table.add_row(name if place == 0 else "", _count(part, known), *([label] if two else []), _interval(part, known), *cells)
        if two:
            before, after = (done.slices.get(name) for _, done in measured)
            changes = [_change(figure(before, key), figure(after, key), factor) for _, key, factor in columns]
            table.add_row("", "", "change", "", *changes, style="dim", end_section=True)
    return table


def _count(part: str, known: Slice | None) -> str:
    rate = known.rates.get(LEADING[part]) if known else None
    return str(rate.total) if rate else "-"


def _interval(part: str, known: Slice | None) -> str:
    rate = known.rates.get(LEADING[part]) if known else None
    if rate is None:
        return "-"
    low, high = rate.interval
    return f"{100 * low:.1f}-{100 * high:.1f}"


def _cell(value: float | None, factor: float) -> str:
    if value is None:
        return "-"
    return f"{factor * value:.1f}" if factor > 1 else f"{value:.3f}" if value < 2 else f"{value:.1f}"


def _change(before: float | None, after: float | None, factor: float) -> str:
    if before is None or after is None:
        return "-"
    return f"{factor * (after - before):+.1f}" if factor > 1 else f"{after - before:+.3f}"


def _curves(console: Console, label: str, done: Part) -> None:
    lead = f"{label}: " if label else ""
    if confusions := done.curves.get("confusions"):
        wrong = [c for c in confusions if c["truth"] != c["given"]][:_SHOWN_CONFUSIONS]
        told = "  ".join(f"{c['truth']}>{c['given']} {c['count']}" for c in wrong)
        console.print(f"{lead}confusions (truth>read, - is none): {told or 'none'}", highlight=False, markup=False, soft_wrap=True)
    error = done.curves.get("calibration", {}).get("expected_error")
    if error is not None:
        console.print(f"{lead}calibration: expected error {error:.3f} (0 is perfect)", highlight=False)
    if points := done.curves.get("abstain"):
        _abstain(console, lead, points)


def _abstain(console: Console, lead: str, points: Sequence[dict[str, float | None]]) -> None:
    shown = [point for point in points if any(abs((point["threshold"] or 0.0) - at) < 1e-6 for at in ABSTAIN_SHOWN)]
    cells = [f"{point['threshold']:.2f}: {_cell(point['yield'], 100)} / {_cell(point['error'], 100)}" for point in shown]
    console.print(f"{lead}abstain under a score: yield / error %: {'   '.join(cells)}", highlight=False, soft_wrap=True)
    best = [f"{100 * error:.0f} % wrong: {_cell(yield_at(points, error), 100)}" for error in _ERRORS]
    console.print(f"{lead}largest yield with at most {'   '.join(best)}", highlight=False, soft_wrap=True)


def show_changes(console: Console, differences: Mapping[str, Any]) -> None:
    """Print how many plates only the second side has right, and how many only the first; evaluation.json names them."""
    for part, found in differences.items():
        gained, lost = len(found["gained"]), len(found["lost"])
        console.print(f"{part}: right in the second only: {gained}; in the first only: {lost}", highlight=False)


def list_misses(console: Console, sides: Iterable[Side]) -> None:
    """Print what came out wrong, by kind and source; of MADE only how many."""
    for side in sides:
        for miss in sorted((m for name, part in side.parts.items() if name not in MADE for m in part.misses), key=order):
            score = "" if miss.score is None else f" ({miss.score:.2f})"
            text = f"{miss.what}: {miss.file}: {miss.truth or 'no plate'}, given {miss.given}{score}"
            console.print(f"{side.label}: {text}" if side.label != "weights" else text, markup=False, highlight=False, soft_wrap=True)
        for name in MADE:
            if name in side.parts and (misses := side.parts[name].misses):
                console.print(f"{side.label}: misread: {len(misses)} {name} plates; with --out on contact sheets", highlight=False)


def order(miss: Miss) -> tuple[str, str, str]:
    """Sort by kind, source and file."""
    return miss.what, miss.source, miss.file
