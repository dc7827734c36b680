"""Events with revisions in a signed chain, their evidence, the sinks' places and dead letters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    rowid = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # only an INTEGER is SQLite's own row number there, and needs no index
    op.create_table(
        "entries",
        sa.Column("number", rowid, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("signature", sa.String(128)),
        sa.Column("signer", sa.String(16)),
        sa.Column("payload", sa.Text),
    )
    op.create_table(
        "events",
        sa.Column("sequence", rowid, primary_key=True, autoincrement=False),
        sa.Column("entry", sa.BigInteger, nullable=False, unique=True),
        sa.Column("event_id", sa.String(36), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("passage", sa.Text, nullable=False),
        sa.Column("plate", sa.Text),
        sa.Column("folded", sa.Text),
        sa.Column("country", sa.String(8)),
        sa.Column("score", sa.Float),
        sa.Column("reason", sa.String(32)),
        sa.Column("best_time", sa.String(27), nullable=False),
        sa.UniqueConstraint("event_id", "revision", name="events_revision"),
    )
    op.create_index("events_best_time", "events", ["best_time"])
    op.create_index("events_folded", "events", ["folded", "best_time"])
    op.create_index("events_source", "events", ["source", "best_time"])
    previews = sa.text("state = 'preview'")
    op.create_index("events_previews", "events", ["event_id"], sqlite_where=previews, postgresql_where=previews)
    op.create_table(
        "evidence",
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
    )
    op.create_index("evidence_file", "evidence", ["file"])
    head = op.create_table(
        "head",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("entry", sa.BigInteger, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "entry": 0, "sequence": 0, "hash": 64 * "0"}])
    op.create_table(
        "cursors",
        sa.Column("sink", sa.String(200), primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("sink", sa.String(200), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("buried_at", sa.String(27), nullable=False),
        sa.UniqueConstraint("sink", "sequence", name="dead_letters_once"),
    )
