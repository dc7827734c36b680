"""The durable record of events, which every sink is fed from: SQLite by default, another database by URL (SQLAlchemy Core).

What ``append`` has returned for survives a crash of the program, of the machine and a power cut. Events and everything else that must not
be changed unseen are entries of one chain, see ``streamer.chain``; the table of events holds what is searched for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
import uuid_utils

from streamer.chain import GENESIS, Entry, entry_after
from streamer.errors import StoreError
from streamer.events import Event, EventMaker, Place, plate_that_holds, to_line
from streamer.search import skeleton
from streamer.signing import Signer
from streamer.store import tables as t
from streamer.store.database import Database

__all__ = ["PAGE", "STORE", "Entry", "Store", "StoredEvent", "new_event_id"]

STORE: Final = "events.sqlite"
"""Name of the SQLite file in the folder of a record."""

PAGE = 1000
"""Rows that are read at once."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A revision of an event as it was recorded."""

    sequence: int
    event_id: str
    revision: int
    line: str
    """One JSON object, without a line end."""


def new_event_id() -> str:
    """Give a UUIDv7: ids sort by the time they were made."""
    return str(uuid_utils.uuid7())


class Store:
    """The record. All methods may be called from any thread."""

    def __init__(self, where: str | Path, signer: Signer | None = None, *, read_only: bool = False, alone: bool = True) -> None:
        """Open or make the store.

        Args:
            where: SQLite file, or a URL that SQLAlchemy knows (``postgresql+psycopg://user:password@host/name``).
            signer: signs what is appended; without one, the chain shows accidents, but not who can write to the store.
            read_only: to look while another process may have it open for writing; it must be there.
            alone: False to write to a store that must be there while another process may record into it: its transactions and ours take
                turns. Only one process may record.

        Raises:
            UsageError: no such kind of store, there is none to look at, or it was written by a newer or an early version of the program.
            MissingPackageError: the driver of the database is not installed.
            StoreError: it cannot be opened, or another process has it open.
        """
        self._database = Database(where, read_only=read_only, alone=alone)
        self._signer = signer

    @property
    def name(self) -> str:
        """For people; holds no password."""
        return self._database.name

    @property
    def shared(self) -> bool:
        """Another process may have it open for writing."""
        return self._database.shared

    def flush_log(self) -> bool:
        """Leave nothing in SQLite's write-ahead log; False if a reader needed it for too long. Raises StoreError."""
        return self._database.flush_log()

    def transaction(self, what: str) -> AbstractContextManager[sa.Connection]:
        """Give a connection; all that is done with it happens, or nothing. Raises StoreError: ``what`` (written, read ...) it cannot be."""
        return self._database.transaction(what)

    def append(self, makers: Sequence[EventMaker]) -> list[Event]:
        """Record events in one transaction: all or none of them.

        Args:
            makers: each is called once with the place of the event in the store and gives the event. A revision of an event must follow
                the one before it.

        Returns:
            The events, in order.

        Raises:
            StoreError: nothing was recorded; also if the revision before one of them is not there, because somebody erased the event.
        """
        if not makers:
            return []
        with self.transaction("written") as connection:
            chain = _Chain(connection, entries=len(makers), events=len(makers))
            made = []
            for make in makers:
                event = make(chain.place())
                chain.add("event", to_line(event))
                made.append(event)
            chain.write(self._signer)
            _check_predecessors(connection, made)
            _note_plates(connection, {text for text in map(plate_that_holds, made) if text is not None})
            connection.execute(sa.insert(t.events), [_row(event) for event in made])
            pictures = [_picture(event, picture) for event in made for picture in event["evidence"]]
            if pictures:
                connection.execute(sa.insert(t.evidence), pictures)
        return made

    def append_entries(self, kind: str, payloads: Sequence[str], also: Callable[[sa.Connection], None] = lambda connection: None) -> None:
        """Put other things than events into the chain (kinds: ``audit``, ``erasure``), in one transaction with what ``also`` does.

        ``payloads`` are JSON texts with a salt. Raises StoreError: nothing was recorded.
        """
        with self.transaction("written") as connection:
            chain = _Chain(connection, entries=len(payloads), events=0)
            for payload in payloads:
                chain.add(kind, payload)
            chain.write(self._signer)
            also(connection)

    def read_after(self, sequence: int, limit: int) -> list[StoredEvent]:
        """Give up to ``limit`` revisions after a sequence number (0: from the first), in order, without erased ones. Raises StoreError."""
        query = (
            sa.select(t.events.c.sequence, t.events.c.event_id, t.events.c.revision, t.entries.c.payload)
            .join(t.entries, t.entries.c.number == t.events.c.entry)
            .where(t.events.c.sequence > sequence, t.entries.c.payload.is_not(None))
            .order_by(t.events.c.sequence)
            .limit(limit)
        )
        with self.transaction("read") as connection:
            return [StoredEvent(*row) for row in connection.execute(query)]

    def revisions(self, event_id: str) -> list[StoredEvent]:
        """Give the revisions of an event, in order, without erased ones; empty if there is no such event. Raises StoreError."""
        query = (
            sa.select(t.events.c.sequence, t.events.c.event_id, t.events.c.revision, t.entries.c.payload)
            .join(t.entries, t.entries.c.number == t.events.c.entry)
            .where(t.events.c.event_id == event_id, t.entries.c.payload.is_not(None))
            .order_by(t.events.c.revision)
        )
        with self.transaction("read") as connection:
            return [StoredEvent(*row) for row in connection.execute(query)]

    def last_sequence(self) -> int:
        """Give the sequence number of the last revision that was recorded; 0 before the first. Raises StoreError."""
        with self.transaction("read") as connection:
            return int(connection.execute(sa.select(t.head.c.sequence)).scalar_one())

    def open_previews(self) -> list[StoredEvent]:
        """Give the events whose last revision is a preview: what an earlier run left open. Raises StoreError."""
        later = t.events.alias()
        query = (
            sa.select(t.events.c.sequence, t.events.c.event_id, t.events.c.revision, t.entries.c.payload)
            .join(t.entries, t.entries.c.number == t.events.c.entry)
            # As the index of previews says it, so that it is taken.
            .where(sa.text("events.state = 'preview'"), t.entries.c.payload.is_not(None))
            .with_hint(t.events, "INDEXED BY events_previews", "sqlite")
            .where(~sa.exists().where(later.c.event_id == t.events.c.event_id, later.c.revision > t.events.c.revision))
            .order_by(t.events.c.sequence)
        )
        with self.transaction("read") as connection:
            return [StoredEvent(*row) for row in connection.execute(query)]

    def recorded_files(self, names: Sequence[str]) -> set[str]:
        """Give those of some evidence files that belong to events. Raises StoreError."""
        found: set[str] = set()
        with self.transaction("read") as connection:
            for start in range(0, len(names), PAGE):
                query = sa.select(t.evidence.c.file).where(t.evidence.c.file.in_(names[start : start + PAGE]))
                found |= set(connection.execute(query).scalars())
        return found

    def entries(self, until: int) -> Iterator[tuple[Entry, Mapping[str, Any] | None]]:
        """Give the chain up to an entry, in order, page by page, each with its row of events if it has one. Raises StoreError."""
        columns = [t.entries.c[name] for name in ("number", "kind", "digest", "hash", "payload", "signature", "signer")]
        searched = [column.label(f"event_{column.name}") for column in t.events.c]
        joined = t.entries.outerjoin(t.events, t.events.c.entry == t.entries.c.number)
        after, more = 0, True
        while more:
            query = sa.select(*columns, *searched).select_from(joined).where(t.entries.c.number > after, t.entries.c.number <= until)
            with self.transaction("read") as connection:
                page = connection.execute(query.order_by(t.entries.c.number).limit(PAGE)).all()
            for row in page:
                found = dict(zip(t.events.c.keys(), row[len(columns) :], strict=True))
                yield Entry(*row[: len(columns)]), found if found["sequence"] is not None else None
            after, more = page[-1].number if page else until, len(page) == PAGE

    def proof(self, number: int) -> list[Entry]:
        """Give the entries from one to the next that is signed, without payloads. Raises StoreError."""
        signed = sa.select(sa.func.min(t.entries.c.number)).where(t.entries.c.number >= number, t.entries.c.signature.is_not(None))
        columns = [t.entries.c[name] for name in ("number", "kind", "digest", "hash", "signature", "signer")]
        with self.transaction("read") as connection:
            last = connection.execute(signed).scalar() or number
            query = sa.select(*columns).where(t.entries.c.number.between(number, last)).order_by(t.entries.c.number)
            return [Entry(n, kind, digest, own, None, *signature) for n, kind, digest, own, *signature in connection.execute(query)]

    def count_rows(self, until: int) -> int:
        """Give the number of rows in the table of events that belong to entries up to this one, or to none. Raises StoreError."""
        query = sa.select(sa.func.count()).select_from(t.events).where(t.events.c.entry <= until)
        with self.transaction("read") as connection:
            return int(connection.execute(query).scalar_one())

    def head(self) -> tuple[int, str]:
        """Give number and hash of the last entry; 0 and ``GENESIS`` before the first. Raises StoreError."""
        with self.transaction("read") as connection:
            row = connection.execute(sa.select(t.head.c.entry, t.head.c.hash)).one()
        return int(row.entry), str(row.hash)

    def cursor(self, sink: str) -> int:
        """Give the sequence number of the last event that a sink took; 0 before the first. Raises StoreError."""
        with self.transaction("read") as connection:
            found = connection.execute(sa.select(t.cursors.c.sequence).where(t.cursors.c.sink == sink)).scalar()
        return 0 if found is None else int(found)

    def move_cursor(self, sink: str, sequence: int) -> None:
        """Remember that a sink took all events up to this one. Raises StoreError."""
        with self.transaction("written") as connection:
            moved = connection.execute(sa.update(t.cursors).where(t.cursors.c.sink == sink).values(sequence=sequence))
            if moved.rowcount == 0:
                connection.execute(sa.insert(t.cursors).values(sink=sink, sequence=sequence))

    def close(self) -> None:
        """Let go of the database. Idempotent."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Chain:
    """New entries of one transaction. Made first in it: it locks the head."""

    def __init__(self, connection: sa.Connection, *, entries: int, events: int) -> None:
        self._connection = connection
        grown = {"entry": t.head.c.entry + entries, "sequence": t.head.c.sequence + events}
        connection.execute(sa.update(t.head).values(**grown))
        row = connection.execute(sa.select(t.head)).one()
        self._number = int(row.entry) - entries
        self._sequence = int(row.sequence) - events
        self._previous = str(row.hash)
        self._new: list[Entry] = []

    def place(self) -> Place:
        """Give the place of the next event."""
        self._sequence += 1
        return Place(self._sequence, self._number + 1, self._previous)

    def add(self, kind: str, payload: str) -> None:
        self._number += 1
        entry = entry_after(self._previous, self._number, kind, payload)
        self._previous = entry.hash
        self._new.append(entry)

    def write(self, signer: Signer | None) -> None:
        rows = [asdict(entry) for entry in self._new]
        if signer is not None:
            rows[-1] |= {"signature": signer.sign(self._previous), "signer": signer.key_id}
        self._connection.execute(sa.insert(t.entries), rows)
        self._connection.execute(sa.update(t.head).values(hash=self._previous))


def _check_predecessors(connection: sa.Connection, made: Sequence[Event]) -> None:
    """Raise StoreError if a revision does not follow the one before it: who read that may have been overtaken by an erasure."""
    new = {(event["event_id"], event["revision"]) for event in made}
    needed = {(event_id, revision - 1) for event_id, revision in new if revision > 1} - new
    if needed:
        ids = {event_id for event_id, _ in needed}
        query = sa.select(t.events.c.event_id, t.events.c.revision).where(t.events.c.event_id.in_(ids))
        missing = needed - {(row.event_id, row.revision) for row in connection.execute(query)}
        if missing:
            raise StoreError(f"event {min(missing)[0]}: was erased meanwhile; nothing was recorded")


def _row(event: Event) -> dict[str, Any]:
    row = {key: event[key] for key in ("sequence", "event_id", "revision", "state", "passage", "plate", "country", "score", "reason")}
    return row | {
        "entry": event["chain"]["entry"],
        # Like the line: a database takes no lone surrogates.
        "source": event["source"].encode("utf-8", "backslashreplace").decode(),
        "best_time": event["best"]["time"],
        "text": plate_that_holds(event),
    }


def _note_plates(connection: sa.Connection, texts: Collection[str]) -> None:
    """Make the rows of plates that triggers count in."""
    new = sa.text("INSERT INTO plates VALUES (:text, :skeleton, :backwards, 0, 0) ON CONFLICT (text) DO NOTHING")
    rows = [{"text": text, "skeleton": skeleton(text), "backwards": skeleton(text)[::-1]} for text in sorted(texts)]
    if rows:
        connection.execute(new, rows)


def _picture(event: Event, picture: Mapping[str, Any]) -> dict[str, Any]:
    return {"sequence": event["sequence"], "kind": picture["kind"], "file": picture["file"], "sha256": picture["sha256"]}


assert GENESIS == 64 * "0", "the first migration says so, too"
