"""Fills a store with events as traffic would, below the store's own interface: ten million would take a day through it.

Rows, chain, signatures and counts are those that ``Store.append`` and the triggers would write: indexes are made and events are counted
once, at the end. Only the pictures are missing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from streamer.chain import GENESIS, digest_of, hash_of
from streamer.search import skeleton
from streamer.signing import signer_in
from streamer.store import Store
from train.bench_store_traffic import Made, Traffic, batches

_EVENTS = """
INSERT INTO events (sequence, entry, event_id, revision, state, source, passage, plate, country, score, reason, best_time, text,
    replaced_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_TEXTS = """
INSERT INTO plates SELECT text, skeleton(text), backwards(skeleton(text)), count(*), sum(replaced_by IS NULL AND state <> 'withdrawn')
FROM events INDEXED BY events_text WHERE text IS NOT NULL GROUP BY text"""
_VISITS = "INSERT INTO visits SELECT visits, count(*) FROM plates WHERE visits > 0 GROUP BY visits"
_COUNTED = """
CREATE TEMP TABLE counted AS
SELECT substr(best_time, 1, 10) AS day, source, substr(best_time, 12, 2) AS hour, text IS NULL AS plateless,
    iif(score IS NULL, 'typed', CAST(CAST(round(score * 10000) AS INTEGER) / 500 AS TEXT)) AS score,
    coalesce(reason, 'corrected') AS reason, coalesce(country, '') AS country, count(*) AS events
FROM events WHERE replaced_by IS NULL AND state <> 'withdrawn' GROUP BY 1, 2, 3, 4, 5, 6, 7"""
_KINDS = {"hour": "1", "score": "NOT plateless", "country": "NOT plateless", "reason": "plateless"}


def fill(folder: Path, file: Path, traffic: Traffic, progress: Callable[[int], None]) -> None:
    """Make a store and fill it; ``progress`` is told how many events are in."""
    signer = signer_in(folder)
    Store(file, signer).close()
    connection = sqlite3.connect(file)
    connection.create_function("skeleton", 1, skeleton, deterministic=True)
    connection.create_function("backwards", 1, lambda text: text[::-1], deterministic=True)
    connection.execute("PRAGMA journal_mode=MEMORY")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-1000000")
    connection.execute("PRAGMA threads=2")
    filler = _Filler(connection, signer.sign, signer.key_id)
    with _without(connection, "trigger", "events"), _without(connection, "index", "events", "entries", "evidence"):
        for batch in batches(traffic):
            filler.write(batch)
            connection.commit()
            progress(filler.sequence)
    with _without(connection, "trigger", "events"), _without(connection, "index", "plates"):
        for statement in (_TEXTS, _VISITS, _COUNTED):
            connection.execute(statement)
        for kind, where in _KINDS.items():
            columns = f"day, source, '{kind}', {kind}"
            connection.execute(f"INSERT INTO tallies SELECT {columns}, sum(events) FROM counted WHERE {where} GROUP BY 1, 2, 3, 4")  # noqa: S608
        connection.execute("DROP TABLE counted")
    connection.commit()
    connection.close()


@contextmanager
def _without(connection: sqlite3.Connection, kind: str, *tables: str) -> Iterator[None]:
    """Drop indexes or triggers of tables, and make them again at the end."""
    query = f"SELECT name, sql FROM sqlite_master WHERE type = ? AND sql IS NOT NULL AND tbl_name IN ({', '.join('?' * len(tables))})"  # noqa: S608
    made = connection.execute(query, (kind, *tables)).fetchall()
    for name, _ in made:
        connection.execute(f"DROP {kind} {name}")
    yield
    for _, statement in made:
        connection.execute(statement)
    connection.commit()


class _Filler:
    """Writes events in batches, each signed once."""

    def __init__(self, connection: sqlite3.Connection, sign: Callable[[str], str], key_id: str) -> None:
        self._connection = connection
        self._sign, self._key_id = sign, key_id
        self._previous = GENESIS
        self.sequence = 0

    def write(self, revisions: Sequence[Made]) -> None:
        """Write revisions; the next one of each stands behind it."""
        entries, rows, pictures = [], [], []
        for made, following in zip(revisions, [*revisions[1:], None], strict=True):
            self.sequence += 1
            number = self.sequence
            payload = made.payload % (number, number, self._previous)
            digest = digest_of(payload)
            self._previous = hash_of(self._previous, number, "event", digest)
            entries.append((number, "event", digest, self._previous, None, None, payload))
            replaced = number + 1 if following is not None and following.event_id == made.event_id else None
            row = (made.event_id, made.revision, made.state, made.source, made.passage, made.plate, made.country, made.score, made.reason)
            rows.append((number, number, *row, made.best_time, made.text, replaced))
            pictures.append((number, "crop", made.file, made.sha256))
        entries[-1] = (*entries[-1][:4], self._sign(self._previous), self._key_id, entries[-1][6])
        many = self._connection.executemany
        many("INSERT INTO entries (number, kind, digest, hash, signature, signer, payload) VALUES (?, ?, ?, ?, ?, ?, ?)", entries)
        many(_EVENTS, rows)
        many("INSERT INTO evidence (sequence, kind, file, sha256) VALUES (?, ?, ?, ?)", pictures)
        self._connection.execute("UPDATE head SET entry = ?, sequence = ?, hash = ?", (self.sequence, self.sequence, self._previous))
