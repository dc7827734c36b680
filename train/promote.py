"""Whether new weights may take the place of the current ones: ``plate-train promote``.

The gate is a pure function of two measurements: the candidate may lose on none of the slices that matter by more than a margin.
A slice with few plates does not decide, because one plate more or less would; that it is missing must be allowed by name. Readers are
measured besides on rendered plates, which have all slices, and on the real ones turned and slanted. Putting the files in place is
``train.export``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from streamer.errors import UsageError
from train.evaluate.figures import ALL, Part, Rate
from train.evaluate.rendered import COUNT
from train.evaluate.run import Side, What
from train.evaluate.show import LEADING
from train.evaluate.turned import WAYS
from train.export.card import CARD
from train.manifest import Split
from train.measured import measured

HARD = ("two-line", "night", "small", "slanted")
"""What models find hard, and no candidate may be promoted without a look at."""
SLICES = (ALL, *HARD)
OVERALL = {"detector": ("precision_50", "quiet")}
"""What must not be lost over all, besides."""
MODELS: dict[str, str] = {"plate-detector": "detector.weights", "plate-reader": "reader.weights", "plate-layout": "reader.layout_weights"}
"""Names of the weights, and the key of the configuration that they belong to."""
VIEWS = {"turned": len(WAYS)}
"""Pictures of one plate in a part: they are counted as one, because they fail together."""
_READERS = ("reader", "rendered", "turned")
OWN = {"plate-detector": ("detector",), "plate-reader": _READERS, "plate-layout": _READERS}
"""Parts of which one must judge each hard slice."""

Install = Callable[[Path, str, dict[str, Any]], Sequence[str] | None]
"""Puts a candidate into weights/ under a name, with what was measured; gives lines for the model card."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be promoted, and on what it is measured."""

    candidate: Path
    model: str
    on: tuple[Path, ...]
    split: Split | None = "val"
    """None: all rows."""
    margin: float = 1.0
    """Percentage points."""
    min_count: int = 20
    config: Path | None = None
    candidate_config: Path | None = None
    int8: Path | None = None
    """Of a detector: its calibrated OpenVINO form (.xml), which is what is measured then, and what runs by default once it ships."""
    rendered: int | None = None
    """Plates that a reader or layout network is measured on besides; None: as many as each hard slice needs."""
    allow_missing: tuple[str, ...] = ()
    """Of HARD: slices that may have too few plates."""

    @property
    def command(self) -> str:
        """The command line without the folders of the machine."""
        words = ["plate-train promote", self.candidate.name, "--model", self.model, *(f"--on {path.name}" for path in self.on)]
        words += [f"--split {self.split or 'all'}", f"--margin {self.margin:g}", f"--min-count {self.min_count}"]
        files = {"--config": self.config, "--candidate-config": self.candidate_config, "--int8": self.int8}
        words += [f"{option} {path.name}" for option, path in files.items() if path is not None]
        words += [] if self.rendered is None else [f"--rendered {self.rendered}"]
        return " ".join(words + ([f"--allow-missing {','.join(self.allow_missing)}"] if self.allow_missing else []))


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
    def plates(self) -> int:
        """How many it is measured on, not how many pictures of them."""
        return self.after.total // VIEWS.get(self.part, 1)

    @property
    def change(self) -> float:
        """Percentage points."""
        return 100 * (self.after.share - self.before.share)


@dataclass(frozen=True, slots=True)
class Lack:
    """A hard slice with too few plates to judge by."""

    slice: str
    plates: int
    allowed: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a candidate passes, and why not."""

    passes: bool
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    lacks: tuple[Lack, ...] = ()


def verdict(
    current: Mapping[str, Part],
    candidate: Mapping[str, Part],
    margin: float = 1.0,
    min_count: int = 20,
    *,
    own: Sequence[str],
    allowed: Collection[str] = (),
) -> Verdict:
    """Judge a candidate by two measurements on the same data; ``margin`` in percentage points.

    It fails if it loses more than the margin on a slice of SLICES with at least ``min_count`` plates, if none of its ``own`` parts has
    that many on a slice of HARD that is not ``allowed`` to miss, if there are not even that many plates over all, or if the two were
    not measured on the same plates.
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
    lacks = _lacks(checks, own, allowed)
    reasons += [
        f"{lack.slice}: {lack.plates} plates, fewer than {min_count}; add data that has them with --on, or do without: "
        f"--allow-missing {lack.slice}"
        for lack in lacks
        if not lack.allowed
    ]
    return Verdict(not reasons, tuple(reasons), tuple(checks), lacks)


def _lacks(checks: Sequence[Check], own: Sequence[str], allowed: Collection[str]) -> tuple[Lack, ...]:
    judged = [check for check in checks if check.part in own]
    decided = {check.slice for check in judged if check.decides}
    plates = {name: max((check.plates for check in judged if check.slice == name), default=0) for name in HARD}
    return tuple(Lack(name, plates[name], name in allowed) for name in HARD if name not in decided)


def _checks(name: str, before: Part, after: Part, margin: float, min_count: int) -> list[Check]:
    wanted = [(slice_name, LEADING[name]) for slice_name in SLICES] + [(ALL, figure) for figure in OVERALL.get(name, ())]
    found = []
    for slice_name, figure in wanted:
        one, other = (part.slices[slice_name].rates.get(figure) if slice_name in part.slices else None for part in (before, after))
        if one is None or other is None or not one.total or not other.total:
            continue
        decides = min(one.total, other.total) // VIEWS.get(name, 1) >= min_count
        fall = 100 * (one.share - other.share)
        found.append(Check(name, slice_name, figure, one, other, decides, decides and fall > margin + 1e-9))
    return found


def command(request: Request, out: Path | None, *, dry_run: bool = False, install: Install | None = None) -> int:
    """Measure both, print them side by side, and install the candidate if it passes; gives the exit code. Raises UsageError."""
    from train.evaluate import command as evaluation
    from train.evaluate.data import load_samples
    from train.evaluate.rendered import render
    from train.evaluate.turned import turned
    from train.export.install import check_ready

    sides = _sides(request)
    check_ready(request.candidate, request.model, int8=request.int8)
    console = Console()
    console = console if console.is_terminal else Console(width=evaluation.PLAIN_WIDTH)
    data = load_samples(request.on, request.split)
    parts: tuple[What, ...] = ("detector", "end-to-end") if request.model == "plate-detector" else ("reader", "end-to-end")
    made = {"rendered": render(_rendered(request)), "turned": turned(data.samples) if "reader" in parts else []}
    document = evaluation.evaluate(sides, data, request.on, request.split, None, parts, console, made)
    judged = verdict(
        sides[0].parts, sides[1].parts, request.margin, request.min_count, own=OWN[request.model], allowed=request.allow_missing
    )
    console.print(_table(judged, request))
    judged_slices = {(check.part, check.slice) for check in judged.checks}
    if absent := [f"{part} {name}" for part in sides[0].parts for name in SLICES if (part, name) not in judged_slices]:
        console.print(f"no plates to judge by: {', '.join(absent)}", highlight=False)
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
    figures = measured(sides[1].parts, LEADING, SLICES, request.command, datetime.now(UTC).date())
    told = (install or _installer(request.int8))(request.candidate, request.model, figures)
    console.print(f"{request.candidate} is now {request.model}", highlight=False, markup=False)
    for line in told or ():
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if card := _card(request):
        console.print(f"  files, agreement and speed of its forms: {card}", highlight=False, markup=False, soft_wrap=True)
    return 0


def _sides(request: Request) -> list[Side]:
    from streamer import load_config

    key = MODELS.get(request.model)
    if key is None:
        raise UsageError(f"--model {request.model}: must be one of {', '.join(MODELS)}")
    for name in request.allow_missing:
        if name not in HARD:
            raise UsageError(f"--allow-missing {name}: must be of {', '.join(HARD)}, with commas between")
    if not request.candidate.exists():
        raise UsageError(f"{request.candidate}: there is no such file or folder")
    if request.int8 is not None and (request.model != "plate-detector" or not request.int8.with_suffix(".bin").is_file()):
        raise UsageError(f"--int8 {request.int8}: must be the .xml of a detector, with its .bin beside it, as plate-train export writes it")
    current = Side("current", load_config(request.config, {key: request.model}))
    candidate = Side("candidate", load_config(request.candidate_config or request.config, {key: str(request.int8 or request.candidate)}))
    for side in (current, candidate):
        reader = side.config.reader
        if request.model == "plate-layout" and (reader.lines != "learned" or reader.engine == "characters"):
            raise UsageError(
                f"reader.lines {reader.lines}, reader.engine {reader.engine} of the {side.label} configuration: no layout network "
                "is used with them; leave both at their defaults"
            )
    return [current, candidate]


def _rendered(request: Request) -> int:
    if request.model != "plate-detector":
        return COUNT if request.rendered is None else request.rendered
    if request.rendered:
        raise UsageError("--rendered: is for plate-reader and plate-layout; a detector is measured on photographs only")
    return 0


def _card(request: Request) -> Path | None:
    """Give what export wrote about the forms, if it is there."""
    beside = request.int8 or request.candidate
    card = (beside if beside.is_dir() else beside.parent) / CARD
    return card if card.is_file() else None


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
        cells = (c.part, c.slice, c.figure, str(c.plates), _told(c.before), _told(c.after), f"{c.change:+.1f}", word)
        table.add_row(*cells, style="red" if c.lost else None)
    for lack in judged.lacks:
        word = "missing, allowed" if lack.allowed else "missing"
        cells = ("", lack.slice, "", str(lack.plates), "", "", "", word)
        table.add_row(*cells, style=None if lack.allowed else "red")
    return table


def _told(rate: Rate) -> str:
    return f"{100 * rate.share:.1f} %"
