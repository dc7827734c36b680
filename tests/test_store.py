"""The store: all or nothing, numbered without gaps, for one process, and there after a crash."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, select

from streamer.errors import MissingPackageError, StoreError, UsageError
from streamer.store import Store, new_event_id
from streamer.store.database import MIGRATIONS, newest_version
from streamer.store.tables import metadata


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out" / "events.db"


@pytest.fixture
def maker(make_event):
    """Gives makers of events that have new ids."""

    def give(**fields):
        return lambda place: make_event(place, **fields) | {"event_id": new_event_id()}

    return give


def numbers(events):
    return [event["sequence"] for event in events]


def test_events_come_back_as_they_were_recorded(path, maker):
    with Store(path) as store:
        assert numbers(store.append([maker(plate="AB12"), maker(plate="CD34")])) == [1, 2]
        assert numbers(store.append([maker(plate="EF56")])) == [3]
        assert store.append([]) == []
    with Store(path) as store:
        events = store.read_after(0, 10)
        assert [event.sequence for event in events] == [1, 2, 3]
        assert [json.loads(event.line)["plate"] for event in events] == ["AB12", "CD34", "EF56"]
        assert [json.loads(event.line)["sequence"] for event in events] == [1, 2, 3]
        assert store.read_after(1, 1) == [events[1]]
        assert store.read_after(3, 10) == []
        assert numbers(store.append([maker()])) == [4]


def test_a_path_a_name_and_a_url_are_the_same_store(path, maker):
    for where in (path, str(path), f"sqlite:///{path}"):
        with Store(where) as store:
            store.append([maker()])
    with Store(path) as store:
        assert len(store.read_after(0, 10)) == 3


def test_what_is_searched_for_stands_in_columns(path, maker):
    with Store(path) as store:
        store.append([maker(plate="AB12", key="3-4", source_id="süd"), maker(plate=None)])
    tables = MetaData()
    engine = create_engine(f"sqlite:///{path}")
    tables.reflect(engine)
    with engine.connect() as connection:
        rows = connection.execute(select(tables.tables["events"]).order_by("sequence")).mappings().all()
    engine.dispose()
    assert {key: rows[0][key] for key in ("sequence", "passage", "state", "source", "plate", "best_time")} == {
        "sequence": 1,
        "passage": "3-4",
        "state": "final",
        "source": "süd",
        "plate": "AB12",
        "best_time": "2026-05-01T08:00:13.250000Z",
    }
    assert rows[1]["plate"] is None


def test_a_source_name_that_is_no_utf8_is_stored(path, maker):
    name = b"clip\xff.mp4".decode("utf-8", "surrogateescape")
    with Store(path) as store:
        store.append([maker(source_id=name)])
        assert json.loads(store.read_after(0, 1)[0].line)["source"] == name


def test_one_bad_event_and_none_is_recorded(path, maker, make_event):
    def broken(place):
        raise ZeroDivisionError

    with Store(path) as store:
        store.append([make_event])
        with pytest.raises(ZeroDivisionError):
            store.append([maker(), broken])
        with pytest.raises(StoreError, match="UNIQUE"):
            store.append([maker(), lambda place: make_event(place) | {"event_id": make_event(1)["event_id"]}])
        assert numbers(store.append([maker()])) == [2], "no gap is left"
        assert len(store.read_after(0, 10)) == 2


def test_errors_do_not_name_plates(path, make_event):
    with Store(path) as store:
        store.append([make_event])
        with pytest.raises(StoreError) as raised:
            store.append([lambda place: make_event(place, plate="SECRET1") | {"event_id": make_event(1)["event_id"]}])
    assert str(path) in str(raised.value)
    assert "SECRET1" not in f"{raised.value} {raised.value.__cause__}"


def test_numbers_are_never_given_twice(path, maker):
    with Store(path) as store:
        store.append([maker(), maker()])
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM events")
        connection.execute("DELETE FROM entries")
    connection.close()
    with Store(path) as store:
        assert numbers(store.append([maker()])) == [3]


def test_each_sink_has_its_own_cursor(path):
    with Store(path) as store:
        assert store.cursor("log") == 0
        store.move_cursor("log", 5)
        store.move_cursor("mqtt", 2)
        store.move_cursor("log", 7)
    with Store(path) as store:
        assert (store.cursor("log"), store.cursor("mqtt"), store.cursor("other")) == (7, 2, 0)


def test_only_the_owner_may_look(path, maker):
    before = os.umask(0)
    try:
        with Store(path) as store:
            store.append([maker()])
            modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert {"events.db", "events.db-wal"} <= set(modes)
    assert set(modes.values()) == {0o600}, modes
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_second_process_is_told_so(path, maker):
    program = "import sys; from streamer.store import Store; Store(sys.argv[1])"
    with Store(path) as store:
        store.append([maker()])
        second = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
        assert second.returncode == 1
        assert f"StoreError: {path}: another process has this event store open" in second.stderr
        store.append([maker()])
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == 0, "open again after close"


def test_a_reader_such_as_a_backup_is_no_obstacle(path, maker):
    with Store(path) as store:
        store.append([maker()])
        reader = sqlite3.connect(path)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (1,)
        store.append([maker()])
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (1,)
        reader.close()


def test_threads_share_a_store(path, maker):
    with Store(path) as store:

        def work() -> None:
            for _ in range(20):
                store.append([maker(), maker()])
                store.move_cursor("log", store.read_after(0, 1)[0].sequence)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [event.sequence for event in store.read_after(0, 1000)] == list(range(1, 161))


def test_a_full_disk_costs_no_recorded_event(path, maker):
    with Store(path) as store:
        store.append([maker() for _ in range(50)])
        before = store.read_after(0, 1000)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.parent.joinpath("events.db-wal").stat().st_size + 5000, hard))
        try:
            with pytest.raises(StoreError, match=r"events\.db: the event store cannot be written"):
                store.append([maker() for _ in range(50)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert store.read_after(0, 1000) == before
        assert numbers(store.append([maker()])) == [51]


KILLED = """
import sys
from streamer.store import Store, new_event_id
store = Store(sys.argv[1])
event = {"passage": "p", "state": "final", "source": "s", "plate": None, "best": {"time": "t"}, "revision": 1, "evidence": []}
event |= dict.fromkeys(("country", "score", "reason"))
def make(place):
    return event | {"event_id": new_event_id(), "sequence": place.sequence, "chain": {"entry": place.entry}}
while True:
    print(store.append([make] * 3)[-1]["sequence"], flush=True)
"""


@pytest.mark.parametrize("after", [1, 7, 30])
def test_what_was_acknowledged_survives_a_kill(path, after):
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        acknowledged = [int(child.stdout.readline()) for _ in range(after)]
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split()
    last = int(rest[-1]) if rest else acknowledged[-1]
    with Store(path) as store:
        found = [event.sequence for event in store.read_after(0, 10_000)]
    assert found == list(range(1, len(found) + 1))
    assert len(found) in (last, last + 3), "whole transactions only"


def test_what_cannot_be_a_store_is_named(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to be looked at as if it were one" * 20)
    with pytest.raises(StoreError, match=r"notes\.txt.*not a database"):
        Store(text)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(tmp_path)
    with pytest.raises(UsageError, match="name a file"):
        Store("sqlite://")
    with pytest.raises(UsageError, match="unknown kind of database"):
        Store("oracledb9://user:pass-word@host/name")


def test_a_store_of_a_newer_version_is_refused(path):
    Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(UsageError, match="newer version"):
        Store(path)


def test_a_store_without_a_chain_is_refused(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE events (sequence INTEGER PRIMARY KEY, line TEXT)")
    connection.close()
    with pytest.raises(UsageError, match="early version"):
        Store(path)


def test_migrations_make_the_tables_that_the_program_uses(path):
    Store(path).close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_version_of_the_tables_is_that_of_the_last_migration():
    assert newest_version() == ScriptDirectory(str(MIGRATIONS)).get_current_head()


@pytest.mark.parametrize("how", [{}, {"read_only": True}, {"alone": False}])
def test_a_record_that_is_up_to_date_is_opened_without_alembic(path, how, monkeypatch):
    """It takes half a second of CPU to import."""
    Store(path).close()
    monkeypatch.setitem(sys.modules, "alembic", None)
    Store(path, **how).close()


def test_what_went_on_when_the_program_ended_is_known(path, maker):
    with Store(path) as store:
        (open_one,) = store.append([maker(state="preview", key="1-1")])
        (over,) = store.append([maker(state="preview", key="1-2")])
        store.append([lambda place: over | {"sequence": place.sequence, "revision": 2, "state": "final", "chain": {"entry": place.entry}}])
        assert [event.event_id for event in store.open_previews()] == [open_one["event_id"]]


def test_a_revision_of_what_was_erased_is_refused(path, maker):
    with Store(path) as store:
        (event,) = store.append([maker()])
        with store.transaction("written") as connection:
            connection.execute(metadata.tables["events"].delete())

        def corrected(place):
            return event | {"sequence": place.sequence, "revision": 2, "state": "corrected", "chain": {"entry": place.entry}}

        with pytest.raises(StoreError, match="was erased meanwhile"):
            store.append([corrected])
        assert store.read_after(0, 10) == []
        assert numbers(store.append([maker()])) == [2], "no gap is left"


def test_errors_do_not_name_passwords():
    secret = "p@ss/w:rd"
    for url in (
        f"postgresql+nodriver://me:{secret}@host/db?password={secret}",
        f"nosuch://me:{secret}@[host/db",
        "postgresql+psycopg://h/d",
    ):
        with pytest.raises((UsageError, MissingPackageError, StoreError)) as raised:
            Store(url)
        assert secret not in str(raised.value)
        assert "w:rd" not in str(raised.value)


def test_ids_sort_by_time():
    ids = [new_event_id() for _ in range(1000)]
    assert ids == sorted(set(ids))
    assert all(event_id[14] == "7" for event_id in ids)
