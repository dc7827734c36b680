"""What the record knows of deliveries: how far each sink is, and what it would not take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from streamer.store import Store, StoredEvent
from streamer.store import tables as t


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A revision that a sink was given up for."""

    id: int
    sink: str
    sequence: int
    event_id: str
    revision: int
    attempts: int
    error: str
    """Why, without what the event says."""
    buried_at: str
    """UTC, ``2026-05-01T08:00:00.000000Z``."""


@dataclass(frozen=True, slots=True)
class Burial:
    """What is to become a dead letter."""

    sequence: int
    attempts: int
    error: str


class Deliveries:
    """Cursors and dead letters. All methods may be called from any thread; all raise StoreError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def store(self) -> Store:
        """The record."""
        return self._store

    def begin(self, sink: str, start: Literal["now", "beginning"]) -> int:
        """Give the sequence number of the last event that a sink took; a sink of a new name gets a place, which is kept."""
        here = t.cursors.c.sink == sink
        with self._store.transaction("written") as connection:
            # Written first: SQLite would not wait for its turn to write after a read.
            if connection.execute(sa.update(t.cursors).where(here).values(sequence=t.cursors.c.sequence)).rowcount == 0:
                last = sa.select(t.head.c.sequence).scalar_subquery() if start == "now" else 0
                connection.execute(sa.insert(t.cursors).values(sink=sink, sequence=last))
            return int(connection.execute(sa.select(t.cursors.c.sequence).where(here)).scalar_one())

    def cursor(self, sink: str) -> int | None:
        """Give the sequence number of the last event that a sink took; None for a sink that was never seen."""
        return self.cursors().get(sink)

    def cursors(self) -> dict[str, int]:
        """Give the places of all sinks that there ever were."""
        with self._store.transaction("read") as connection:
            rows = connection.execute(sa.select(t.cursors.c.sink, t.cursors.c.sequence).order_by(t.cursors.c.sink))
            return {str(row.sink): int(row.sequence) for row in rows}

    def move(self, sink: str, sequence: int) -> None:
        """Remember that a sink is done with all events up to this one."""
        self._store.move_cursor(sink, sequence)

    def bury(self, sink: str, burials: Sequence[Burial], *, sequence: int, at: str) -> None:
        """Make events dead letters and move the sink's cursor beyond them, in one transaction: none is lost between the two.

        Args:
            sink: its name.
            burials: one that is a dead letter already is one afterwards, too, with the new reason.
            sequence: where the cursor goes.
            at: now, UTC, as in ``DeadLetter``.
        """
        with self._store.transaction("written") as connection:
            for burial in burials:
                here = (t.dead_letters.c.sink == sink, t.dead_letters.c.sequence == burial.sequence)
                values = {"attempts": burial.attempts, "error": burial.error, "buried_at": at}
                if connection.execute(sa.update(t.dead_letters).where(*here).values(**values)).rowcount == 0:
                    connection.execute(sa.insert(t.dead_letters).values(sink=sink, sequence=burial.sequence, **values))
            connection.execute(sa.update(t.cursors).where(t.cursors.c.sink == sink).values(sequence=sequence))

    def dead_letters(self, sink: str, *, after: int = 0, limit: int = 1000) -> list[DeadLetter]:
        """Give the dead letters of a sink in the order of their events, those after a sequence number."""
        letter = t.dead_letters.c
        query = (
            sa.select(
                letter.id,
                letter.sink,
                letter.sequence,
                t.events.c.event_id,
                t.events.c.revision,
                letter.attempts,
                letter.error,
                letter.buried_at,
            )
            .join(t.events, t.events.c.sequence == letter.sequence)
            .where(letter.sink == sink, letter.sequence > after)
            .order_by(letter.sequence)
            .limit(limit)
        )
        with self._store.transaction("read") as connection:
            return [DeadLetter(*row) for row in connection.execute(query)]

    def count_dead(self) -> dict[str, int]:
        """Give how many dead letters each sink has; those that have none are left out."""
        letter = t.dead_letters.c
        query = sa.select(letter.sink, sa.func.count()).group_by(letter.sink)
        with self._store.transaction("read") as connection:
            return {str(sink): int(count) for sink, count in connection.execute(query)}

    def event(self, sequence: int) -> StoredEvent | None:
        """Give one revision; None if it was erased, or never was."""
        found = self._store.read_after(sequence - 1, 1)
        return found[0] if found and found[0].sequence == sequence else None

    def take_back(self, letter: int) -> None:
        """Forget a dead letter, by its id: the sink has it now, or nobody wants it."""
        with self._store.transaction("written") as connection:
            connection.execute(sa.delete(t.dead_letters).where(t.dead_letters.c.id == letter))

    def refused_again(self, letter: int, error: str) -> None:
        """Note that a dead letter was sent once more, in vain."""
        with self._store.transaction("written") as connection:
            values = {"attempts": t.dead_letters.c.attempts + 1, "error": error}
            connection.execute(sa.update(t.dead_letters).where(t.dead_letters.c.id == letter).values(**values))

    def drop(self, sink: str) -> int:
        """Forget all dead letters of a sink; gives how many."""
        with self._store.transaction("written") as connection:
            return connection.execute(sa.delete(t.dead_letters).where(t.dead_letters.c.sink == sink)).rowcount

    def forget(self, sink: str) -> None:
        """Forget a sink: its place and its dead letters."""
        with self._store.transaction("written") as connection:
            for table in (t.dead_letters, t.cursors):
                connection.execute(sa.delete(table).where(table.c.sink == sink))
