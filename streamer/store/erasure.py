"""Forgetting: the erasure of content and index in one transaction with an entry that says so.

What lies outside of the database, pictures and lines of logs, is noted in the same transaction (``removals``) and deleted after it, by
``streamer.purge``: no crash leaves it half done. Of an erased entry its hash stays, so the chain holds, and the erasure, an entry itself,
proves what was erased, when and why, down to the digests of the pictures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import sqlalchemy as sa

from streamer.chain import new_salt
from streamer.errors import StoreError
from streamer.store import PAGE, Store
from streamer.store import tables as t
from streamer.store.retention import AUDIT, is_held

ERASURE: Final = "erasure"
_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True)
class Erased:
    """What one transaction erased."""

    events: int = 0
    revisions: int = 0
    pictures: int = 0
    """Files."""
    entries: int = 0
    """Of other kinds than events."""
    kept: int = 0
    """Events that were asked for, but are held or still go on."""


@dataclass(frozen=True, slots=True)
class Removal:
    """Something to delete outside of the database."""

    id: int
    name: str
    """Of the file, or the event's id."""
    sequence: int | None
    """Of a revision whose line is meant."""
    erased_at: str


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What is erased, as one transaction saw it."""

    revisions: tuple[tuple[str, int, int], ...]
    """Event, entry and sequence number."""
    pictures: tuple[tuple[int, str, str], ...]
    """Entry, SHA-256 and file."""
    reviews: tuple[int, ...]
    """Entries of what people saw there: they name the plate, too."""
    events: frozenset[str]

    @property
    def files(self) -> list[str]:
        """Of the pictures; revisions of an event share them."""
        return sorted({file for _, _, file in self.pictures})

    @property
    def entries(self) -> list[int]:
        return sorted([entry for _, entry, _ in self.revisions] + list(self.reviews))

    @property
    def sequences(self) -> list[int]:
        return [sequence for _, _, sequence in self.revisions]


class _MovedError(Exception):
    """What was to be erased has changed meanwhile: look again."""


class Erasures:
    """What is erased, and what that leaves to do. All methods may be called from any thread; all raise StoreError."""

    def __init__(self, store: Store, copies: Sequence[str] = ()) -> None:
        """Take the record, and the names of sinks that delete their copies of what is erased: it is noted for them, too."""
        self._store = store
        self._copies = tuple(copies)

    def erase(self, event_ids: Sequence[str], why: str, at: str) -> Erased:
        """Erase events with all revisions: contents, rows, pictures, dead letters, reviews. Those that are held or still go on stay.

        Args:
            event_ids: a few hundred at most: recording waits meanwhile.
            why: goes into the record; no plates.
            at: now, UTC, as in the event.
        """

        def rest(connection: sa.Connection, chosen: _Chosen) -> None:
            _each(connection, chosen.sequences, lambda part: sa.delete(t.events).where(t.events.c.sequence.in_(part)))
            _each(connection, chosen.sequences, lambda part: sa.delete(t.dead_letters).where(t.dead_letters.c.sequence.in_(part)))
            _each(connection, chosen.entries, lambda part: sa.update(t.entries).where(t.entries.c.number.in_(part)).values(payload=None))
            lines = [{"kind": "lines", "name": name, "sequence": sequence, "erased_at": at} for name, _, sequence in chosen.revisions]
            connection.execute(sa.insert(t.removals), lines)

        chosen = self._erase(event_ids, why, at, rest, content=True)
        kept = len(set(event_ids)) - len(chosen.events)
        return Erased(len(chosen.events), len(chosen.revisions), len(chosen.files), kept=kept)

    def erase_pictures(self, event_ids: Sequence[str], why: str, at: str) -> Erased:
        """Erase the pictures of events; the events stay."""
        chosen = self._erase(event_ids, why, at, lambda connection, chosen: None, content=False)
        return Erased(pictures=len(chosen.files), kept=len(set(event_ids)) - len(chosen.events))

    def erase_entries(self, numbers: Sequence[int], why: str, at: str) -> Erased:
        """Erase the contents of audit entries."""
        if not numbers:
            return Erased()
        gone = sa.update(t.entries).where(t.entries.c.number.in_(numbers), t.entries.c.kind == AUDIT).values(payload=None)
        self._store.append_entries(ERASURE, [_erasure(numbers, (), why, at)], lambda connection: _nothing(connection.execute(gone)))
        return Erased(entries=len(numbers))

    def _erase(
        self,
        event_ids: Sequence[str],
        why: str,
        at: str,
        rest: Callable[[sa.Connection, _Chosen], None],
        *,
        content: bool,
    ) -> _Chosen:
        for _ in range(_ATTEMPTS):
            with self._store.transaction("read") as connection:
                chosen = _choose(connection, event_ids)
            if not (chosen.revisions if content else chosen.pictures):
                return chosen
            entries = chosen.entries if content else []

            def also(connection: sa.Connection, chosen: _Chosen = chosen) -> None:
                if _choose(connection, event_ids) != chosen:
                    raise _MovedError
                _each(connection, chosen.sequences, lambda part: sa.delete(t.evidence).where(t.evidence.c.sequence.in_(part)))
                files = [{"kind": "file", "name": name, "erased_at": at} for name in chosen.files]
                if files:
                    connection.execute(sa.insert(t.removals), files)
                copies = self._copies_of(connection, chosen, content=content, at=at)
                rest(connection, chosen)
                if copies:
                    connection.execute(sa.insert(t.removals), copies)

            try:
                self._store.append_entries(ERASURE, [_erasure(entries, chosen.pictures, why, at)], also)
            except _MovedError:
                continue
            return chosen
        raise StoreError(f"{self._store.name}: the event store cannot be written: what was to be erased changed again and again")

    def _copies_of(self, connection: sa.Connection, chosen: _Chosen, *, content: bool, at: str) -> list[dict[str, Any]]:
        """Give what each sink will have to delete; the events are still there."""
        if not self._copies or not chosen.events:
            return []
        where = t.events.c.event_id.in_(chosen.events)
        rows = connection.execute(sa.select(t.events.c.event_id, sa.func.min(t.events.c.source)).where(where).group_by(t.events.c.event_id))
        told = [(event_id, source) for event_id, source in rows]
        what = "event" if content else "pictures"
        names = [f"{sink} {what} {event_id} {source}" for sink in self._copies for event_id, source in told]
        return [{"kind": "copies", "name": name, "erased_at": at} for name in names]

    def copies(self, sink: str, limit: int, after: int = 0) -> list[Removal]:
        """Give what a sink has to delete, oldest first; a name: sink, ``event`` or ``pictures``, event's id, source."""
        query = sa.select(t.removals.c.id, t.removals.c.name, t.removals.c.sequence, t.removals.c.erased_at)
        query = query.where(
            t.removals.c.kind == "copies", t.removals.c.id > after, t.removals.c.name.startswith(f"{sink} ", autoescape=True)
        )
        with self._store.transaction("read") as connection:
            return [Removal(*row) for row in connection.execute(query.order_by(t.removals.c.id).limit(limit))]

    def removals(self, kind: Literal["file", "lines"], limit: int, after: int = 0) -> list[Removal]:
        """Give what is to be deleted outside of the database, oldest first."""
        columns = (t.removals.c.id, t.removals.c.name, t.removals.c.sequence, t.removals.c.erased_at)
        query = sa.select(*columns).where(t.removals.c.kind == kind, t.removals.c.id > after).order_by(t.removals.c.id).limit(limit)
        with self._store.transaction("read") as connection:
            return [Removal(*row) for row in connection.execute(query)]

    def remove_files(self, delete: Callable[[Collection[str]], None], limit: int) -> int:
        """Have files of erased events deleted, those that no other event has, and forget them; gives how many were looked at.

        It happens while nothing can be recorded, so that nobody refers to a file again just before it goes.

        Args:
            delete: deletes files by their names, for good; those that are not there are no error.
            limit: how many at most; a few hundred.
        """
        with self._store.transaction("written") as connection:
            connection.execute(sa.update(t.head).values(entry=t.head.c.entry))  # the lock comes first
            query = sa.select(t.removals.c.id, t.removals.c.name).where(t.removals.c.kind == "file").order_by(t.removals.c.id).limit(limit)
            rows = connection.execute(query).all()
            names = {row.name for row in rows}
            delete(names - set(connection.execute(sa.select(t.evidence.c.file).where(t.evidence.c.file.in_(names))).scalars()))
            _each(connection, [row.id for row in rows], lambda part: sa.delete(t.removals).where(t.removals.c.id.in_(part)))
        return len(rows)

    def lines_removed(self, removals: Sequence[Removal]) -> None:
        """Forget the lines of erased events: no log has them any more."""
        self.forget([one.id for one in removals])

    def forget(self, ids: Sequence[int]) -> None:
        """Forget what was to be deleted outside of the database: it is."""
        if not ids:
            return
        with self._store.transaction("written") as connection:
            _each(connection, ids, lambda part: sa.delete(t.removals).where(t.removals.c.id.in_(part)))


def _choose(connection: sa.Connection, event_ids: Sequence[str]) -> _Chosen:
    """Give all revisions and pictures of those events that are not held and do not go on."""
    columns = (t.events.c.event_id, t.events.c.entry, t.events.c.sequence, t.events.c.state)
    query = sa.select(*columns).where(t.events.c.event_id.in_(event_ids), ~is_held()).order_by(t.events.c.sequence)
    rows = connection.execute(query).all()
    state = {row.event_id: row.state for row in rows}  # of the last revision
    revisions = tuple((row.event_id, row.entry, row.sequence) for row in rows if state[row.event_id] != "preview")
    entries = {sequence: entry for _, entry, sequence in revisions}
    where = t.evidence.c.sequence.in_(entries)
    found = connection.execute(sa.select(t.evidence).where(where).order_by(t.evidence.c.sequence, t.evidence.c.kind)).all()
    pictures = tuple((entries[row.sequence], row.sha256, row.file) for row in found)
    events = frozenset(event_id for event_id, _, _ in revisions)
    about = sa.select(t.reviews.c.entry).join(t.queue, t.queue.c.id == t.reviews.c.item).where(t.queue.c.event_id.in_(events))
    reviews = tuple(connection.execute(about.order_by(t.reviews.c.entry)).scalars())
    return _Chosen(revisions, pictures, reviews, events)


def _erasure(entries: Sequence[int], pictures: Sequence[tuple[int, str, str]], why: str, at: str) -> str:
    """Give the payload of an erasure: the entries whose content it takes, and the digests of pictures by the entry that they belong to."""
    told = [[entry, sha256] for entry, sha256, _ in pictures]
    return json.dumps({"erases": list(entries), "pictures": told, "why": why, "time": at, "salt": new_salt()}, separators=(",", ":"))


def _each(connection: sa.Connection, values: Sequence[int], statement: Callable[[Sequence[int]], sa.Executable]) -> None:
    """Execute a statement for values, so many at once as every database takes."""
    for start in range(0, len(values), PAGE):
        connection.execute(statement(values[start : start + PAGE]))


def _nothing(_: object) -> None:
    return None
