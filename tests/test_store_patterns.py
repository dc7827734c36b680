"""Plates that match a pattern are all found, wherever its parts stand, and without a look at all plates."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamer.search import clean_pattern, is_pattern, skeleton
from streamer.store import tables
from streamer.store.patterns import matching

ALPHABET = "0OAB8"
texts = st.text(ALPHABET, min_size=1, max_size=13)
patterns = st.text(f"{ALPHABET}*?", min_size=1, max_size=9).map(clean_pattern).filter(lambda one: is_pattern(one) and one.strip("*?"))


@pytest.fixture(scope="module")
def connection() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        tables.plates.create(connection)
        yield connection
    engine.dispose()


def known(connection: sa.Connection, plates: set[str]) -> None:
    connection.execute(sa.delete(tables.plates))
    rows = [{"text": one, "skeleton": skeleton(one), "backwards": skeleton(one)[::-1], "revisions": 1, "visits": 1} for one in plates]
    if rows:
        connection.execute(sa.insert(tables.plates), rows)


@settings(max_examples=25)
@given(st.sets(texts, max_size=40), patterns, st.text("AB8", min_size=3, max_size=4), st.integers(0, 5), st.integers(0, 5))
@example({"AAA000AAA", "AAA000AA"}, "*000*", "000", 3, 3)
def test_what_matches_is_found(connection, plates, pattern, part, before, behind):
    """Any pattern, and one whose part stands so deep in a plate."""
    plates |= {"8" * before + part + "A" * behind, "hmac:0a1b2c3d:" + part.lower()}
    known(connection, plates)
    for wanted in (pattern, f"*{part}*", f"8*{part}?*"):
        assert set(matching(connection, wanted, 1000) or []) == {one for one in plates if fnmatchcase(one, wanted)}
    assert matching(connection, f"*{part}*", 0) is None, "too many"


@pytest.mark.parametrize(("pattern", "index"), [("*123*", "plates_skeleton"), ("12*", "PRIMARY KEY"), ("*12", "plates_backwards")])
def test_no_look_at_all_plates(connection, pattern, index):
    asked = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        asked.append((statement, parameters))

    sa.event.listen(connection.engine, "before_cursor_execute", note)
    matching(connection, pattern, 10)
    sa.event.remove(connection.engine, "before_cursor_execute", note)
    steps = [row[3] for statement, parameters in asked for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    assert any(index in step for step in steps), steps
    scans = [step for step in steps if step.startswith("SCAN plates")]
    assert all("plates_long" in step for step in scans), scans
