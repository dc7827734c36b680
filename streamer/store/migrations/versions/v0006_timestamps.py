"""Timestamps of the chain by authorities outside (RFC 3161)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "timestamps",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("entry", sa.BigInteger, nullable=False),
        sa.Column("time", sa.String(27), nullable=False),
        sa.Column("authority", sa.Text, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
    )
    op.create_index("timestamps_entry", "timestamps", ["entry"])
