"""What the record knows of deliveries: places and dead letters."""

from __future__ import annotations

import pytest

from streamer.errors import StoreError
from streamer.store import Store, new_event_id
from streamer.store.deliveries import Burial, Deliveries

NOW = "2026-05-01T08:00:00.000000Z"


@pytest.fixture
def store(tmp_path, make_event):
    with Store(tmp_path / "events.db") as store:
        store.append([lambda place: make_event(place) | {"event_id": new_event_id()}] * 5)
        yield store


@pytest.fixture
def deliveries(store):
    return Deliveries(store)


def test_a_sink_of_a_new_name_begins_now_or_at_the_beginning_and_keeps_its_place(deliveries, store, make_event):
    assert deliveries.cursor("new") is None
    assert deliveries.begin("new", "now") == 5
    assert deliveries.begin("all", "beginning") == 0
    store.append([lambda place: make_event(place) | {"event_id": new_event_id()}])
    assert deliveries.begin("new", "now") == 5, "later starts change nothing"
    deliveries.move("all", 3)
    assert deliveries.begin("all", "beginning") == 3
    assert deliveries.cursors() == {"all": 3, "new": 5}


def test_in_an_empty_store_now_is_the_beginning(tmp_path):
    with Store(tmp_path / "empty.db") as store:
        assert Deliveries(store).begin("new", "now") == 0


def test_what_is_buried_is_kept_and_passed_by_in_one_step(deliveries, store):
    deliveries.begin("hook", "beginning")
    deliveries.bury("hook", [Burial(2, 3, "answers 400"), Burial(3, 1, "too old")], sequence=3, at=NOW)
    assert deliveries.cursor("hook") == 3
    stored = store.read_after(1, 2)
    letters = deliveries.dead_letters("hook")
    assert [(one.sequence, one.attempts, one.error, one.buried_at) for one in letters] == [
        (2, 3, "answers 400", NOW),
        (3, 1, "too old", NOW),
    ]
    assert [(one.event_id, one.revision) for one in letters] == [(event.event_id, 1) for event in stored]
    assert deliveries.dead_letters("hook", after=2) == letters[1:]
    assert deliveries.count_dead() == {"hook": 2}
    assert deliveries.dead_letters("other") == []


def test_burying_the_same_twice_is_burying_it_once(deliveries):
    deliveries.begin("hook", "beginning")
    for attempts in (3, 4):
        deliveries.bury("hook", [Burial(1, attempts, f"attempt {attempts}")], sequence=1, at=NOW)
    [letter] = deliveries.dead_letters("hook")
    assert (letter.attempts, letter.error) == (4, "attempt 4")


def test_a_dead_letter_is_taken_back_or_tried_in_vain(deliveries):
    deliveries.begin("hook", "beginning")
    deliveries.bury("hook", [Burial(1, 3, "no"), Burial(2, 3, "no")], sequence=2, at=NOW)
    first, second = deliveries.dead_letters("hook")
    deliveries.take_back(first.id)
    deliveries.refused_again(second.id, "still no")
    [left] = deliveries.dead_letters("hook")
    assert (left.sequence, left.attempts, left.error) == (2, 4, "still no")
    assert deliveries.drop("hook") == 1
    assert deliveries.count_dead() == {}


def test_the_event_of_a_letter_is_the_one_that_was_recorded(deliveries, store):
    assert deliveries.event(3) == store.read_after(2, 1)[0]
    assert deliveries.event(6) is None


def test_a_sink_is_forgotten_whole(deliveries):
    for name in ("hook", "other"):
        deliveries.begin(name, "beginning")
        deliveries.bury(name, [Burial(1, 3, "no")], sequence=1, at=NOW)
    deliveries.forget("hook")
    assert deliveries.cursors() == {"other": 1}
    assert deliveries.count_dead() == {"other": 1}


def test_a_store_that_fails_says_so(deliveries, store):
    with store.transaction("written") as connection:
        connection.exec_driver_sql("DROP TABLE dead_letters")
    with pytest.raises(StoreError, match=r"cannot be written"):
        deliveries.bury("hook", [Burial(1, 3, "no")], sequence=1, at=NOW)
