"""A report as one HTML page that needs nothing from elsewhere, and the texts of its figures (pure)."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

from streamer.events import Event
from streamer.quality import Rate
from streamer.qualityreport import Figures, Report
from streamer.qualitywords import HOW, RATES, REASONS
from streamer.review import EXCLUSIONS

SHOWN: Final = ("capture", "yield", "error", "read_rate", "excluded", "unreadable")
"""Rates in the main table; the others stand below it, for all events."""
HEAD: Final = ("camera", "day (UTC)", "events", "with a plate", "reviewed", *(name.replace("_", " ") for name in SHOWN))
_STYLE: Final = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1f2328}"
    "table{border-collapse:collapse;margin:1rem 0}"
    "td,th{padding:.25rem .8rem .25rem 0;vertical-align:top;text-align:left;border-bottom:1px solid #d0d7de}"
    "td.n,th.n{text-align:right;white-space:nowrap}tr.all td{font-weight:600}tr.camera td{background:#f6f8fa}img{max-width:100%}"
    ".note{border-left:4px solid #bf8700;padding:.2rem .8rem;margin:.4rem 0}dt{font-weight:600}dd{margin:0 0 .6rem 0}"
)
_CAPTIONS: Final = {
    "yield-error": "Yield against error as plates with low scores are withheld",
    "reliability": "How often plates are right, by score; the figures are reviewed events",
    "misses": "Passages without a plate",
}


def rate_text(rate: Rate | None) -> str:
    """Give a rate as ``92.3 % [88.1, 95.4]``; a dash where it cannot be told."""
    if rate is None:
        return "-"
    return f"{100 * rate.value:.1f} % [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"


def cells(figures: Figures) -> list[str]:
    """Give the row of the main table."""
    reviewed = f"{figures.reviewed} of {figures.queued}"
    counts = (str(figures.events), str(figures.given), reviewed)
    return [figures.camera or "all", figures.day or "all", *counts, *(rate_text(figures.rates[name]) for name in SHOWN)]


def best_text(report: Report) -> str:
    """Say at which score the contract's error is kept."""
    if not report.curve:
        return "yield against error: not enough was reviewed"
    if report.best is None:
        return f"an error of {100 * report.allowed_error:g} % or less: at no score"
    best = report.best
    return (
        f"an error of {100 * report.allowed_error:g} % or less: with scores of {best.threshold:.4f} or more; yield"
        f" {100 * best.share:.1f} %, error {rate_text(best.error)}, from {best.error.of} plates"
    )


def html_of(report: Report, pictures: Mapping[str, bytes], misses: Iterable[Event] | None) -> bytes:
    """Give the page, UTF-8.

    Args:
        report: what it is about.
        pictures: PNG by name, see ``qualityplots.draw``.
        misses: the passages without a plate, to be listed; None: they are counted only.
    """
    parts = [f"<!doctype html><html lang=en><meta charset=utf-8><title>How good the record is</title><style>{_STYLE}</style>"]
    parts.append(
        f"<h1>How good the record is</h1><p>{escape(span_text(report))}; made {escape(report.made_at[:19].replace('T', ' '))} UTC</p>"
    )
    parts += [f"<p class=note>{escape(note)}</p>" for note in report.notes]
    parts.append(_table(HEAD, [cells(one) for one in report.figures], numbers=2, classes=[_class_of(one) for one in report.figures]))
    parts.append("<h2>All events</h2>" + _table(("rate", "", "rests on"), list(_all_rates(report.figures[0])), numbers=1))
    if report.figures[0].exclusions:
        excluded = [(name, EXCLUSIONS[name], str(count)) for name, count in report.figures[0].exclusions.items()]
        parts.append("<h3>Excluded</h3>" + _table(("reason", "", "reviewed events"), excluded, numbers=2))
    parts.append(f"<h2>Scores</h2><p>{escape(best_text(report))}</p>" + _figures(pictures, ("yield-error", "reliability")))
    parts.append("<h2>Misses: passages without a plate, and why</h2>" + _figures(pictures, ("misses",)))
    missed = [(one.reason, REASONS.get(one.reason, ""), str(one.events), rate_text(one.readable)) for one in report.missed]
    parts.append(_table(("reason", "", "events", "a person can read"), missed, numbers=2))
    rows = [(one.camera, one.day, one.reason, str(one.events)) for one in report.misses]
    parts.append(_table(("camera", "day (UTC)", "reason", "events"), rows, numbers=3))
    if misses is not None:
        parts.append("<h3>Each of them</h3>" + _table(MISS_HEAD, [miss_cells(event) for event in misses], numbers=9))
    parts.append(_words())
    return "\n".join(parts).encode("utf-8", "backslashreplace")


MISS_HEAD: Final = ("time", "camera", "reason", "looks", "reads", "event", "picture")


def miss_cells(event: Event) -> list[str]:
    """Give the row of a passage without a plate; what was read of it is left out."""
    picture = next((one["file"] for one in event["evidence"]), "-")
    counts = (str(event["looks"]), str(event["reads"]))
    return [event["best"]["time"], event["source"], event["reason"] or "unknown", *counts, event["event_id"], picture]


def span_text(report: Report) -> str:
    """Say which days it is about."""
    since, until = report.since or "the beginning", report.until
    return f"days from {since} on" if until is None else f"days from {since} on, before {until}"


def _all_rates(figures: Figures) -> Iterable[Sequence[str]]:
    for name in RATES:
        rate = figures.rates[name]
        yield name.replace("_", " "), rate_text(rate), f"{rate.of} reviewed events" if rate else ""


def _class_of(figures: Figures) -> str:
    return "all" if figures.camera is None else "camera" if figures.day is None else "day"


def _words() -> str:
    terms = "".join(f"<dt>{escape(name.replace('_', ' '))}</dt><dd>{escape(text)}</dd>" for name, text in RATES.items())
    return f"<h2>What the words mean</h2><dl>{terms}</dl><h2>How it was worked out</h2>" + "".join(f"<p>{escape(text)}</p>" for text in HOW)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: int, classes: Sequence[str] | None = None) -> str:
    """Give a table; columns from ``numbers`` on are set to the right."""
    top = "".join(f"<th{_side(column, numbers)}>{escape(name)}</th>" for column, name in enumerate(head))
    body = []
    for number, row in enumerate(rows):
        kind = f" class={classes[number]}" if classes else ""
        body.append(
            f"<tr{kind}>" + "".join(f"<td{_side(column, numbers)}>{escape(text)}</td>" for column, text in enumerate(row)) + "</tr>"
        )
    return f"<table><tr>{top}</tr>{''.join(body)}</table>"


def _side(column: int, numbers: int) -> str:
    return " class=n" if column >= numbers else ""


def _figures(pictures: Mapping[str, bytes], names: Iterable[str]) -> str:
    found = [(name, base64.b64encode(pictures[name]).decode()) for name in names if name in pictures]
    return "".join(
        f'<figure><img alt="{escape(_CAPTIONS[name])}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(_CAPTIONS[name])}</figcaption></figure>"
        for name, data in found
    )
