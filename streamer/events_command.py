"""``plate-streamer events``: looks for events in the record."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from streamer.audit import NAMED, Looking
from streamer.errors import UsageError
from streamer.events import plate_label
from streamer.eventtables import Row, check_parquet, row_of, write_csv, write_parquet
from streamer.moments import moment_of
from streamer.privacy import KeyRing
from streamer.pseudonyms import by_pseudonym
from streamer.search import clean_pattern
from streamer.store import STORE, Store
from streamer.store.query import STATES, Found, Key, Page, Query
from streamer.store.search import Search

_ABSENT: Final = "-"
_PLATES: Final = ("plate", "pseudonyms")
"""What of a query the audit log has in a form of its own."""
_WIDTH_WITHOUT_TERMINAL: Final = 200
"""Where the output is no terminal, rich assumes 80 columns and would break the table."""
_MOST_IN_TABLE: Final = 10_000
"""A table is laid out as a whole."""
_HELD: Final = 10_000
"""So many events are read before the first is shown, so that the audit log says how many there were."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of the events that are found are shown, and how."""

    form: Literal["table", "json", "csv"] = "table"
    parquet: Path | None = None
    """File to write instead."""
    limit: int = 100
    """0: all."""
    after: Key | None = None
    """Where an earlier page ended."""

    @classmethod
    def of(cls, *, json: bool, csv: bool, parquet: Path | None, limit: int, after: str | None) -> Wanted:
        """Take what was typed. Raises UsageError."""
        if json + csv + (parquet is not None) > 1:
            raise UsageError("--json, --csv and --parquet: one of them at a time")
        key = None if after is None else Key.parse(after)
        return cls("json" if json else "csv" if csv else "table", parquet, limit, key)


def query_of(
    *,
    since: str | None,
    until: str | None,
    cameras: Sequence[str],
    plate: str | None,
    fuzzy: int | None,
    states: Sequence[str],
    min_score: float | None,
    country: str | None,
    no_plate: bool,
    now: datetime,
) -> Query:
    """Give what was typed as a query. Raises UsageError."""
    unknown = sorted(set(states) - set(STATES))
    if unknown:
        raise UsageError(f"there is no state {unknown[0]!r}; there are {', '.join(STATES)}")
    return Query(
        since=None if since is None else moment_of(since, now),
        until=None if until is None else moment_of(until, now),
        cameras=tuple(cameras),
        plate=None if plate is None else clean_pattern(plate),
        edits=fuzzy,
        states=frozenset(states),
        min_score=min_score,
        country=None if country is None else country.upper(),
        no_plate=no_plate,
    )


def run_events(folder: Path, query: Query, wanted: Wanted, looking: Looking, keys: KeyRing | None = None) -> int:
    """Show the events that are found, once that is in the audit log; a program may be recording meanwhile.

    ``keys``: of the pseudonyms in the record, if there are any.

    Raises UsageError, MissingPackageError, StoreError.
    """
    if wanted.parquet is not None:
        check_parquet()
    if not wanted.limit and wanted.form == "table" and wanted.parquet is None:
        wanted = Wanted(limit=_MOST_IN_TABLE, after=wanted.after)
    with Store(folder / STORE, read_only=True) as store, _reader_may_leave():
        search = Search(store)
        query, hint = by_pseudonym(query, search, keys)
        if hint is not None:
            sys.stderr.write(f"{hint}\n")
        pages = search.all(query, after=wanted.after, limit=wanted.limit or None)
        shown = _Shown(_noted(pages, query, looking), near=query.edits is not None)
        if wanted.parquet is not None:
            write_parquet(shown.rows(), wanted.parquet)
        elif wanted.form == "json":
            for page in shown.pages():
                sys.stdout.writelines(found.stored.line + "\n" for found in page.found)
        elif wanted.form == "csv":
            write_csv(shown.rows(), sys.stdout)
        else:
            _print_table(shown.rows(), near=query.edits is not None)
        sys.stdout.flush()
    _say_how_many(shown, query, wanted)
    return 0


def _noted(pages: Iterator[Page], query: Query, looking: Looking) -> Iterator[Page]:
    """Give pages on once they are in the audit log. Of very many the first ones are, and at the end how many were given."""
    held: list[Page] = []
    for page in pages:
        held.append(page)
        if sum(len(one.found) for one in held) >= _HELD:
            break
    found = [one.stored.event_id for page in held for one in page.found]
    asked = _asked(query) | ({"at_least": True} if len(found) >= _HELD else {})
    looking.note("search", len(found), plate=query.plate, events=tuple(found) if len(found) <= NAMED else (), more=asked)
    given = 0
    try:
        for page in chain(held, pages):
            given += len(page.found)
            yield page
    finally:
        if len(found) >= _HELD:
            looking.note("search", given, plate=query.plate, more=_asked(query) | {"ended": True})


def _asked(query: Query) -> dict[str, Any]:
    """Give what else than a plate was asked for, as JSON values."""
    asked = asdict(query) | {"cameras": list(query.cameras), "states": sorted(query.states)}
    return {name: value for name, value in asked.items() if name not in _PLATES and value not in (None, [], False)}


class _Shown:
    """Pages on their way out, and what is known of them afterwards."""

    def __init__(self, pages: Iterator[Page], *, near: bool) -> None:
        self._pages = pages
        self._near = near
        self.number = 0
        self.after: Key | None = None

    def pages(self) -> Iterator[Page]:
        for page in self._pages:
            self.number += len(page.found)
            self.after = page.after
            yield page

    def rows(self) -> Iterator[list[Row]]:
        for page in self.pages():
            yield [self._row(found) for found in page.found]

    def _row(self, found: Found) -> Row:
        return row_of(json.loads(found.stored.line), found.distance if self._near else None)


def _say_how_many(shown: _Shown, query: Query, wanted: Wanted) -> None:
    """Tell on standard error what came out, and how to see more."""
    if shown.after is not None:
        sys.stderr.write(f"{shown.number} events; there may be more: --after {shown.after}\n")
    elif wanted.parquet is not None:
        sys.stderr.write(f"{wanted.parquet}: {shown.number} events\n")
    elif not shown.number and query.plate is not None and query.edits is None:
        sys.stderr.write("no events; --fuzzy 0 finds look-alikes such as O and 0, too, --fuzzy 1 one other character\n")
    elif wanted.form == "table":
        sys.stderr.write(f"{shown.number or 'no'} events\n")


def _print_table(pages: Iterator[list[Row]], *, near: bool) -> None:
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console = Console(width=_WIDTH_WITHOUT_TERMINAL, markup=False, highlight=False, emoji=False)
    table = Table(box=SIMPLE_HEAD)
    names = ("time (UTC)", "camera", "plate", "score", "country", "state", *(["far"] if near else []), "event")
    for name in names:
        table.add_column(name, no_wrap=name in ("plate", "event"), overflow="fold", justify="right" if name in ("score", "far") else "left")
    for rows in pages:
        for row in rows:
            far = [f"{row['distance']:.2f}"] if near else []
            score = _ABSENT if row["score"] is None else f"{row['score']:.2f}"
            time = row["time"].replace("T", " ")[:19]
            camera = row["camera"].encode("utf-8", "backslashreplace").decode()
            table.add_row(time, camera, _label(row), score, row["country"] or _ABSENT, row["state"], *far, row["event_id"])
    if table.row_count:
        console.print(table)


def _label(row: dict[str, Any]) -> str:
    """Give the plate, and what it was before somebody corrected it; why there is none."""
    decided = row["decided"]
    if row["state"] == "corrected":
        return f"{row['plate'] or 'no plate'} (corrected, was {decided or 'no plate'})"
    return f"{_ABSENT} ({row['reason']})" if decided is None else plate_label(decided, row["unread_chars"])


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """Be quiet when who reads the output has seen enough, as ``head`` does."""
    try:
        yield
    except BrokenPipeError:
        # Python flushes standard output once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
