"""What is forgotten is gone from every byte; what is held or not due stays; a crash leaves nothing half done."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from streamer.chain import new_salt
from streamer.errors import StoreError, UsageError
from streamer.plates import fold
from streamer.privacy import Limits
from streamer.purge import Purge, Purged, PurgeThread
from streamer.store import Store
from streamer.store.erasure import Erasures
from streamer.store.retention import Hold, Retention
from streamer.subject import names
from tests.forgetting import CANARY, NOW, STORE, Folder, found_in, pictures, plates
from tests.servers import Postgres, postgres_server


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with postgres_server() as server:
        Store(server.url("postgres")).close()  # makes the tables: the databases of tests are copies
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def folder(
    request: pytest.FixtureRequest, tmp_path: Path, make_passage: Callable[..., Any], make_event: Callable[..., Any]
) -> Iterator[Folder]:
    """With its record in each kind of database."""
    where = request.getfixturevalue("cluster").copy_of("postgres") if request.param == "postgresql" else None
    made = Folder(tmp_path / "out", make_passage, make_event, where)
    yield made
    made.close()


@pytest.fixture
def sqlite_folder(tmp_path: Path, make_passage: Callable[..., Any], make_event: Callable[..., Any]) -> Iterator[Folder]:
    made = Folder(tmp_path / "out", make_passage, make_event)
    yield made
    made.close()


def test_what_is_due_goes_and_the_rest_stays(folder: Folder) -> None:
    old, new = folder.record("OLD1", 40), folder.record("NEW1", 20)
    empty_old, empty_new = folder.record(None, 3), folder.record(None, 1)
    folder.deliver()
    limits = Limits(events_without_plate_days=2, reads_days=30)
    assert folder.purge().due(limits) == Purged(without_plate=1, reads=1)
    assert folder.ids() == {old, new, empty_old, empty_new}, "due() only counts"
    assert folder.purge().run(limits) == Purged(without_plate=1, reads=1)
    assert folder.ids() == set(folder.logged()) == {new, empty_new}
    assert pictures(folder.path) == folder.pictures_of_events()
    assert len(pictures(folder.path)) == 2
    assert folder.faults() == []
    assert folder.purge().run(limits) == Purged()
    assert folder.purge().run(Limits()) == Purged(), "without limits everything is kept"


def test_all_revisions_of_an_event_go_together(folder: Folder) -> None:
    one = folder.record("AB12CD", 40, states=("preview", "final"))
    withdrawn = folder.record("AB12CE", 40, states=("preview", "withdrawn"))
    going_on = folder.record("AB12CF", 40, states=("preview",))
    assert folder.purge().run(Limits(reads_days=30)).reads == 2
    assert folder.ids() == {going_on}
    assert {one, withdrawn}.isdisjoint(folder.ids())
    assert folder.faults() == []


def test_an_event_that_lost_its_plate_is_a_read_all_the_same(folder: Folder) -> None:
    """Its earlier revision names one."""
    event_id = folder.record("AB12CD", 10, states=("preview",))
    line = json.loads(folder.store.read_after(0, 1)[0].line)
    none = {"plate": None, "score": None, "char_scores": [], "reason": "rejected", "revision": 2, "state": "final"}
    folder.store.append(
        [lambda p: line | none | {"sequence": p.sequence, "chain": {"entry": p.entry, "previous": p.previous}, "salt": new_salt()}]
    )
    assert folder.purge().run(Limits(events_without_plate_days=5)) == Purged()
    assert folder.purge().run(Limits(reads_days=5)).reads == 1
    assert event_id not in folder.ids()


def test_a_clock_that_ran_ahead_does_not_keep_an_event_for_ever(folder: Folder, make_event: Callable[..., Any]) -> None:
    event_id = folder.record("AB12CD", 40)
    line = json.loads(folder.store.read_after(0, 1)[0].line)
    best = line["best"] | {"time": "2099-01-01T00:00:00.000000Z"}
    other = "0" + event_id[1:-1] + "f"
    folder.store.append(
        [lambda p: line | {"event_id": other, "best": best, "sequence": p.sequence, "chain": {"entry": p.entry, "previous": p.previous}}]
    )
    assert folder.purge().run(Limits(reads_days=30)).reads == 2
    assert folder.ids() == set()


def test_holds_hold(folder: Folder) -> None:
    kept, other = folder.record("AB12CD", 40), folder.record("AB12CE", 40)
    retention = Retention(folder.store)
    audit = json.dumps({"time": "2026-06-01T00:00:00.000000Z", "salt": new_salt()})
    hold = Hold(kept, "2026-06-01T00:00:00.000000Z", "me", "case 7")
    retention.hold([hold], audit)
    assert retention.holds() == [hold]
    limits = Limits(reads_days=30, evidence_days=1)
    assert folder.purge().run(limits).reads == 1
    assert folder.purge().erase([kept], "asked").kept == 1
    assert folder.ids() == {kept}
    assert len(pictures(folder.path)) == 1
    with pytest.raises(UsageError, match="no event"):
        retention.hold([Hold(other, hold.held_at, "me", "gone")], audit)
    retention.release([kept], audit)
    with pytest.raises(UsageError, match="held"):
        retention.release([kept], audit)
    assert folder.purge().run(limits).reads == 1
    assert folder.ids() == set()
    assert folder.faults() == []


def test_pictures_may_go_before_their_event(folder: Folder) -> None:
    old, new = folder.record("AB12CD", 10, states=("preview", "final")), folder.record("AB12CE", 1)
    folder.deliver()
    assert folder.purge().due(Limits(evidence_days=7)) == Purged(pictures=1)
    assert folder.purge().run(Limits(evidence_days=7)) == Purged(pictures=1)
    assert folder.ids() == set(folder.logged()) == {old, new}
    assert pictures(folder.path) == folder.pictures_of_events()
    assert len(pictures(folder.path)) == 1
    assert folder.faults() == []
    # A correction names the picture again.
    last = json.loads(folder.store.read_after(0, 10)[1].line)
    change = {"revision": 3, "state": "corrected", "revision_reason": "correction", "salt": new_salt()}
    folder.store.append([lambda p: last | change | {"sequence": p.sequence, "chain": {"entry": p.entry, "previous": p.previous}}])
    assert folder.faults() == []
    (folder.path / pictures(folder.path).pop()).unlink()
    assert "no such file" in folder.faults()[0], "what no entry speaks of is missed"


def test_a_picture_that_revisions_share_is_one(folder: Folder) -> None:
    event_id = folder.record("AB12CD", 40)
    last = json.loads(folder.store.read_after(0, 1)[0].line)
    change = {"revision": 2, "state": "corrected", "revision_reason": "correction", "salt": new_salt()}
    folder.store.append([lambda p: last | change | {"sequence": p.sequence, "chain": {"entry": p.entry, "previous": p.previous}}])
    assert folder.purge().due(Limits(evidence_days=7)) == Purged(pictures=1)
    assert folder.purge().due(Limits(reads_days=30, evidence_days=7)) == Purged(reads=1), "goes with its event"
    erased = folder.purge().erase([event_id], "asked")
    assert (erased.events, erased.revisions, erased.pictures) == (1, 2, 1)


def test_a_picture_that_two_events_share_goes_with_the_last(folder: Folder) -> None:
    first = folder.record("AB12CD", 40)
    line = json.loads(folder.store.read_after(0, 1)[0].line)
    other = first[:-1] + "f"
    folder.store.append([lambda p: line | {"event_id": other, "sequence": p.sequence, "chain": {"entry": p.entry, "previous": p.previous}}])
    folder.purge().erase([first], "asked")
    assert len(pictures(folder.path)) == 1
    assert folder.faults() == []
    folder.purge().erase([other], "asked")
    assert pictures(folder.path) == set()


def test_audit_entries_go_when_they_are_old(folder: Folder) -> None:
    for day in (1, 20):
        said = {"did": "search", "who": "me", "time": f"2026-05-{day:02}T00:00:00.000000Z", "salt": new_salt()}
        folder.store.append_entries("audit", [json.dumps(said)])
    assert folder.purge().due(Limits(audit_days=20)).audit == 1
    assert folder.purge().run(Limits(audit_days=20)).audit == 1
    assert [one["time"][:10] for one in Retention(folder.store).audits()] == ["2026-05-20"]
    assert folder.faults() == []


@pytest.mark.parametrize("how", ["purge", "erase"])
def test_the_canary_is_in_no_byte(sqlite_folder: Folder, how: str) -> None:
    """Among many others, before and after it, so that pages of the database were split and lines rotated."""
    folder = sqlite_folder
    texts = plates(300)
    for number in range(0, 300, 20):
        folder.record_all(texts[number : number + 20], 40.0 if number % 3 else 1.0, country=None)
        if number in (100, 160, 200):
            canary = folder.record(CANARY, 40, alternatives=((CANARY[:-1] + "2", 0.2),), raw=CANARY)
            folder.record(fold(CANARY), 40, raw=fold(CANARY), states=("preview", "final"))
        folder.deliver()
    (folder.path / "events-2026-05-01.csv").write_text(f"event_id,revision,plate\r\n{canary},1,{CANARY}\r\n{uuid.uuid4()},1,XY1\r\n")
    assert len(found_in(folder.path, CANARY)) >= 4, "record, its write-ahead log, event logs, table"
    if how == "purge":
        assert folder.purge().run(Limits(reads_days=30)).reads > 6
    else:
        found = Retention(folder.store).naming({fold(CANARY)}, names)
        assert len(found) == 6
        assert folder.purge().erase(found, "asked").events == 6
    assert found_in(folder.path, CANARY, fold(CANARY), CANARY[:-1] + "2") == []
    assert (folder.path / "events-2026-05-01.csv").read_text().count("\n") == 2
    assert set(folder.logged()) == folder.ids()
    assert folder.faults() == []


def test_compressed_logs_are_purged_too(sqlite_folder: Folder) -> None:
    folder = sqlite_folder
    folder.record_all(plates(20), 1)
    folder.record(CANARY, 40)
    folder.deliver()
    folder.record_all(plates(20), 1)
    folder.deliver()
    (holds,) = (file for file in folder.path.glob("events-*.jsonl") if CANARY.encode() in file.read_bytes())
    packed = holds.with_name(holds.name + ".gz")
    packed.write_bytes(gzip.compress(holds.read_bytes()))
    holds.unlink()
    before = gzip.decompress(packed.read_bytes()).splitlines()
    folder.purge().run(Limits(reads_days=30))
    after = gzip.decompress(packed.read_bytes()).splitlines()
    assert after == [line for line in before if CANARY.encode() not in line]
    assert len(after) < len(before)


def test_the_log_goes_on_after_lines_were_taken_out(folder: Folder) -> None:
    gone, stays = folder.record("AB12CD", 40), folder.record("AB12CE", 1)
    folder.deliver()
    folder.purge().run(Limits(reads_days=30))
    more = folder.record("AB12CF", 0)
    folder.deliver()
    assert folder.logged() == [stays, more]
    assert gone not in folder.logged()
    folder.purge().erase([stays, more], "asked")
    last = folder.record("AB12CG", 0)
    folder.deliver()
    assert folder.logged() == [last]
    assert (folder.path / "events.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_line_that_a_sink_had_in_its_hands_is_taken_out_later(folder: Folder) -> None:
    folder.record(CANARY, 40)
    in_hand = [event.line for event in folder.store.read_after(0, 10)]
    folder.purge().run(Limits(reads_days=30))
    folder.log.write(in_hand)
    assert found_in(folder.path, CANARY) != []
    folder.now += timedelta(minutes=5)
    folder.purge().run(Limits())
    assert found_in(folder.path, CANARY) == []
    assert Erasures(folder.store).removals("lines", 10) == [], "and then it is done with"


def test_dead_letters_of_erased_events_go(sqlite_folder: Folder) -> None:
    folder = sqlite_folder
    event_id = folder.record("AB12CD", 40)
    with sqlite3.connect(folder.path / STORE) as connection:
        connection.execute("INSERT INTO dead_letters (sink, sequence, attempts, error, buried_at) VALUES ('x', 1, 1, 'no', 't')")
    connection.close()
    folder.purge().erase([event_id], "asked")
    with sqlite3.connect(folder.path / STORE) as connection:
        assert connection.execute("SELECT count(*) FROM dead_letters").fetchone() == (0,)
    connection.close()


def test_every_table_is_either_cleared_or_holds_no_plates(sqlite_folder: Folder) -> None:
    """Whoever adds a table says here which."""
    folder = sqlite_folder
    event_id = folder.record(CANARY, 40)
    with sqlite3.connect(folder.path / STORE) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    cleared = {"events", "evidence", "dead_letters", "plates"}
    without = {"entries", "head", "cursors", "holds", "removals", "timestamps", "alembic_version", "visits", "tallies"}
    without |= {"samples", "strata", "queue", "reviews"}  # a trigger takes the plate out of the reviews
    assert tables - {name for name in tables if name.startswith("sqlite_")} <= cleared | without
    folder.purge().erase([event_id], "asked")
    with sqlite3.connect(folder.path / STORE) as connection:
        assert {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in cleared} == dict.fromkeys(cleared, 0)  # noqa: S608
    connection.close()


def test_recording_goes_on_during_a_purge(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between any two steps of the purge somebody else writes."""
    monkeypatch.setattr("streamer.purge.BATCH", 10)
    folder.record_all(plates(50), 40)
    new: list[str] = []

    def pause(seconds: float) -> bool:
        if seconds > 0:
            new.append(folder.record("AB12CD", 0))
        return False

    purge = Purge(folder.store, folder.path, clock=lambda: NOW, pause=pause)
    assert purge.run(Limits(reads_days=30)).reads == 50
    assert len(new) >= 5
    assert folder.ids() == set(new)
    assert folder.faults() == []


def test_who_records_never_waits_long(folder: Folder) -> None:
    """In another thread, without any order between the two."""
    folder.record_all(plates(300), 40)
    recorded, over = 0, threading.Event()

    def record() -> None:
        nonlocal recorded
        while not over.is_set():
            folder.store.append_entries("audit", [json.dumps({"time": "2026-06-01T00:00:00.000000Z", "salt": new_salt()})])
            recorded += 1

    thread = threading.Thread(target=record)
    thread.start()
    purge = Purge(folder.store, folder.path, clock=lambda: NOW, pause=threading.Event().wait)
    try:
        assert purge.run(Limits(reads_days=30)).reads == 300
    finally:
        over.set()
        thread.join()
    assert recorded >= 3
    assert folder.faults() == []


def test_a_purge_can_be_stopped(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.purge.BATCH", 10)
    folder.record_all(plates(50), 40)
    turns = iter([False, False])
    purge = Purge(folder.store, folder.path, clock=lambda: NOW, pause=lambda seconds: next(turns, True))
    assert 0 < purge.run(Limits(reads_days=30)).reads < 50
    assert folder.faults() == []


def test_the_thread_tells_what_fails_and_ends_at_once() -> None:
    calls: list[int] = []
    twice = threading.Event()

    def work(pause: Callable[[float], bool]) -> Purged:
        calls.append(1)
        if len(calls) == 1:
            raise StoreError("disk full")
        twice.set()
        return Purged()

    thread = PurgeThread(work, every_s=0.0)
    assert thread.close(), "before it was started"
    thread = PurgeThread(work, every_s=0.01)
    thread.start()
    assert twice.wait(10)
    assert thread.close()
    assert not thread.alive
    assert thread.failure is None


def test_a_store_that_others_read_is_purged_later(sqlite_folder: Folder) -> None:
    folder = sqlite_folder
    folder.record(CANARY, 40)
    reader = sqlite3.connect(folder.path / STORE)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchone()
    began = time.monotonic()
    folder.purge().run(Limits(reads_days=30))
    assert time.monotonic() - began < 20, "a backup does not keep it for ever"
    reader.close()
    folder.purge().run(Limits(reads_days=30))
    assert found_in(folder.path, CANARY) == []


def test_a_folder_that_cannot_be_written_is_named(sqlite_folder: Folder) -> None:
    folder = sqlite_folder
    event_id = folder.record("AB12CD", 40)
    (folder.path / pictures(folder.path).pop()).parent.chmod(0o500)
    try:
        if os.access((folder.path / "crops").iterdir().__next__(), os.W_OK):
            pytest.skip("root may write anywhere")
        with pytest.raises(StoreError, match="cannot be purged"):
            folder.purge().erase([event_id], "asked")
    finally:
        next((folder.path / "crops").iterdir()).chmod(0o700)
    folder.purge().finish(forget_after_s=0)
    assert pictures(folder.path) == set()
