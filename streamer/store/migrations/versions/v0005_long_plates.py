"""An index of long plates, for patterns with wildcards at both ends; see ``patterns``. Some seconds for ten million events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the index."""
    long = sa.text("length(text) > 8")
    op.create_index("plates_long", "plates", ["text"], sqlite_where=long, postgresql_where=long)
