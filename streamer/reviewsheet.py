"""The queue as a table for spreadsheets, and what people typed into it (pure)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from streamer.errors import UsageError
from streamer.review import Truth, parse_truth

COLUMNS: Final = ("event_id", "camera", "time", "crop", "truth", "reason")
_NEEDED: Final = ("event_id", "truth")
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so would be run by a spreadsheet."""


def crop_of(event: Mapping[str, Any], folder: Path) -> Path | None:
    """Give the crop that was read; None if none was kept."""
    return next((folder / picture["file"] for picture in event["evidence"] if picture["kind"] == "crop"), None)


def sheet_of(events: Iterable[Mapping[str, Any]], folder: Path, *, show: bool) -> str:
    """Give the table as CSV (RFC 4180): a row for each event, ``truth`` and ``reason`` empty.

    Args:
        events: their last revisions.
        folder: where the record is.
        show: what the program said is a column, too; who sees it agrees too easily.
    """
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow([*COLUMNS, *(("plate",) if show else ())])
    for event in events:
        row = [event["event_id"], _harmless(event["source"]), event["best"]["time"], _harmless(str(crop_of(event, folder) or "")), "", ""]
        table.writerow([*row, *((event["plate"] or "-",) if show else ())])
    return out.getvalue()


def parse_sheet(text: str, queue: frozenset[str]) -> tuple[dict[str, Truth], list[str]]:
    """Give what people typed.

    Args:
        text: CSV with commas, semicolons or tabs, columns in any order; ``event_id``, ``truth`` and ``reason`` are looked at.
        queue: events that may be reviewed.

    Returns:
        The truth by event, without those left empty; and what is wrong: ``line 3: ...``.

    Raises:
        UsageError: a column is missing.
    """
    table = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=_delimiter(text), restval="")
    missing = [name for name in _NEEDED if name not in (table.fieldnames or ())]
    if missing:
        raise UsageError(f"line 1: the column {' and '.join(missing)} is missing; the first line names the columns: {', '.join(COLUMNS)}")
    truths: dict[str, Truth] = {}
    problems: list[str] = []
    try:
        for row in table:
            try:
                _take(row, queue, truths)
            except UsageError as error:
                problems.append(f"line {table.line_num}: {error}")
    except csv.Error as error:
        problems.append(f"line {table.line_num}: is no CSV: {error}")
    return truths, problems


def _take(row: Mapping[str, Any], queue: frozenset[str], truths: dict[str, Truth]) -> None:
    event_id, truth, reason = (str(row.get(name) or "").strip() for name in ("event_id", "truth", "reason"))
    if not truth and not reason:
        return
    if event_id not in queue:
        raise UsageError(f"{event_id or 'no event_id'}: is not in the queue, or was erased")
    if event_id in truths:
        raise UsageError(f"{event_id}: stands in an earlier line, too")
    truths[event_id] = parse_truth(truth, reason)


def _delimiter(text: str) -> str:
    first: Sequence[str] = text.splitlines()[:1]
    return max(",;\t", key=first[0].count) if first else ","


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULAS) else text
