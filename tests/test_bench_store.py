"""The store of the benchmark: what it measures is what the program itself would have written."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from streamer.events import event_schema, to_line
from streamer.signing import PUBLIC, verifier_of
from streamer.store import Store
from streamer.verify import Verified, check
from train.bench_store_fill import fill
from train.bench_store_traffic import Traffic

EVENTS = 2000
COUNTED = ("plates", "visits", "tallies")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    fill(folder, folder / "events.sqlite", Traffic(EVENTS, 30, 4), lambda _: None)
    return folder


def rows(connection: sqlite3.Connection, table: str) -> list[tuple]:
    return sorted(row for row in connection.execute(f"SELECT * FROM {table}") if not table.endswith("visits") or row[1])  # noqa: S608


def test_the_chain_holds_and_events_are_as_the_program_writes_them(filled):
    seen = Verified()
    with Store(filled / "events.sqlite", read_only=True) as store:
        head = store.head()
        pairs = list(store.entries(head[0]))
        faults = [
            str(one)
            for one in check(pairs, head, store.count_rows(head[0]), verifier_of(filled / PUBLIC), lambda file: filled / file, seen)
        ]
    assert [fault for fault in faults if "picture" not in fault] == [], "pictures are not made"
    assert (seen.revisions, seen.unsigned, seen.signatures) == (EVENTS, 0, 1)
    schema = Draft202012Validator(event_schema())
    for entry, _ in pairs[::20]:
        event = json.loads(entry.payload)
        assert to_line(event) == entry.payload
        schema.validate(event)


def test_plates_and_counts_are_those_of_the_triggers(filled, tmp_path):
    """The same rows once more, one by one."""
    Store(tmp_path / "again.sqlite").close()
    with sqlite3.connect(tmp_path / "again.sqlite") as again:
        again.execute("ATTACH ? AS filled", (str(filled / "events.sqlite"),))
        columns = [row[1] for row in again.execute("PRAGMA table_info(events)") if row[1] != "replaced_by"]
        names = ", ".join(columns)
        again.execute("INSERT INTO plates SELECT text, skeleton, backwards, 0, 0 FROM filled.plates")
        again.execute(f"INSERT INTO events ({names}) SELECT {names} FROM filled.events ORDER BY sequence")  # noqa: S608
        for table in ("events", *COUNTED):
            assert rows(again, f"main.{table}") == rows(again, f"filled.{table}"), table
        query = "SELECT type, name, sql FROM {}.sqlite_master ORDER BY type, name"
        assert again.execute(query.format("main")).fetchall() == again.execute(query.format("filled")).fetchall()
    again.close()


def test_some_plates_come_again_and_most_do_not(filled):
    with sqlite3.connect(filled / "events.sqlite") as connection:
        times = dict(connection.execute("SELECT times, plates FROM visits WHERE plates > 0"))
        states = dict(connection.execute("SELECT state, count(*) FROM events GROUP BY 1"))
        cameras = dict(connection.execute("SELECT source, count(*) FROM events GROUP BY 1"))
    connection.close()
    assert times[1] > sum(plates for number, plates in times.items() if number > 1) * 0.5
    assert max(times) > 20
    assert set(states) == {"final", "corrected", "preview", "withdrawn"}
    assert len(cameras) == 4
    assert cameras["camera-01"] > cameras["camera-04"]
