"""The tables of the record. Changes to them are migrations, see ``migrations``."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

_ROWID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""Only an INTEGER is SQLite's own row number, and needs no index."""
_SORTS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text in the order of its code points: beginnings are looked up as ranges."""

_COUNTRY = sa.text("country IS NOT NULL")
_CHANGED = sa.text("state IN ('corrected', 'withdrawn')")
CHANGED = frozenset({"corrected", "withdrawn"})
"""States that few events have: these have an index."""

entries = sa.Table(
    "entries",
    metadata,
    # The chain: everything that must not be changed unseen, in one order. See ``streamer.chain``.
    sa.Column("number", _ROWID, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("signature", sa.String(128)),  # of the last entry of each transaction: it speaks for all before it
    sa.Column("signer", sa.String(16)),
    sa.Column("payload", sa.Text),  # None: erased, and a later entry says so
    sa.Index("entries_others", "kind", "number", sqlite_where=sa.text("kind <> 'event'"), postgresql_where=sa.text("kind <> 'event'")),
)

events = sa.Table(
    "events",
    metadata,
    # What is searched for; everything here stands in the payload of the entry, too.
    sa.Column("sequence", _ROWID, primary_key=True, autoincrement=False),
    sa.Column("entry", sa.BigInteger, nullable=False, unique=True),
    sa.Column("event_id", sa.String(36), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("passage", sa.Text, nullable=False),
    sa.Column("plate", sa.Text),
    sa.Column("country", sa.String(8)),
    sa.Column("score", sa.Float),
    sa.Column("reason", sa.String(32)),
    sa.Column("best_time", sa.String(27), nullable=False),  # as in the event: sorts as text
    sa.Column("text", sa.Text),  # the plate that holds: what somebody corrected it to, if anybody did
    sa.Column("replaced_by", sa.BigInteger),  # sequence of the event's next revision; None: this one holds. Set by a trigger
    sa.UniqueConstraint("event_id", "revision", name="events_revision"),
    sa.Index("events_best_time", "best_time", "sequence"),
    sa.Index("events_source", "source", "best_time", "sequence"),
    sa.Index("events_text", "text", "best_time", "sequence"),
    sa.Index("events_country", "country", "best_time", "sequence", sqlite_where=_COUNTRY, postgresql_where=_COUNTRY),
    sa.Index("events_changed", "state", "best_time", "sequence", sqlite_where=_CHANGED, postgresql_where=_CHANGED),
    sa.Index("events_previews", "event_id", sqlite_where=sa.text("state = 'preview'"), postgresql_where=sa.text("state = 'preview'")),
)

plates = sa.Table(
    "plates",
    metadata,
    # Each text that a row of events has: what wildcards and near texts are looked for in. ``append`` adds texts; triggers count, and
    # delete a text with the last row that has it.
    sa.Column("text", _SORTS, primary_key=True),
    sa.Column("skeleton", _SORTS, nullable=False),  # with close look-alikes made one, ``search.skeleton``
    sa.Column("backwards", _SORTS, nullable=False),  # the skeleton from its end
    sa.Column("revisions", sa.BigInteger, nullable=False),  # rows of events that have the text
    sa.Column("visits", sa.BigInteger, nullable=False),  # events that have it: revisions that hold and were not withdrawn
    sa.Index("plates_skeleton", "skeleton"),
    sa.Index("plates_backwards", "backwards"),
    sa.Index("plates_frequent", "visits", sqlite_where=sa.text("visits >= 10"), postgresql_where=sa.text("visits >= 10")),
    sa.Index("plates_long", "text", sqlite_where=sa.text("length(text) > 8"), postgresql_where=sa.text("length(text) > 8")),
    sqlite_with_rowid=False,
)

visits = sa.Table(
    "visits",
    metadata,
    # How many plates were seen how often, kept by triggers.
    sa.Column("times", _ROWID, primary_key=True, autoincrement=False),
    sa.Column("plates", sa.BigInteger, nullable=False),
)

tallies = sa.Table(
    "tallies",
    metadata,
    # Events of a day (UTC) and camera, kept by triggers; without the withdrawn ones.
    sa.Column("day", sa.String(10), primary_key=True),  # 2026-05-01
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("kind", sa.String(8), primary_key=True),  # ``hour``; with a plate ``score`` and ``country``, without one ``reason``
    sa.Column("value", sa.String(32), primary_key=True),  # score: twentieths (0..20), or ``typed`` where somebody read it
    sa.Column("events", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),  # of the revision that it came with
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Index("evidence_file", "file"),
)

head = sa.Table(
    "head",
    metadata,
    # One row. A transaction that appends updates it first: numbers have no gaps, are never given twice even if rows are deleted, and
    # transactions commit in their order on every database, so a reader that goes by its last number misses nothing.
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("entry", sa.BigInteger, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

cursors = sa.Table(
    "cursors",
    metadata,
    sa.Column("sink", sa.String(200), primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
)

dead_letters = sa.Table(
    "dead_letters",
    metadata,
    # Revisions that a sink would not take, for people to look at and send again.
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("sink", sa.String(200), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("buried_at", sa.String(27), nullable=False),
    sa.UniqueConstraint("sink", "sequence", name="dead_letters_once"),
)

samples = sa.Table(
    "samples",
    metadata,
    # Random samples of events for people to review, see ``streamer.review``.
    sa.Column("entry", _ROWID, primary_key=True, autoincrement=False),  # in the chain: sizes and seed cannot be chosen afterwards
    sa.Column("seed", sa.String(32), nullable=False),
    sa.Column("drawn_at", sa.String(27), nullable=False),
)

strata = sa.Table(
    "strata",
    metadata,
    # What a sample was drawn from.
    sa.Column("sample", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("day", sa.String(10), primary_key=True),  # UTC
    sa.Column("given", sa.Boolean, primary_key=True),  # whether the program gave a plate
    sa.Column("population", sa.BigInteger, nullable=False),  # events when it was drawn, those of earlier samples included
    sa.Column("drawn", sa.BigInteger, nullable=False),
)

queue = sa.Table(
    "queue",
    metadata,
    # What was drawn, in the order to review it in; nothing here says which plate it was.
    sa.Column("id", _ROWID, primary_key=True, autoincrement=True),
    sa.Column("sample", sa.BigInteger, nullable=False),
    sa.Column("event_id", sa.String(36), unique=True),  # None: the event was erased (a trigger)
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("day", sa.String(10), nullable=False),
    sa.Column("given", sa.Boolean, nullable=False),
    sa.Column("score", sa.Float),
    sa.Column("reason", sa.String(32)),
)

reviews = sa.Table(
    "reviews",
    metadata,
    # What people saw; everything here stands in the payload of the entry, too.
    sa.Column("entry", _ROWID, primary_key=True, autoincrement=False),
    sa.Column("item", sa.BigInteger, nullable=False),  # of the queue
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("truth", sa.Text),  # A-Z 0-9; None also when the event was erased (a trigger)
    sa.Column("reason", sa.String(16)),  # why it is excluded
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("reviewer", sa.Text, nullable=False),
    sa.Column("at", sa.String(27), nullable=False),
    sa.Column("replaced_by", sa.BigInteger),  # entry of a later review of the same item; None: this one holds
    sa.Index("reviews_item", "item", "entry"),
    sa.Index("reviews_truth", "truth"),
)

holds = sa.Table(
    "holds",
    metadata,
    # Events that must not be erased.
    sa.Column("event_id", sa.String(36), primary_key=True),
    sa.Column("held_at", sa.String(27), nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
)

removals = sa.Table(
    "removals",
    metadata,
    # What is left to do after an erasure, outside of the database; written in its transaction, so no crash loses it. No plates in it.
    sa.Column("id", _ROWID, primary_key=True, autoincrement=True),
    sa.Column(
        "kind", sa.String(8), nullable=False
    ),  # ``file``: of evidence; ``lines``: of an event in logs and tables; ``copies``: at a sink
    sa.Column("name", sa.Text, nullable=False),  # of the file, or the event's id; of copies: sink, what, event's id, source
    sa.Column("sequence", sa.BigInteger),  # of the revision
    sa.Column("erased_at", sa.String(27), nullable=False),
)

timestamps = sa.Table(
    "timestamps",
    metadata,
    # What authorities outside said of the chain (RFC 3161). Not in the chain: each speaks for all entries up to its own.
    sa.Column("id", _ROWID, primary_key=True, autoincrement=True),
    sa.Column("entry", sa.BigInteger, nullable=False),  # whose hash was stamped
    sa.Column("time", sa.String(27), nullable=False),  # that it says
    sa.Column("authority", sa.Text, nullable=False),  # its address, without credentials
    sa.Column("answer", sa.LargeBinary, nullable=False),  # TimeStampResp, DER
    sa.Index("timestamps_entry", "entry"),
)
