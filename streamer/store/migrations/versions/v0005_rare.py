"""Indexes for what is rare: plates of a country, corrected and withdrawn events, long plates. Two minutes for ten million events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the indexes."""
    long = sa.text("length(text) > 8")
    op.create_index("plates_long", "plates", ["text"], sqlite_where=long, postgresql_where=long)
    known = sa.text("country IS NOT NULL")
    op.create_index("events_country", "events", ["country", "best_time", "sequence"], sqlite_where=known, postgresql_where=known)
    changed = sa.text("state IN ('corrected', 'withdrawn')")
    op.create_index("events_changed", "events", ["state", "best_time", "sequence"], sqlite_where=changed, postgresql_where=changed)
