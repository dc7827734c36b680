"""Legal holds; what is left to do after an erasure; the other entries than events found by their kind."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "holds",
        sa.Column("event_id", sa.String(36), primary_key=True),
        sa.Column("held_at", sa.String(27), nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
    )
    op.create_table(
        "removals",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("erased_at", sa.String(27), nullable=False),
    )
    others = sa.text("kind <> 'event'")
    op.create_index("entries_others", "entries", ["kind", "number"], sqlite_where=others, postgresql_where=others)
