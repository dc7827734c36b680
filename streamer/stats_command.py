"""``plate-streamer stats``: what the record says of many events at once."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from streamer.audit import Looking
from streamer.moments import moment_of
from streamer.store import STORE, Store
from streamer.store.search import Search
from streamer.store.statistics import BUCKETS, VISITS, Period, Span, Statistics, StatisticsOf, Visitors

MOST: Final = 20
"""Plates that are named with ``--show-plates``."""
_WIDTH_WITHOUT_TERMINAL: Final = 200
_BAR: Final = 40
"""Characters of the longest bar."""
_CAMERA_COLUMNS: Final = 8
"""More cameras have a table of their own instead."""
_HOURS_UP_TO_DAYS: Final = 3
_DAYS_UP_TO_DAYS: Final = 92


@dataclass(frozen=True, slots=True)
class Shape:
    """What is shown, and how."""

    by: Period | None = None
    """None: hours, days or months, by the length of the span."""
    show_plates: bool = False
    visitors: bool = False
    """Count visitors of long spans, too."""
    as_json: bool = False
    png: Path | None = None
    """File for a picture of the counts, too."""


def span_of(*, since: str | None, until: str | None, cameras: Sequence[str], now: datetime) -> Span:
    """Give what was typed as a span. Raises UsageError."""
    moments = [None if text is None else moment_of(text, now) for text in (since, until)]
    return Span(moments[0], moments[1], tuple(cameras))


def run_stats(folder: Path, span: Span, shape: Shape, looking: Looking) -> int:
    """Show counts of events, once that is in the audit log; a program may be recording meanwhile. Plates are named only if asked for.

    Raises UsageError, MissingPackageError, StoreError.
    """
    if shape.png is not None:
        from streamer.statsplot import check_plots

        check_plots()
    with Store(folder / STORE, read_only=True) as store:
        counts = StatisticsOf(store)
        by = shape.by or _fitting(span, counts.ends())
        found = counts.count(span, by=by, most=MOST if shape.show_plates else 0, visitors=shape.visitors)
        keys = len(Search(store).pseudonym_keys())
    asked = {"since": span.since, "until": span.until, "cameras": list(span.cameras), "show_plates": shape.show_plates}
    looking.note("stats", found.events, more={name: value for name, value in asked.items() if value})
    if shape.as_json:
        sys.stdout.write(json.dumps(as_json(found, by) | {"pseudonym_keys": keys}) + "\n")
    else:
        _print(found, by)
        if keys and found.visitors is not None:
            again = "" if keys == 1 else ": a vehicle that came before and after a change of the key counts as two"
            sys.stdout.write(f"the record holds pseudonyms, by {keys} {'key' if keys == 1 else 'keys'}{again}\n")
    if shape.png is not None:
        from streamer.statsplot import plot

        plot(found, by, shape.png)
        sys.stderr.write(f"{shape.png}: written\n")
    return 0


def as_json(found: Statistics, by: Period) -> dict[str, Any]:
    """Give statistics as JSON values."""
    periods: dict[str, dict[str, int]] = {}
    for (period, source), events in found.by_period.items():
        periods.setdefault(period, {})[source] = events
    plateless = sum(found.by_reason.values())
    visitors = found.visitors
    return {
        "events": found.events,
        "by": by,
        "periods": periods,
        "cameras": dict(_cameras(found)),
        "scores": [{"from": n / BUCKETS, "to": (n + 1) / BUCKETS, "events": events} for n, events in enumerate(found.by_score)],
        "typed_by_people": found.typed,
        "without_plate": {"events": plateless, "share": _share(plateless, found.events), "reasons": dict(found.by_reason)},
        "countries": {country or "unknown": events for country, events in found.by_country.items()},
        "plates": None if visitors is None else _visitors_json(visitors),
    }


def _visitors_json(visitors: Visitors) -> dict[str, Any]:
    return {
        "different": visitors.plates,
        "seen_again": visitors.repeated,
        "by_times": {str(times): plates for times, plates in sorted(visitors.by_times.items())},
        "most": [{"plate": plate, "times": times} for plate, times in visitors.most],
    }


def _fitting(span: Span, ends: tuple[str, str] | None) -> Period:
    """Choose the period that gives neither one row nor hundreds."""
    if ends is None:
        return "day"
    first, last = (datetime.fromisoformat(time) for time in (max(span.since or "", ends[0]), min(span.until or "9", ends[1])))
    days = (last - first).total_seconds() / 86400
    return "hour" if days <= _HOURS_UP_TO_DAYS else "day" if days <= _DAYS_UP_TO_DAYS else "month"


def _print(found: Statistics, by: Period) -> None:
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console = Console(width=_WIDTH_WITHOUT_TERMINAL, markup=False, highlight=False, emoji=False)
    console.print(f"{found.events} events")
    if not found.events:
        return
    console.print(_periods_table(found, by))
    console.print(_bars("camera", {_printable(camera): events for camera, events in _cameras(found)}))
    scores = {f"{n / BUCKETS:.2f} to {(n + 1) / BUCKETS:.2f}": events for n, events in enumerate(found.by_score)}
    console.print(_bars("score", scores | ({"typed by people": found.typed} if found.typed else {})))
    plateless = sum(found.by_reason.values())
    console.print(_bars("plate", {"read": found.events - plateless} | {f"none: {reason}": n for reason, n in found.by_reason.items()}))
    console.print(_bars("country", {country or "unknown": events for country, events in found.by_country.items()}))
    if found.visitors is None:
        console.print("how often plates came again is counted for so many events only if it is asked for: --visitors")
    else:
        _print_visitors(console, found.visitors)


def _print_visitors(console: Console, visitors: Visitors) -> None:
    console.print(_bars("plate was seen", classes_of(visitors.by_times), unit="plates"))
    console.print(f"{visitors.plates} different plates, {visitors.repeated} of them seen more than once")
    if visitors.most:
        console.print(_bars("plate", dict(visitors.most), unit="times", shares=False))


def classes_of(by_times: Mapping[int, int]) -> dict[str, int]:
    """Give how many plates were seen how often, in classes."""
    classes = {}
    for low, high in VISITS:
        name = "once" if high == 1 else f"{low} times" if low == high else f"{low} to {high} times" if high else f"{low} times or more"
        classes[name] = sum(plates for times, plates in by_times.items() if low <= times and (high is None or times <= high))
    return classes


def _periods_table(found: Statistics, by: Period) -> Table:
    """Give a row a period and a column a camera, unless these are many."""
    cameras = [camera for camera, _ in _cameras(found)]
    totals: Counter[str] = Counter()
    for (period, _), events in found.by_period.items():
        totals[period] += events
    if len(cameras) > _CAMERA_COLUMNS:
        cameras = []
    table = Table(box=SIMPLE_HEAD)
    table.add_column(f"{by.replace('_', ' ')} (UTC)", no_wrap=True)
    for camera in (*map(_printable, cameras), "all"):
        table.add_column(camera, justify="right", overflow="fold")
    for period, total in totals.items():
        events_of = (str(found.by_period.get((period, camera), 0)) for camera in cameras)
        table.add_row(period.replace("T", " "), *events_of, str(total))
    return table


def _cameras(found: Statistics) -> list[tuple[str, int]]:
    """Give the cameras and their events, the busiest first."""
    events: Counter[str] = Counter()
    for (_, source), number in found.by_period.items():
        events[source] += number
    return sorted(events.items(), key=lambda pair: (-pair[1], pair[0]))


def _bars(name: str, counts: Mapping[str, int], unit: str = "events", *, shares: bool = True) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column(name, no_wrap=True)
    table.add_column(unit, justify="right")
    table.add_column("share" if shares else "", justify="right")
    table.add_column("")
    total, most = sum(counts.values()), max(counts.values(), default=0)
    for label, number in counts.items():
        share = f"{100 * _share(number, total):.1f} %" if shares else ""
        table.add_row(label, str(number), share, "#" * round(_BAR * _share(number, most)))
    return table


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
