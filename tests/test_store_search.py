"""Search and statistics say what a plain look at all events says; pages give each event once; what is erased is in no index."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from streamer.errors import UsageError
from streamer.events import plate_that_holds
from streamer.plates import distance
from streamer.search import skeleton
from streamer.store import Store, new_event_id, tables
from streamer.store import search as search_module
from streamer.store.database import MIGRATIONS
from streamer.store.query import Key, Query
from streamer.store.retention import Retention
from streamer.store.search import Search
from streamer.store.statistics import Span, StatisticsOf

START = datetime(2026, 5, 1, 20, 0, tzinfo=UTC)
CAMERAS = ("gate", "gate-2", "süd_%[x]", "exit")
PLATES = ("AB123", "A8123", "AB12", "ABI23", "BA321", "O0D0Q", "XY987", "XY98", "ZB123")
COUNTRIES = ("DE", "US-TX", "US", "DEX", None)


def random_event(rng: random.Random, make_event: Any, place: Any) -> dict[str, Any]:
    plate = rng.choice((*PLATES, None))
    # Few different times: equal ones must not be lost between pages.
    start = START + timedelta(hours=rng.randrange(60), seconds=rng.choice((0, 0, 1)))
    fields: dict[str, Any] = {"plate": plate, "start": start, "source_id": rng.choice(CAMERAS), "country": rng.choice(COUNTRIES)}
    fields |= {"score": rng.choice((0.0, 0.5, 0.9499, 0.95, 1.0)), "reason": None}
    if plate is None:
        fields |= {"score": None, "country": None, "reason": rng.choice(("blurred", "too_small"))}
    return make_event(place, **fields) | {"event_id": new_event_id(), "state": rng.choice(("preview", "final", "final"))}


def revised(rng: random.Random, before: dict[str, Any], place: Any) -> dict[str, Any]:
    event = before | {"revision": before["revision"] + 1, "sequence": place.sequence}
    event["chain"] = {"entry": place.entry, "previous": place.previous}
    if before["state"] == "preview":
        return event | {"state": rng.choice(("final", "withdrawn")), "plate": before["plate"] and rng.choice(PLATES)}
    said = {"plate": rng.choice((*PLATES, None)), "by": "me", "time": before["written_at"], "why": ""}
    return event | {"state": "corrected", "correction": said}


def fill(store: Store, make_event: Any, rng: random.Random, events: int, revisions: int) -> list[dict[str, Any]]:
    """Record events and revisions of them; gives the last revision of each."""
    last = store.append([lambda place: random_event(rng, make_event, place)] * events)
    while revisions > 0:
        revisions -= revise(store, rng, last, min(revisions, 20))
    return last


def revise(store: Store, rng: random.Random, last: list[dict[str, Any]], number: int) -> int:
    """Record revisions of some events, in one transaction; gives of how many."""
    chosen = rng.sample(range(len(last)), number)
    changed = [which for which in chosen if last[which]["state"] != "withdrawn"]
    made = store.append([lambda place, which=which: revised(rng, last[which], place) for which in changed])
    for which, event in zip(changed, made, strict=True):
        last[which] = event
    return len(made)


@pytest.fixture(scope="module")
def filled(tmp_path_factory, make_event):
    """A store and the last revisions of its events."""
    with Store(tmp_path_factory.mktemp("search") / "events.db") as store:
        yield store, fill(store, make_event, random.Random(5), 200, 100)  # noqa: S311 (repeatable on purpose)


def wanted(event: dict[str, Any], query: Query) -> bool:
    plate, time = plate_that_holds(event), event["best"]["time"]
    return (
        (event["state"] in query.states if query.states else event["state"] != "withdrawn")
        and (query.since is None or time >= query.since)
        and (query.until is None or time < query.until)
        and (not query.cameras or any(fnmatchcase(event["source"], pattern) for pattern in query.cameras))
        and (query.min_score is None or (event["score"] is not None and event["score"] >= query.min_score))
        and (query.country is None or event["country"] == query.country or (event["country"] or "").startswith(f"{query.country}-"))
        and (not query.no_plate or plate is None)
        and (query.plate is None or (plate is not None and fits(plate, query)))
    )


def fits(plate: str, query: Query) -> bool:
    assert query.plate is not None
    if query.edits is not None:
        return Levenshtein.distance(skeleton(query.plate), skeleton(plate)) <= query.edits
    return fnmatchcase(plate, query.plate)


def order(event: dict[str, Any], query: Query) -> Any:
    far = 0.0 if query.edits is None else round(distance(query.plate, plate_that_holds(event)), 6)
    when = datetime.fromisoformat(event["best"]["time"])
    return far, -when.timestamp(), -event["sequence"]


def hour(number: int) -> str:
    return (START + timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def ids(events: Any) -> list[str]:
    return [event["event_id"] for event in events]


def paged(search: Search, query: Query, limit: int) -> list[str]:
    found, after, more = [], None, True
    while more:
        page = search.page(query, after=after, limit=limit)
        assert len(page.found) <= limit
        found += [one.stored.event_id for one in page.found]
        after = None if page.after is None else Key.parse(str(page.after))
        more = after is not None
    return found


@st.composite
def queries(draw: st.DrawFn) -> Query:
    maybe = st.none
    fields: dict[str, Any] = {
        "since": draw(maybe() | st.integers(-1, 60).map(hour)),
        "until": draw(maybe() | st.integers(0, 61).map(hour)),
        "cameras": tuple(draw(st.lists(st.sampled_from(("gate", "gate*", "*[[]x]", "nobody", "?xit", "süd_%*")), max_size=2))),
        "states": frozenset(draw(st.sets(st.sampled_from(("preview", "final", "corrected", "withdrawn")), max_size=2))),
    }
    kind = draw(st.sampled_from(("any", "none", "exact", "pattern", "near")))
    if kind == "none":
        return Query(no_plate=True, **fields)
    fields |= {
        "min_score": draw(maybe() | st.sampled_from((0.0, 0.95, 1.0))),
        "country": draw(maybe() | st.sampled_from(("DE", "US", "US-TX", "X%"))),
    }
    if kind == "exact":
        fields["plate"] = draw(st.sampled_from((*PLATES, "NONE1")))
    if kind == "pattern":
        fields["plate"] = draw(
            st.sampled_from(("AB*", "*23", "A?1*", "*B1*", "*B12*", "?????", "?*", "*2?", "AB12*", "A*3")).filter(lambda p: p.strip("*?"))
        )
    if kind == "near":
        fields |= {"plate": draw(st.sampled_from((*PLATES, "AB1234", "OODOO"))), "edits": draw(st.sampled_from((0, 1, 2)))}
        fields["edits"] = min(fields["edits"], 1 if len(fields["plate"]) < 5 else 2)
    return Query(**fields)


@settings(max_examples=60)
@given(query=queries(), limit=st.sampled_from((15, 60, 1000)), few=st.booleans())
@example(query=Query(plate="AB123", edits=2), limit=1, few=True)
@example(query=Query(plate="A*", since=hour(20)), limit=1, few=True)
def test_a_search_finds_what_a_look_at_all_events_finds(filled, query, limit, few):
    store, last = filled
    with pytest.MonkeyPatch.context() as patch:
        if few:  # the ways for large stores
            patch.setattr(search_module, "MOST_TEXTS", 1)
            patch.setattr(search_module, "FEW_EVENTS", 0)
        found = paged(Search(store), query, limit)
    assert found == ids(sorted((event for event in last if wanted(event, query)), key=lambda event: order(event, query)))


def test_what_is_found_is_the_line_that_was_recorded(filled):
    store, last = filled
    corrected = next(event for event in last if event["state"] == "corrected" and event["correction"]["plate"])
    page = Search(store).page(Query(plate=corrected["correction"]["plate"], states=frozenset({"corrected"})), limit=1000)
    (found,) = [one for one in page.found if one.stored.event_id == corrected["event_id"]]
    assert json.loads(found.stored.line) == corrected
    assert found.plate == corrected["correction"]["plate"]


@pytest.mark.parametrize(
    "query", [Query(), Query(plate="AB*"), Query(plate="AB123", edits=2), Query(cameras=("g*",)), Query(no_plate=True)]
)
def test_pages_give_each_event_once_whatever_is_recorded_meanwhile(tmp_path, make_event, query):
    rng = random.Random(7)  # noqa: S311 (repeatable on purpose)
    with Store(tmp_path / "events.db") as store:
        last = fill(store, make_event, rng, 40, 20)
        search, found, after, more = Search(store), [], None, True
        expected = [event for event in last if wanted(event, query)]
        while more:
            page = search.page(query, after=after, limit=4)
            found += [json.loads(one.stored.line) for one in page.found]
            after, more = page.after, page.after is not None
            fill(store, make_event, rng, 3, 0)
            revise(store, rng, last, 5)  # events that were not shown yet, and some that were, are corrected
    assert found == sorted(expected, key=lambda event: order(event, query))


def test_a_reader_sees_what_another_program_writes(tmp_path, make_event):
    with Store(tmp_path / "events.db") as store, Store(tmp_path / "events.db", read_only=True) as reader:
        (event,) = store.append([lambda place: make_event(place, plate="AB123")])
        assert [one.stored.event_id for one in Search(reader).page(Query(plate="AB123")).found] == [event["event_id"]]
        assert Search(reader).cameras() == ["gate"]
        assert StatisticsOf(reader).count(Span()).events == 1


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"plate": "AB%"}, "letters and digits"),
        ({"plate": "***"}, "letters and digits"),
        ({"plate": "'; DROP TABLE events; --"}, "letters and digits"),
        ({"edits": 1}, "near what"),
        ({"plate": "AB*12", "edits": 1}, "without"),
        ({"plate": "AB1234", "edits": 3}, "at most 2"),
        ({"plate": "AB12", "edits": 2}, "too short"),
        ({"no_plate": True, "plate": "AB"}, "without a plate"),
    ],
)
def test_what_cannot_be_looked_for_is_said(fields, complaint):
    with pytest.raises(UsageError, match=complaint):
        Query(**fields)


@pytest.mark.parametrize("text", ["", "1/2/3", "x/0.0/2026-05-01T08:00:00.000000Z/1", "1/0.0/'; DROP TABLE events/1", "1/0.0/2026-05-01/1"])
def test_a_place_that_is_none_is_refused(text):
    with pytest.raises(UsageError, match="end of a page"):
        Key.parse(text)


@pytest.mark.parametrize("evil", ["' OR 1=1 --", "*'; DROP TABLE events; --", "%", "_ate", "[g]ate", "\\", '"'])
def test_names_of_cameras_and_countries_are_values(filled, evil):
    """A pattern of a camera may have brackets, which is all that it means."""
    store, last = filled
    search = Search(store)
    expected = len([event for event in last if event["source"] == "gate" and event["state"] != "withdrawn"]) if evil == "[g]ate" else 0
    assert len(paged(search, Query(cameras=(evil,)), 1000)) == expected
    assert paged(search, Query(country=evil), 10) == []
    assert len(search.page(Query(), limit=1000).found) > 100, "the table is still there"


def counted(events: list[dict[str, Any]], by: int) -> dict[str, Any]:
    held = [event for event in events if event["state"] != "withdrawn"]
    with_plate = [event for event in held if plate_that_holds(event) is not None]
    times = Counter(plate_that_holds(event) for event in with_plate)
    scores = [min(int(round(event["score"] * 10000) // 500), 19) for event in with_plate if event["score"] is not None]
    return {
        "events": len(held),
        "by_period": dict(Counter((event["best"]["time"][:by], event["source"]) for event in held)),
        "by_score": [scores.count(bucket) for bucket in range(20)],
        "typed": sum(event["score"] is None for event in with_plate),
        "by_reason": dict(Counter(event["reason"] or "corrected" for event in held if plate_that_holds(event) is None)),
        "by_country": dict(Counter(event["country"] or "" for event in with_plate)),
        "by_times": dict(Counter(times.values())),
        "most": sorted(times.items(), key=lambda pair: (-pair[1], pair[0]))[:3],
    }


def told(store: Store, span: Span, by: Any) -> dict[str, Any]:
    found = StatisticsOf(store).count(span, by=by, most=3)
    assert found.visitors is not None
    assert found.visitors.plates == sum(found.visitors.by_times.values())
    return {
        "events": found.events,
        "by_period": found.by_period,
        "by_score": found.by_score,
        "typed": found.typed,
        "by_reason": found.by_reason,
        "by_country": found.by_country,
        "by_times": dict(found.visitors.by_times),
        "most": list(found.visitors.most),
    }


@settings(max_examples=40)
@given(
    since=st.none() | st.integers(-1, 60).map(hour) | st.just("2026-05-02T00:00:00.000000Z"),
    until=st.none() | st.integers(0, 61).map(hour) | st.just("2026-05-03T00:00:00.000000Z"),
    cameras=st.sampled_from(((), ("gate*",), ("nobody",), ("gate", "exit"))),
    by=st.sampled_from((("hour", 13), ("day", 10), ("month", 7))),
)
def test_statistics_are_those_of_the_events(filled, since, until, cameras, by):
    store, last = filled
    query = Query(since=since, until=until, cameras=cameras)
    name, letters = by
    assert told(store, Span(since, until, cameras), name) == counted([event for event in last if wanted(event, query)], letters)


def test_plates_of_many_events_are_counted_if_that_is_asked_for(filled, monkeypatch):
    monkeypatch.setattr("streamer.store.statistics.VISITED", 10)
    counts, span = StatisticsOf(filled[0]), Span(since=hour(0), until=hour(50))
    assert counts.count(span).visitors is None
    assert counts.count(span, visitors=True).visitors is not None
    assert counts.count(Span()).visitors is not None, "those of everything are known"


def test_hours_of_the_day_are_those_of_all_days(filled):
    store, last = filled
    held = [event for event in last if event["state"] != "withdrawn"]
    for span in (Span(), Span(since=hour(0), until=hour(60))):
        found = StatisticsOf(store).count(span, by="hour_of_day").by_period
        assert found == Counter(
            (event["best"]["time"][11:13], event["source"]) for event in held if wanted(event, Query(span.since, span.until))
        )


def test_what_is_erased_is_counted_nowhere_and_found_nowhere(tmp_path, make_event):
    """Whoever deletes rows, in whatever order."""
    with Store(tmp_path / "events.db") as store:
        erase_all(store, fill(store, make_event, random.Random(11), 80, 60))  # noqa: S311 (repeatable on purpose)


def erase_all(store: Store, last: list[dict[str, Any]]) -> None:
    """Erase events, some at a time, and look what is left."""
    rng = random.Random(12)  # noqa: S311 (repeatable on purpose)
    while last:
        gone = [last.pop(rng.randrange(len(last))) for _ in range(min(len(last), 30))]
        with store.transaction("written") as connection:
            for event in gone:
                connection.execute(sa.delete(tables.events).where(tables.events.c.event_id == event["event_id"]))
        assert told(store, Span(), "day") == counted(last, 10)
        with store.transaction("read") as connection:
            known = set(connection.exec_driver_sql("SELECT text FROM plates").scalars())
            rows = set(connection.exec_driver_sql("SELECT text FROM events WHERE text IS NOT NULL").scalars())
        assert known == rows
    assert StatisticsOf(store).ends() is None
    with store.transaction("read") as connection:
        assert connection.exec_driver_sql("SELECT * FROM tallies").all() == []


def test_an_erased_plate_is_in_no_byte_of_the_store(tmp_path, make_event):
    file = tmp_path / "events.db"
    with Store(file) as store:
        secret = make_event(1, plate="SECRET778", raw="SECRET778", alternatives=())
        others = [{"plate": f"AB{number}", "raw": f"AB{number}", "alternatives": ()} for number in range(300)]
        store.append([lambda place, fields=fields: make_event(place, **fields) | {"event_id": new_event_id()} for fields in others])
        store.append([lambda place: secret | {"sequence": place.sequence, "chain": {"entry": place.entry, "previous": place.previous}}])
        assert len(Search(store).page(Query(plate="5ECRET778", edits=0)).found) == 1
        with store.transaction("written") as connection:
            connection.exec_driver_sql("DELETE FROM events WHERE event_id = ?", (secret["event_id"],))
            connection.exec_driver_sql("UPDATE entries SET payload = NULL WHERE number = 301")
        with store.transaction("read") as connection:
            connection.exec_driver_sql("SELECT 1")
    checkpoint = sqlite3.connect(file)
    checkpoint.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    checkpoint.close()
    for one in file.parent.iterdir():
        content = one.read_bytes()
        for text in ("SECRET778", skeleton("SECRET778"), skeleton("SECRET778")[::-1]):
            assert text.encode() not in content, one


def make(file: Path, version: str) -> None:
    """Make a store as a version of the tables had it."""
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    engine.dispose()


def test_a_store_of_before_is_brought_up_to_date(tmp_path, filled):
    """As the first version of the tables had it, with the same events."""
    store, last = filled
    old = tmp_path / "old.db"
    make(old, "0001")
    copy = sqlite3.connect(old)
    with copy:
        copy.execute("ATTACH ? AS new", (store.name,))
        for table in ("entries", "events", "head"):
            columns = {row[1] for row in copy.execute(f"PRAGMA main.table_info({table})")}
            both = ", ".join(columns & {row[1] for row in copy.execute(f"PRAGMA new.table_info({table})")})
            copy.execute(f"DELETE FROM main.{table}")  # noqa: S608 (names from this file)
            copy.execute(f"INSERT INTO main.{table} ({both}) SELECT {both} FROM new.{table}")  # noqa: S608
    copy.close()
    with Store(old) as updated:
        for span in (Span(), Span(since=hour(5), until=hour(30))):
            assert told(updated, span, "day") == told(store, span, "day")
        for query in (Query(), Query(plate="AB123", edits=2), Query(plate="*23"), Query(states=frozenset({"corrected"}))):
            assert paged(Search(updated), query, 50) == paged(Search(store), query, 50)
        erase_all(updated, list(last))


def test_a_record_whose_update_was_killed_is_as_it_was_and_is_updated_again(tmp_path, caplog):
    """What a kill leaves are the files in the middle of the transaction."""
    old, killed = tmp_path / "old.db", tmp_path / "killed.db"
    make(old, "0004")

    def copied(*, step: Any, **_: Any) -> None:
        for file in tmp_path.glob("old.db*"):
            shutil.copy(file, tmp_path / file.name.replace("old", "killed"))

    with pytest.MonkeyPatch.context() as patch, caplog.at_level("INFO"):
        configure = EnvironmentContext.configure
        patch.setattr(EnvironmentContext, "configure", lambda self, **options: configure(self, **options | {"on_version_apply": copied}))
        Store(old).close()
    assert "from version 0004 to" in caplog.text
    looking = sqlite3.connect(killed)
    assert looking.execute("SELECT version_num FROM alembic_version").fetchall() == [("0004",)]
    assert looking.execute("SELECT * FROM sqlite_master WHERE name = 'plates_long'").fetchall() == []
    looking.close()
    with caplog.at_level("INFO"), Store(killed) as store:
        assert StatisticsOf(store).count(Span()).events == 0
    assert "now of version 0005" in caplog.text


def plans(store: Store, look: Callable[[], object]) -> list[str]:
    """Give how SQLite finds what a look asks for."""
    asked: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        asked.append((statement, parameters))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        look()
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    looking = sqlite3.connect(store.name)
    steps = [
        str(row[3])
        for statement, parameters in asked
        if "SELECT" in statement
        for row in looking.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
    ]
    looking.close()
    return steps


@pytest.mark.parametrize(
    "query",
    [
        Query(),
        Query(cameras=("gate", "exit")),
        Query(no_plate=True),
        Query(country="US"),
        Query(country="US", cameras=("gate",)),
        Query(states=frozenset({"corrected"})),
        Query(plate="AB123"),
        Query(plate="AB*"),
        Query(plate="*23"),
        Query(plate="AB123", edits=0),
        Query(plate="AB123", edits=1),
        Query(plate="AB123", edits=2),
    ],
)
@pytest.mark.parametrize("after", [None, Key(1000, 0.0, hour(30), 100)])
def test_no_search_goes_through_a_whole_table(filled, query, after):
    """Those without an end in time take the rows in the order of an index, and stop when they have enough."""
    steps = plans(filled[0], lambda: Search(filled[0]).page(query, after=after))
    whole = [step for step in steps if step.startswith("SCAN") and not step.startswith(("SCAN head", "SCAN (subquery", "SCAN anon"))]
    assert whole == (["SCAN events USING INDEX events_best_time"] if query == Query() and after is None else [])
    if after is not None and query.plate is None:
        assert any("best_time<" in step for step in steps), steps


def test_audit_entries_are_found_among_millions_of_events(filled):
    """By the index of other entries: a purge looks for them every hour."""
    retention = Retention(filled[0])
    for look in (lambda: list(retention.audits()), lambda: retention.due_audit(hour(0))):
        steps = plans(filled[0], look)
        assert len(steps) == 1
        assert "entries_others" in steps[0], steps


def test_open_previews_are_found_among_millions_of_events(filled):
    """The program looks for them when it starts."""
    first = plans(filled[0], filled[0].open_previews)[0]
    assert "events_previews" in first, first
