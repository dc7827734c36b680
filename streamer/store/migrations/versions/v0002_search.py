"""What is searched: the plate that holds, which revision holds, indexes to page through, known plates and daily counts kept by triggers.

Triggers, because whoever deletes rows, by whatever way, must leave no plate behind and no count wrong. The texts here are what they were
when this migration was written: they share no code with the program.
"""

# ruff: noqa: S608 (made of what stands in this file)

from __future__ import annotations

import json
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# Close look-alikes made one.
SKELETON = str.maketrans("ODQIZSGB", "00012568")


def upgrade() -> None:
    """Make the tables and triggers, and fill them."""
    for index in ("events_folded", "events_best_time", "events_source"):
        op.drop_index(index, "events")
    with op.batch_alter_table("events") as events:
        events.drop_column("folded")
        events.add_column(sa.Column("text", sa.Text))
        events.add_column(sa.Column("replaced_by", sa.BigInteger))
    op.create_index("events_best_time", "events", ["best_time", "sequence"])
    op.create_index("events_source", "events", ["source", "best_time", "sequence"])
    op.create_index("events_text", "events", ["text", "best_time", "sequence"])
    sorts = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "plates",
        sa.Column("text", sorts, primary_key=True),
        sa.Column("skeleton", sorts, nullable=False),
        sa.Column("backwards", sorts, nullable=False),
        sa.Column("revisions", sa.BigInteger, nullable=False),
        sa.Column("visits", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("plates_skeleton", "plates", ["skeleton"])
    op.create_index("plates_backwards", "plates", ["backwards"])
    frequent = sa.text("visits >= 10")
    op.create_index("plates_frequent", "plates", ["visits"], sqlite_where=frequent, postgresql_where=frequent)
    op.create_table(
        "visits",
        sa.Column("times", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("plates", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "tallies",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("value", sa.String(32), primary_key=True),
        sa.Column("events", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    _fill_texts()
    _fill_counts()
    _make_triggers()


def _fill_texts() -> None:
    """Fill the new columns, and the table of plates."""
    connection = op.get_bind()
    connection.execute(sa.text("UPDATE events SET text = plate"))
    corrected = sa.text(
        "SELECT events.sequence, entries.payload FROM events JOIN entries ON entries.number = events.entry WHERE events.state = 'corrected'"
    )
    for sequence, payload in connection.execute(corrected).all():
        text = json.loads(payload)["correction"]["plate"]
        connection.execute(sa.text("UPDATE events SET text = :text WHERE sequence = :sequence"), {"text": text, "sequence": sequence})
    connection.execute(
        sa.text(
            "UPDATE events SET replaced_by = (SELECT later.sequence FROM events AS later"
            " WHERE later.event_id = events.event_id AND later.revision = events.revision + 1)"
        )
    )
    known = sa.text(
        "SELECT text, count(*), sum(CASE WHEN replaced_by IS NULL AND state <> 'withdrawn' THEN 1 ELSE 0 END)"
        " FROM events WHERE text IS NOT NULL GROUP BY text"
    )
    for text, revisions, visits in connection.execute(known).all():
        row = {"text": text, "skeleton": text.translate(SKELETON), "backwards": text.translate(SKELETON)[::-1]}
        connection.execute(
            sa.text("INSERT INTO plates VALUES (:text, :skeleton, :backwards, :revisions, :visits)"),
            row | {"revisions": revisions, "visits": visits},
        )


def _fill_counts() -> None:
    connection = op.get_bind()
    connection.execute(sa.text("INSERT INTO visits SELECT visits, count(*) FROM plates WHERE visits > 0 GROUP BY visits"))
    for kind, value, where in _kinds("events"):
        connection.execute(
            sa.text(
                f"INSERT INTO tallies SELECT substr(best_time, 1, 10), source, {kind}, {value}, count(*) FROM events"
                f" WHERE replaced_by IS NULL AND state <> 'withdrawn' AND {where} GROUP BY 1, 2, 3, 4"
            )
        )


def _kinds(row: str) -> Iterator[tuple[str, str, str]]:
    """Give what an event is counted as: kind, value and condition, in SQL."""
    score = f"CASE WHEN {row}.score IS NULL THEN 'typed' ELSE CAST(CAST(round({row}.score * 10000) AS INTEGER) / 500 AS TEXT) END"
    yield "'hour'", f"substr({row}.best_time, 12, 2)", "1 = 1"
    yield "'score'", score, f"{row}.text IS NOT NULL"
    yield "'reason'", f"coalesce({row}.reason, 'corrected')", f"{row}.text IS NULL"
    yield "'country'", f"coalesce({row}.country, '')", f"{row}.text IS NOT NULL"


def _add(row: str, step: int, when: str) -> list[str]:
    """Give statements that count an event (step 1), or take it out (-1), if a condition holds."""
    upsert = "ON CONFLICT (times) DO UPDATE SET plates = visits.plates + 1"
    here = f"day = substr({row}.best_time, 1, 10) AND source = {row}.source"
    statements = [
        f"UPDATE visits SET plates = plates - 1 WHERE times = (SELECT visits FROM plates WHERE text = {row}.text) AND {when}",
        f"UPDATE plates SET visits = visits + ({step}) WHERE text = {row}.text AND {when}",
        f"INSERT INTO visits SELECT visits, 1 FROM plates WHERE text = {row}.text AND visits > 0 AND {when} {upsert}",
    ]
    for kind, value, where in _kinds(row):
        statements.append(
            f"INSERT INTO tallies SELECT substr({row}.best_time, 1, 10), {row}.source, {kind}, {value}, {step} WHERE {where} AND {when}"
            f" ON CONFLICT (day, source, kind, value) DO UPDATE SET events = tallies.events + ({step})"
        )
    return statements if step > 0 else [*statements, f"DELETE FROM tallies WHERE {here} AND events <= 0"]


COUNTS = "OLD.replaced_by IS NULL AND OLD.state <> 'withdrawn'"
KNOWN = (
    "UPDATE plates SET revisions = revisions + 1 WHERE text = NEW.text",
    "UPDATE events SET replaced_by = NEW.sequence WHERE event_id = NEW.event_id AND revision = NEW.revision - 1 AND replaced_by IS NULL",
)
FORGOTTEN = (
    "UPDATE plates SET revisions = revisions - 1 WHERE text = OLD.text",
    "DELETE FROM plates WHERE text = OLD.text AND revisions <= 0",
)


def _make_triggers() -> None:
    make = _make_sqlite_trigger if op.get_context().dialect.name == "sqlite" else _make_postgresql_trigger
    # One trigger for all that is done: no database promises much about the order of several.
    make("events_recorded", "INSERT", [*KNOWN, *_add("NEW", 1, "NEW.state <> 'withdrawn'")])
    make("events_replaced", "UPDATE OF replaced_by", _add("OLD", -1, f"{COUNTS} AND NEW.replaced_by IS NOT NULL"))
    make("events_erased", "DELETE", [*_add("OLD", -1, COUNTS), *FORGOTTEN])


def _make_sqlite_trigger(name: str, when: str, statements: list[str]) -> None:
    _execute(f"CREATE TRIGGER {name} AFTER {when} ON events BEGIN {'; '.join(statements)}; END")


def _make_postgresql_trigger(name: str, when: str, statements: list[str]) -> None:
    body = "; ".join(statements)
    _execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN {body}; RETURN NULL; END $body$")
    _execute(f"CREATE TRIGGER {name} AFTER {when} ON events FOR EACH ROW EXECUTE FUNCTION {name}()")


def _execute(statement: str) -> None:
    op.get_bind().exec_driver_sql(statement)
