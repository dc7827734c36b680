"""Timestamps of the chain, kept beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from streamer.chain import Entry
from streamer.store import PAGE, Store
from streamer.store import tables as t

_COLUMNS = (t.timestamps.c.entry, t.timestamps.c.time, t.timestamps.c.authority, t.timestamps.c.answer)


@dataclass(frozen=True, slots=True)
class Timestamp:
    """What an authority said of the chain."""

    entry: int
    """Number of the entry whose hash was stamped: it speaks for all before it, too."""
    time: str
    """That it says; UTC as in events."""
    authority: str
    """Its address, without credentials."""
    answer: bytes
    """``TimeStampResp`` (DER), as ``openssl ts`` reads it, too."""


class Timestamps:
    """The timestamps of a store. All methods may be called from any thread; all raise StoreError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, stamp: Timestamp) -> None:
        """Keep one."""
        row = {"entry": stamp.entry, "time": stamp.time, "authority": stamp.authority, "answer": stamp.answer}
        with self._store.transaction("written") as connection:
            connection.execute(sa.insert(t.timestamps), row)

    def last(self) -> Timestamp | None:
        """Give the one that speaks for most entries; None if there is none."""
        query = sa.select(*_COLUMNS).order_by(t.timestamps.c.entry.desc(), t.timestamps.c.id.desc()).limit(1)
        with self._store.transaction("read") as connection:
            row = connection.execute(query).first()
        return None if row is None else Timestamp(*row)

    def newest(self) -> int:
        """Give the number of the one that was kept last; 0 before the first."""
        with self._store.transaction("read") as connection:
            return int(connection.execute(sa.select(sa.func.max(t.timestamps.c.id))).scalar() or 0)

    def all(self, newest: int) -> Iterator[Timestamp]:
        """Give those that were kept up to one, in the order of their entries, page by page."""
        after, more = (-1, -1), True
        while more:
            query = sa.select(t.timestamps.c.id, *_COLUMNS).where(
                t.timestamps.c.id <= newest, sa.tuple_(t.timestamps.c.entry, t.timestamps.c.id) > after
            )
            with self._store.transaction("read") as connection:
                rows = connection.execute(query.order_by(t.timestamps.c.entry, t.timestamps.c.id).limit(PAGE)).all()
            yield from (Timestamp(*row[1:]) for row in rows)
            after, more = (rows[-1].entry, rows[-1].id) if rows else after, len(rows) == PAGE

    def speaking_for(self, entries: Sequence[int]) -> list[Timestamp]:
        """Give, for each of some entries, the first timestamp that speaks for it, where there is one; each once, in order."""
        found: dict[int, Timestamp] = {}
        with self._store.transaction("read") as connection:
            for entry in sorted(set(entries)):
                if found and max(found) >= entry:
                    continue
                query = sa.select(*_COLUMNS).where(t.timestamps.c.entry >= entry)
                row = connection.execute(query.order_by(t.timestamps.c.entry, t.timestamps.c.id).limit(1)).first()
                if row is not None:
                    found[int(row.entry)] = Timestamp(*row)
        return list(found.values())

    def links(self, first: int, last: int, most: int) -> list[Entry]:
        """Give the entries from one to another without payloads and signatures: what ties them together; empty if more than ``most``."""
        columns = [t.entries.c[name] for name in ("number", "kind", "digest", "hash")]
        query = sa.select(*columns).where(t.entries.c.number.between(first, last)).order_by(t.entries.c.number)
        if last - first >= most:
            return []
        with self._store.transaction("read") as connection:
            return [Entry(number, kind, digest, own, None) for number, kind, digest, own in connection.execute(query)]
