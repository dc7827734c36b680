"""Events found again: newest first, or those with the nearest plates first; page by page.

Made for ten million events: whatever is asked for, one index gives the rows in their order, or gives few of them. Pages go on by key, never
by counting rows, and show the record as it was when the first of them was read: each event stands on one page, whatever is recorded
meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

import sqlalchemy as sa

from streamer.events import PSEUDONYM
from streamer.search import beyond, is_pattern, near, places_of, skeleton
from streamer.store import PAGE, Store, StoredEvent
from streamer.store import tables as t
from streamer.store.patterns import begins, matches, matching
from streamer.store.query import Found, Key, Page, Query

MOST_TEXTS: Final = 2000
"""If more plates match a pattern, going through the events by time finds some soon enough."""
FEW_EVENTS: Final = 20_000
"""A span of time with no more events than this is gone through, whatever is asked for."""
_COUNTED: Final = 20_000
"""Counts for estimates end here."""
_CHUNK: Final = 500
_CHANGED: Final[Any] = sa.text("state IN ('corrected', 'withdrawn')")
"""As in the index, so that it can be taken."""


class Search:
    """Looks into a store, which may be open for reading only. All methods may be called from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(self, query: Query, *, after: Key | None = None, limit: int = 100) -> Page:
        """Give up to ``limit`` events (at most ``PAGE``), newest first; with ``edits``, those with the nearest plates first.

        Args:
            query: what is looked for; the same for all pages.
            after: that of the page before.
            limit: how many.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._store.transaction("searched") as connection:
            snapshot = after.snapshot if after else int(connection.execute(sa.select(t.head.c.sequence)).scalar_one())
            rows = _Look(connection, query, snapshot, min(limit, PAGE)).rows(after)
            lines = _lines(connection, [row.entry for _, row in rows])
        found = [
            Found(StoredEvent(row.sequence, row.event_id, row.revision, lines[row.entry]), row.text, distance)
            for distance, row in rows
            if row.entry in lines
        ]
        full = len(rows) == min(limit, PAGE)
        return Page(tuple(found), Key(snapshot, rows[-1][0], rows[-1][1].best_time, rows[-1][1].sequence) if rows and full else None)

    def all(self, query: Query, *, after: Key | None = None, limit: int | None = None) -> Iterator[Page]:
        """Give page after page, until ``limit`` events were given; None: all of them. Raises StoreError."""
        left, more = limit, True
        while more and left != 0:
            page = self.page(query, after=after, limit=PAGE if left is None else min(left, PAGE))
            left = None if left is None else left - len(page.found)
            after, more = page.after, page.after is not None
            yield page

    def cameras(self) -> list[str]:
        """Give the names of all cameras and recordings that have events. Raises StoreError."""
        with self._store.transaction("searched") as connection:
            return list(_sources(connection))

    def has_plates(self) -> bool:
        """Say whether there is any event with a plate, not with a pseudonym. Raises StoreError."""
        text = t.plates.c.text
        with self._store.transaction("searched") as connection:
            return connection.execute(sa.select(text).where(text < PSEUDONYM).limit(1)).first() is not None

    def pseudonym_keys(self) -> list[str]:
        """Give the ids of the keys that the record's pseudonyms are by; each by one look into the index. Raises StoreError."""
        found: list[str] = []
        text, least = t.plates.c.text, PSEUDONYM
        with self._store.transaction("searched") as connection:
            while True:
                least = connection.execute(sa.select(sa.func.min(text)).where(text >= least, text < beyond(PSEUDONYM))).scalar_one()
                if least is None:
                    return found
                found.append(least.split(":")[1])
                least = beyond(f"{PSEUDONYM}{found[-1]}:")


class _Look:
    """One look into the store, in one transaction."""

    def __init__(self, connection: sa.Connection, query: Query, snapshot: int, limit: int) -> None:
        self._connection = connection
        self._query = query
        self._limit = limit
        self._cameras = chosen_sources(connection, query.cameras)
        self._conditions = list(_conditions(query, snapshot))

    def rows(self, after: Key | None) -> list[tuple[float, sa.Row[Any]]]:
        """Give the rows of the page with their distances, in order."""
        if self._query.edits is not None:
            return self._nearest(after)
        return [(0.0, row) for row in self._newest(after)]

    def _newest(self, after: Key | None) -> list[sa.Row[Any]]:
        wanted = self._query.plate
        if self._query.no_plate:
            return self._by_time(after, t.events.c.text.is_(None), index="events_text" if self._cameras is None else "events_source")
        if wanted is None:
            return self._by_time(after)
        if not is_pattern(wanted):
            return self._by_texts([wanted, *self._query.pseudonyms], after)
        texts = None if self._few_events() else matching(self._connection, wanted, MOST_TEXTS)
        if texts is not None:
            return self._by_texts([text for text in texts if not text.startswith(PSEUDONYM)], after)
        # The digits of a pseudonym mean nothing.
        plates = sa.not_(t.events.c.text.startswith(PSEUDONYM, autoescape=True))
        return self._by_time(after, matches(self._connection, t.events.c.text, wanted), plates)

    def _nearest(self, after: Key | None) -> list[tuple[float, sa.Row[Any]]]:
        found: list[tuple[float, sa.Row[Any]]] = []
        for distance, texts in self._near():
            if len(found) == self._limit:
                break
            if after is None or distance >= after.distance:
                rows = self._by_texts(texts, after if after and distance == after.distance else None)
                found += [(distance, row) for row in rows[: self._limit - len(found)]]
        return found

    def _by_time(self, after: Key | None, *where: sa.ColumnElement[bool], index: str = "events_best_time") -> list[sa.Row[Any]]:
        if self._query.states and self._query.states <= t.CHANGED:
            return self._each("events_changed", t.events.c.state, sorted(self._query.states), after, *where, *self._of_cameras(), _CHANGED)
        if self._query.country is not None and (self._cameras is None or not self._few_of_cameras()):
            countries = _countries(self._connection, self._query.country)
            return self._each("events_country", t.events.c.country, countries, after, *where, *self._of_cameras())
        if self._cameras is None:
            return self._first(index, after, *where)
        return self._each("events_source", t.events.c.source, self._cameras, after, *where)

    def _each(
        self, index: str, column: sa.Column[Any], values: Sequence[str], after: Key | None, *where: sa.ColumnElement[bool]
    ) -> list[sa.Row[Any]]:
        """Give the newest rows that have one of some values, each looked up in an index that begins with it."""
        found = (row for value in values for row in self._first(index, after, column == value, *where))
        return _newest_of(found, self._limit)

    def _of_cameras(self) -> list[sa.ColumnElement[bool]]:
        return [] if self._cameras is None else [t.events.c.source.in_(self._cameras)]

    def _few_of_cameras(self) -> bool:
        """Say whether the cameras have few events in the span of time."""
        return self._are_few(*self._of_cameras(), *_span(self._query))

    def _by_texts(self, texts: Sequence[str], after: Key | None) -> list[sa.Row[Any]]:
        where = self._of_cameras()
        chunks = (texts[first : first + _CHUNK] for first in range(0, len(texts), _CHUNK))
        found = (row for chunk in chunks for row in self._first("events_text", after, t.events.c.text.in_(chunk), *where))
        return _newest_of(found, self._limit)

    def _first(self, index: str, after: Key | None, *where: sa.ColumnElement[bool]) -> list[sa.Row[Any]]:
        """Give the newest rows after a key. The index is named: without statistics SQLite would not always take the right one."""
        event = t.events.c
        query = (
            sa.select(event.sequence, event.entry, event.event_id, event.revision, event.text, event.best_time)
            .with_hint(t.events, f"INDEXED BY {index}", "sqlite")
            .where(*where, *self._conditions)
            .order_by(event.best_time.desc(), event.sequence.desc())
            .limit(self._limit)
        )
        if after is not None:
            query = query.where(sa.tuple_(event.best_time, event.sequence) < (after.time, after.sequence))
        return list[sa.Row[Any]](self._connection.execute(query))

    def _few_events(self) -> bool:
        """Say whether the span of time has few events."""
        if self._query.since is None:
            return False
        return self._are_few(*_span(self._query))

    def _are_few(self, *where: sa.ColumnElement[bool]) -> bool:
        some = sa.select(sa.literal(1)).select_from(t.events).where(*where).limit(FEW_EVENTS + 1).subquery()
        return int(self._connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()) <= FEW_EVENTS

    def _near(self) -> list[tuple[float, list[str]]]:
        """Give the plates that are near, nearest first."""
        wanted, edits = self._query.plate, self._query.edits
        assert wanted is not None, "the query was checked"
        assert edits is not None, "it was asked for"
        plate = t.plates.c
        own = skeleton(wanted)
        if edits == 0:
            where = [plate.skeleton == own]
            candidates = [(row.text, own) for row in self._connection.execute(sa.select(plate.text).where(*where))]
            return near(wanted, edits, candidates)
        places = places_of(own, edits, lambda begin: self._count(plate.skeleton, begin), lambda end: self._count(plate.backwards, end))
        candidates = [row for begin in places.beginnings for row in self._having(plate.skeleton, begin)]
        candidates += [(text, key[::-1]) for end in places.endings for text, key in self._having(plate.backwards, end)]
        return near(wanted, edits, candidates)

    def _having(self, column: sa.ColumnElement[Any], begin: str) -> Iterator[tuple[str, str]]:
        return ((row[0], row[1]) for row in self._connection.execute(sa.select(t.plates.c.text, column).where(*begins(column, begin))))

    def _count(self, column: sa.ColumnElement[Any], begin: str) -> int:
        """Give how many plates begin so, up to a number."""
        if not begin:
            return 4 * _COUNTED
        some = sa.select(sa.literal(1)).select_from(t.plates).where(*begins(column, begin)).limit(_COUNTED).subquery()
        return int(self._connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def chosen_sources(connection: sa.Connection, patterns: Sequence[str]) -> list[str] | None:
    """Give the names of the cameras that match one of some patterns; None if there are no patterns: all of them."""
    if not patterns:
        return None
    known = [pattern.encode("utf-8", "backslashreplace").decode() for pattern in patterns]
    return [name for name in _sources(connection) if any(fnmatchcase(name, pattern) for pattern in known)]


def _sources(connection: sa.Connection) -> Iterator[str]:
    """Give the names of cameras."""
    return _values(connection, t.events.c.source)


def _countries(connection: sa.Connection, country: str) -> list[str]:
    """Give a country and its parts, as far as there are events from them."""
    return [one for one in _values(connection, t.events.c.country) if one == country or one.startswith(f"{country}-")]


def _values(connection: sa.Connection, column: sa.Column[Any]) -> Iterator[str]:
    """Give the values of a column, each by one look into its index: DISTINCT would go through all of it."""
    value: str | None = ""
    while value is not None:
        value = connection.execute(sa.select(sa.func.min(column)).where(column > value)).scalar_one()
        if value is not None:
            yield value


def _conditions(query: Query, snapshot: int) -> Iterator[sa.ColumnElement[bool]]:
    event = t.events.c
    yield event.sequence <= snapshot
    yield sa.or_(event.replaced_by.is_(None), event.replaced_by > snapshot)
    yield event.state.in_(sorted(query.states)) if query.states else event.state != "withdrawn"
    yield from _span(query)
    if query.min_score is not None:
        yield event.score >= query.min_score
    if query.country is not None:
        yield sa.or_(event.country == query.country, event.country.startswith(f"{query.country}-", autoescape=True))


def _span(query: Query) -> Iterator[sa.ColumnElement[bool]]:
    if query.since is not None:
        yield t.events.c.best_time >= query.since
    if query.until is not None:
        yield t.events.c.best_time < query.until


def _newest_of(rows: Iterator[sa.Row[Any]], limit: int) -> list[sa.Row[Any]]:
    return sorted(rows, key=lambda row: (row.best_time, row.sequence), reverse=True)[:limit]


def _lines(connection: sa.Connection, entries: Sequence[int]) -> dict[int, str]:
    """Give the texts of entries by their numbers, without erased ones."""
    found: dict[int, str] = {}
    for first in range(0, len(entries), _CHUNK):
        some = entries[first : first + _CHUNK]
        query = sa.select(t.entries.c.number, t.entries.c.payload).where(t.entries.c.number.in_(some), t.entries.c.payload.is_not(None))
        found |= {row.number: row.payload for row in connection.execute(query)}
    return found
