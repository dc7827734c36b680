"""``plate-streamer report``: how good the record is, in the words of contracts."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from streamer import private
from streamer.audit import Looking
from streamer.errors import UsageError
from streamer.events import utc_text
from streamer.moments import moment_of
from streamer.qualitypage import HEAD, MISS_HEAD, best_text, cells, html_of, miss_cells, rate_text, span_text
from streamer.qualityplots import draw
from streamer.qualityreport import Report, report_of
from streamer.qualitywords import HOW, RATES, REASONS
from streamer.sink_table import plain
from streamer.store import STORE, Store
from streamer.store.reviews import Reviews
from streamer.store.samples import Span

_WIDTH_WITHOUT_TERMINAL: Final = 200
_LISTED_IN_PAGE: Final = 10_000
_COUNTS: Final = ("camera", "day", "vehicles")
_REASON: Final = 2
"""Place of the reason in a row of a miss."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What to make besides the tables."""

    as_json: bool = False
    html: Path | None = None
    png: Path | None = None
    misses: bool = False
    """Each passage without a plate is listed."""


def span_of(since: str | None, until: str | None, cameras: Sequence[str], now: datetime) -> Span:
    """Give the days and cameras that somebody typed; a time stands for its day (UTC).

    Raises:
        UsageError: one is no point in time, or there are no days between them.
    """
    first, last = (None if text is None else moment_of(text, now)[:10] for text in (since, until))
    if first is not None and last is not None and first >= last:
        raise UsageError(f"from {first} to before {last}: there is no whole day (UTC); reports go by days")
    return Span(first, last, tuple(cameras))


def run_report(folder: Path, span: Span, *, counts: Path | None, allowed_error: float, outputs: Outputs, looking: Looking) -> int:
    """Print the report and write its page and pictures; the program may be recording meanwhile. Gives 1 if there are no events.

    It is in the audit log before anything of it is shown.

    Args:
        folder: where the record is.
        span: which days and cameras.
        counts: CSV of vehicles that passed, by camera and day.
        allowed_error: 0..1, what the contract allows.
        outputs: what to make.
        looking: notes who looks.

    Raises:
        UsageError: there is no store, the counts have mistakes (all are named), or a file cannot be written.
        MissingPackageError: pictures are asked for and cannot be drawn.
        StoreError: the record cannot be read.
    """
    vehicles = _counts(counts) if counts is not None else {}
    with Store(folder / STORE, read_only=True) as store:
        reviews = Reviews(store)
        material = reviews.material(span)
        if not material.events:
            sys.stderr.write(f"{folder / STORE}: there are no passages{'' if span == Span() else ' of these days and cameras'}\n")
            return 1
        asked = {"since": span.since, "until": span.until, "cameras": list(span.cameras), "misses": outputs.misses}
        looking.note("report", sum(material.events.values()), more={name: value for name, value in asked.items() if value})
        made_at = utc_text(datetime.now(UTC))
        report = report_of(material, vehicles, since=span.since, until=span.until, allowed_error=allowed_error, made_at=made_at)
        _write(report, reviews, span, outputs)
        if outputs.as_json:
            listed = {"listed_misses": [_miss(event) for event in reviews.misses(span)]} if outputs.misses else {}
            sys.stdout.write(json.dumps(document_of(report) | listed, ensure_ascii=True) + "\n")
        else:
            _print(report, _console())
            if outputs.misses:
                _print_table(_console(), "each passage without a plate", MISS_HEAD, (miss_cells(event) for event in reviews.misses(span)))
    return 0


def document_of(report: Report) -> dict[str, Any]:
    """Give the report as JSON values, with what its words mean."""
    return asdict(report) | {"definitions": dict(RATES), "method": list(HOW), "reasons": dict(REASONS)}


def _write(report: Report, reviews: Reviews, span: Span, outputs: Outputs) -> None:
    """Write the page and the pictures."""
    if outputs.html is None and outputs.png is None:
        return
    pictures = draw(report)
    files = {} if outputs.png is None else {outputs.png / f"{name}.png": content for name, content in pictures.items()}
    if outputs.html is not None:
        misses = list(islice(reviews.misses(span), _LISTED_IN_PAGE)) if outputs.misses else None
        files[outputs.html] = html_of(report, pictures, misses)
    for file, content in files.items():
        try:
            private.make_folder(file.parent)
            private.write_whole(file, content)
        except OSError as error:
            raise UsageError(f"{file}: cannot be written: {error.strerror or error}") from error
        sys.stderr.write(f"{file}\n")


def _print(report: Report, console: Console) -> None:
    console.print(f"{span_text(report)} (UTC)")
    for note in report.notes:
        console.print(plain(f"note: {note}"))
    _print_table(console, "how good the record is", HEAD, (cells(one) for one in report.figures), right=2)
    everything = report.figures[0]
    for name in RATES:
        rate = everything.rates[name]
        console.print(plain(f"{name.replace('_', ' ')}: {rate_text(rate)}  {RATES[name]}"))
    if everything.exclusions:
        console.print(plain("excluded: " + ", ".join(f"{name} {count}" for name, count in everything.exclusions.items())))
    missed = ((one.reason, REASONS.get(one.reason, ""), str(one.events), rate_text(one.readable)) for one in report.missed)
    _print_table(console, "passages without a plate", ("reason", "", "events", "a person can read"), missed, right=2)
    rows = ((one.camera, one.day, one.reason, str(one.events)) for one in report.misses)
    _print_table(console, "by camera and day", ("camera", "day (UTC)", "reason", "events"), rows, right=3)
    if report.reliability.bins:
        told = report.reliability.expected_error
        bins = ((f"{b.least:.3f} to {b.most:.3f}", f"{b.score:.3f}", rate_text(b.right), str(b.right.of)) for b in report.reliability.bins)
        title = f"what scores are worth; expected calibration error {told:.3f}"
        _print_table(console, title, ("score", "mean", "right", "reviewed"), bins, right=1)
    console.print(best_text(report))
    console.print("How it was worked out:", *HOW, sep="\n  ")


def _print_table(console: Console, title: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, right: int = 99) -> None:
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left")
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number >= right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(plain, row))
    if table.row_count:
        console.print(table)


def _miss(event: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(MISS_HEAD, miss_cells(event), strict=True)) | {"looks": event["looks"], "reads": event["reads"]}


def _counts(file: Path) -> dict[tuple[str, str], int]:
    """Give the vehicles by camera and day. Raises UsageError that names every wrong line."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read as CSV in UTF-8: {error}") from error
    table = csv.DictReader(io.StringIO(text, newline=""), restval="")
    if not set(_COUNTS) <= set(table.fieldnames or ()):
        raise UsageError(f"{file}: line 1: the first line names the columns: {','.join(_COUNTS)}")
    found: dict[tuple[str, str], int] = {}
    problems = []
    try:
        for row in table:
            camera, day, vehicles = (str(row[name] or "").strip() for name in _COUNTS)
            problem = _wrong_count(camera, day, vehicles, found)
            if problem:
                problems.append(f"{file}: line {table.line_num}: {problem}")
            else:
                found[camera, day] = int(vehicles)
    except csv.Error as error:
        problems.append(f"{file}: line {table.line_num}: is no CSV: {error}")
    if problems:
        raise UsageError("\n".join(problems))
    return found


def _wrong_count(camera: str, day: str, vehicles: str, found: dict[tuple[str, str], int]) -> str | None:
    try:
        known = date.fromisoformat(day).isoformat() == day
    except ValueError:
        known = False
    if not camera:
        return "which camera?"
    if not known:
        return f"{day or 'no day'}: write the day (UTC) as 2026-05-01"
    if not (vehicles.isascii() and vehicles.isdigit()):
        return f"{vehicles or 'nothing'}: is no number of vehicles"
    return f"{camera} {day}: stands in an earlier line, too" if (camera, day) in found else None


def _console() -> Console:
    console = Console(markup=False, highlight=False, emoji=False, soft_wrap=False)
    return console if console.is_terminal else Console(width=_WIDTH_WITHOUT_TERMINAL, markup=False, highlight=False, emoji=False)
