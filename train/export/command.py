"""``plate-train export``: all forms of a model, compared with the original and timed, a table and a file of results."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.errors import StreamerError, UsageError
from train.export.agreement import Tolerance
from train.export.card import CARD, card
from train.export.form import FORMS, Model, Run
from train.export.pictures import read_samples
from train.export.plain import WORK
from train.export.speed import milliseconds

if TYPE_CHECKING:
    from rich.console import Console

ORIGINAL = "original"
TIMED = 8
"""Pictures that times are taken on."""


@dataclass(slots=True)
class Outcome:
    """What came of one form."""

    form: str
    state: str
    """original, same, differs, skipped or failed."""
    why: str = ""
    files: list[str] = field(default_factory=list)
    megabytes: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)
    milliseconds: float | None = None
    times_as_fast: float | None = None
    """As the original."""


def chosen_forms(given: str) -> list[str]:
    """Read a list with commas; empty: all. Raises UsageError naming an unknown one."""
    forms = [name.strip() for name in given.split(",") if name.strip()] or list(FORMS)
    for name in forms:
        if name not in FORMS:
            raise UsageError(f"--formats {name}: unknown; known: {', '.join(FORMS)}")
    return forms


def run_export(
    weights: Path,
    out: Path,
    forms: Sequence[str],
    pictures: Sequence[Path],
    *,
    size: int,
    threads: int,
    tolerance: Tolerance,
    console: Console,
) -> bool:
    """Write the forms of a detector (.pt) or reader (folder) into ``out``, with ``export.json`` and ``card.md``; say whether all agree.

    Files of a form whose answers differ by more than the tolerance are removed. Raises UsageError if ``weights`` is neither,
    or if there are no pictures.
    """
    model = _model(weights, out, pictures, size, threads, tolerance)
    outcomes = [Outcome(ORIGINAL, ORIGINAL)]
    runs: dict[str, Run] = {ORIGINAL: model.load(None)}
    answers = [runs[ORIGINAL](picture) for picture in model.pictures]
    for form in forms:
        with console.status(f"{form}: making it and comparing {len(model.pictures)} answers"):
            outcomes.append(_one(model, form, runs, answers))
    with console.status("taking times"):
        times = milliseconds(runs, model.pictures[:TIMED])
    for outcome in outcomes:
        if outcome.form in times:
            outcome.milliseconds = round(times[outcome.form], 2)
            outcome.times_as_fast = round(times[ORIGINAL] / times[outcome.form], 2)
    shutil.rmtree(out / WORK, ignore_errors=True)
    report = {
        "weights": weights.name,
        "size": None if weights.is_dir() else size,
        "threads": threads,
        "pictures": len(model.pictures),
        "tolerance": asdict(tolerance),
        "forms": [asdict(o) for o in outcomes],
    }
    (out / "export.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    (out / CARD).write_text(card(report), "utf-8")
    _show(outcomes, weights, console)
    return all(outcome.state not in ("differs", "failed") for outcome in outcomes)


def _model(weights: Path, out: Path, pictures: Sequence[Path], size: int, threads: int, tolerance: Tolerance) -> Model:
    if not pictures:
        raise UsageError("--calibrate: missing; give a manifest or a folder of pictures: answers are compared on them, int8 is calibrated")
    if not weights.exists():
        raise UsageError(f"{weights}: there is no such file or folder; give a detector's .pt file or a reader's folder")
    out.mkdir(parents=True, exist_ok=True)
    if weights.is_dir():
        from train.export.reader import ReaderForms

        return ReaderForms(weights, out, read_samples(*pictures, crops=True), threads, tolerance)
    if weights.suffix != ".pt":
        raise UsageError(f"{weights}: is neither a detector's .pt file nor a reader's folder")
    from train.export.yolo import yolo_forms

    return yolo_forms(weights, out, pictures, size, threads, tolerance)


def _one(model: Model, form: str, runs: dict[str, Run], answers: Sequence[Any]) -> Outcome:
    if why := model.lacks(form):
        return Outcome(form, "skipped", why)
    try:
        files = model.make(form)
        run = model.load(form)
        agreement = model.compare(answers, [run(picture) for picture in model.pictures], form)
    except StreamerError as error:
        return Outcome(form, "failed", str(error))
    names, size = [file.name for file in files], round(sum(file.stat().st_size for file in files) / 1e6, 1)
    figures = {name: round(value, 6) for name, value in agreement.figures.items()}
    if not agreement.same:
        for file in files:
            if file.name not in ("inference.onnx", "inference.yml"):
                file.unlink()
        return Outcome(form, "differs", "its files were removed", names, size, figures)
    runs[form] = run
    return Outcome(form, "same", "", names, size, figures)


def _show(outcomes: Sequence[Outcome], weights: Path, console: Console) -> None:
    from rich.table import Table

    table = Table(
        "form", "answers", "MB", "ms", "times as fast", "figures", title=f"{weights.name}, one picture at a time", title_justify="left"
    )
    for o in outcomes:
        figures = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in o.figures.items())
        speed = ["" if value is None else f"{value:.{digits}f}" for value, digits in ((o.milliseconds, 1), (o.times_as_fast, 2))]
        table.add_row(o.form, o.state, f"{o.megabytes:.1f}" if o.files else "", *speed, "; ".join(filter(None, (figures, o.why))))
    console.print(table)
