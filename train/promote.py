"""Whether new weights may take the place of the current ones: ``plate-train promote``.

The gate is a pure function of two measurements: the candidate may lose on none of the slices that matter by more than a margin.
A slice with few plates does not decide, because one plate more or less would. Putting the files in place is ``train.export``'s.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from streamer.errors import UsageError
from train.evaluate.figures import ALL, Part, Rate
from train.evaluate.run import Side, What, sides_of

SLICES = (ALL, "two-line", "night", "small", "slanted")
LEADING = {"detector": "recall_50", "reader": "folded", "photographs": "folded", "clips": "folded"}
"""What must not be lost on any slice that matters."""
OVERALL = {"detector": ("precision_50", "quiet")}
"""What must not be lost over all, besides."""
MODELS: dict[str, str] = {"plate-detector": "detector", "plate-reader": "reader"}
"""Names of the weights, and the section of the configuration that they belong to."""

Install = Callable[[Path, str, dict[str, Any]], Sequence[str] | None]
"""Puts a candidate into weights/ under a name, with what was measured; gives lines for the model card."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be promoted, and on what it is measured."""

    candidate: Path
    model: str
    on: tuple[Path, ...]
    split: str | None = "val"
    margin: float = 1.0
    """Percentage points."""
    min_count: int = 20
    config: Path | None = None
    candidate_config: Path | None = None
    int8: Path | None = None
    """Of a detector: its calibrated OpenVINO form (.xml), which is what is measured then, and what runs by default once it ships."""


@dataclass(frozen=True, slots=True)
class Check:
    """One figure on one slice, before and after."""

    part: str
    slice: str
    figure: str
    before: Rate
    after: Rate
    decides: bool
    """False: too few plates."""
    lost: bool

    @property
    def change(self) -> float:
        """Percentage points."""
        return 100 * (self.after.share - self.before.share)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a candidate passes, and why not."""

    passes: bool
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]


def verdict(current: Mapping[str, Part], candidate: Mapping[str, Part], margin: float = 1.0, min_count: int = 20) -> Verdict:
    """Judge a candidate by two measurements on the same data; ``margin`` in percentage points.

    It fails if it loses more than the margin on a slice of SLICES with at least ``min_count`` plates, if there are not even that
    many plates over all, or if the two were not measured on the same plates.
    """
    checks = [check for part in current if part in candidate for check in _checks(part, current[part], candidate[part], margin, min_count)]
    reasons = [
        f"{c.part}, {c.slice}: {c.figure} falls by {-c.change:.1f} points, from {_told(c.before)} to {_told(c.after)}"
        for c in checks
        if c.lost
    ]
    reasons += [
        f"{c.part}, {c.slice}: {c.before.total} plates before, {c.after.total} now; measure both on the same data"
        for c in checks
        if c.figure == LEADING[c.part] and c.before.total != c.after.total
    ]
    if not any(c.decides and c.slice == ALL and c.figure == LEADING[c.part] for c in checks):
        reasons.append(f"fewer than {min_count} plates over all: too few to judge by")
    return Verdict(not reasons, tuple(reasons), tuple(checks))


def _checks(name: str, before: Part, after: Part, margin: float, min_count: int) -> list[Check]:
    wanted = [(slice_name, LEADING[name]) for slice_name in SLICES] + [(ALL, figure) for figure in OVERALL.get(name, ())]
    found = []
    for slice_name, figure in wanted:
        one, other = (part.slices[slice_name].rates.get(figure) if slice_name in part.slices else None for part in (before, after))
        if one is None or other is None or not one.total or not other.total:
            continue
        decides = min(one.total, other.total) >= min_count
        fall = 100 * (one.share - other.share)
        found.append(Check(name, slice_name, figure, one, other, decides, decides and fall > margin + 1e-9))
    return found


def measured(side: Side, on: Sequence[Path], split: str | None) -> dict[str, Any]:
    """Give what weights/manifest.json says about a model: the rates over all, in percent, and what they were measured on."""
    files = ", ".join(f"{path.parent.name}/{path.name}" for path in on)
    figures: dict[str, Any] = {"data": f"{files}{f', split {split}' if split else ''}"}
    for name, part in side.parts.items():
        known = part.slices.get(ALL)
        if known is None:
            continue
        rates = {key: round(100 * rate.share, 1) for key, rate in known.rates.items() if rate.total}
        values = {key: round(value, 3) for key, value in known.values.items() if math.isfinite(value)}
        figures[name] = rates | values | {"plates": known.rates[LEADING[name]].total if LEADING[name] in known.rates else 0}
    return figures


def command(request: Request, out: Path | None, *, dry_run: bool = False, install: Install | None = None) -> int:
    """Measure both, print them side by side, and install the candidate if it passes; gives the exit code. Raises UsageError."""
    from train.evaluate import command as evaluation
    from train.evaluate.data import load_samples

    sides = _sides(request)
    console = Console()
    console = console if console.is_terminal else Console(width=evaluation.PLAIN_WIDTH)
    data = load_samples(request.on, request.split)
    parts: tuple[What, ...] = ("detector", "end-to-end") if request.model == "plate-detector" else ("reader", "end-to-end")
    document = evaluation.evaluate(sides, data, request.on, request.split, None, parts, console)
    judged = verdict(sides[0].parts, sides[1].parts, request.margin, request.min_count)
    console.print(_table(judged, request))
    judged_slices = {(check.part, check.slice) for check in judged.checks}
    if absent := [f"{part} {name}" for part in sides[0].parts for name in SLICES if (part, name) not in judged_slices]:
        console.print(f"no plates to judge by: {', '.join(absent)}; add data that has them with --on", highlight=False)
    evaluation.conclude(sides, document, out, console, missed=out is not None)
    for reason in judged.reasons:
        console.print(f"refused: {reason}", highlight=False, markup=False)
    if not judged.passes:
        return 1
    if request.model == "plate-detector" and request.int8 is None:
        console.print(
            "without --int8 no int8 form ships: on processors it would run in f32, at half the speed", highlight=False, markup=False
        )
    if dry_run:
        console.print(f"{request.candidate} would become {request.model}", highlight=False, markup=False)
        return 0
    told = (install or _installer(request.int8))(request.candidate, request.model, measured(sides[1], request.on, request.split))
    console.print(f"{request.candidate} is now {request.model}", highlight=False, markup=False)
    for line in told or ():
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return 0


def _sides(request: Request) -> list[Side]:
    section = MODELS.get(request.model)
    if section is None:
        raise UsageError(f"--model {request.model}: must be {' or '.join(MODELS)}")
    if not request.candidate.exists():
        raise UsageError(f"{request.candidate}: there is no such file or folder")
    if request.int8 is not None and (section != "detector" or not request.int8.with_suffix(".bin").is_file()):
        raise UsageError(f"--int8 {request.int8}: must be the .xml of a detector, with its .bin beside it, as plate-train export writes it")
    names = [request.model, str(request.int8 or request.candidate)]
    sides = sides_of(request.config, request.candidate_config, names if section == "detector" else [], names if section == "reader" else [])
    sides[0].label, sides[1].label = "current", "candidate"
    return sides


def _installer(int8: Path | None) -> Install:
    from train.export.install import install

    def put(candidate: Path, model: str, figures: dict[str, Any]) -> list[str]:
        return install(candidate, model, figures, int8=int8)

    return put


def _table(judged: Verdict, request: Request) -> Table:
    title = f"may lose {request.margin:g} points on a slice of {request.min_count} plates or more"
    table = Table("part", "slice", "figure", "plates", "current", "candidate", "change", "", title=title, title_justify="left")
    for c in judged.checks:
        word = "lost" if c.lost else "ok" if c.decides else "too few to decide"
        cells = (c.part, c.slice, c.figure, str(c.after.total), _told(c.before), _told(c.after), f"{c.change:+.1f}", word)
        table.add_row(*cells, style="red" if c.lost else None)
    return table


def _told(rate: Rate) -> str:
    return f"{100 * rate.share:.1f} %"
