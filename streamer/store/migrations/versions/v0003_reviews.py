"""What people are asked to look at, and what they saw there.

A trigger takes out who it was about when the last revision of an event is deleted, by whatever way: that it was right or wrong stays, for
reports of the past; the event and what somebody read do not.
"""

# ruff: noqa: S608 (made of what stands in this file)

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

GONE = "NOT EXISTS (SELECT 1 FROM events WHERE event_id = OLD.event_id)"
FORGET = (
    f"UPDATE reviews SET truth = NULL WHERE item IN (SELECT id FROM queue WHERE event_id = OLD.event_id) AND {GONE}",
    f"UPDATE queue SET event_id = NULL WHERE event_id = OLD.event_id AND {GONE}",
)


def upgrade() -> None:
    """Make the tables and the trigger."""
    rowid = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "samples",
        sa.Column("entry", rowid, primary_key=True, autoincrement=False),
        sa.Column("seed", sa.String(32), nullable=False),
        sa.Column("drawn_at", sa.String(27), nullable=False),
    )
    op.create_table(
        "strata",
        sa.Column("sample", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("given", sa.Boolean, primary_key=True),
        sa.Column("population", sa.BigInteger, nullable=False),
        sa.Column("drawn", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "queue",
        sa.Column("id", rowid, primary_key=True, autoincrement=True),
        sa.Column("sample", sa.BigInteger, nullable=False),
        sa.Column("event_id", sa.String(36), unique=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("given", sa.Boolean, nullable=False),
        sa.Column("score", sa.Float),
        sa.Column("reason", sa.String(32)),
    )
    op.create_table(
        "reviews",
        sa.Column("entry", rowid, primary_key=True, autoincrement=False),
        sa.Column("item", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("truth", sa.Text),
        sa.Column("reason", sa.String(16)),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reviewer", sa.Text, nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("replaced_by", sa.BigInteger),
    )
    op.create_index("reviews_item", "reviews", ["item", "entry"])
    op.create_index("reviews_truth", "reviews", ["truth"])
    if op.get_context().dialect.name == "sqlite":
        _execute(f"CREATE TRIGGER reviews_erased AFTER DELETE ON events BEGIN {'; '.join(FORGET)}; END")
    else:
        body = "; ".join(FORGET)
        _execute(f"CREATE FUNCTION reviews_erased() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN {body}; RETURN NULL; END $body$")
        _execute("CREATE TRIGGER reviews_erased AFTER DELETE ON events FOR EACH ROW EXECUTE FUNCTION reviews_erased()")


def _execute(statement: str) -> None:
    op.get_bind().exec_driver_sql(statement)
