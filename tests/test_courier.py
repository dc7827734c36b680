"""The courier of one sink: at least once, in order, and what is done with what the sink does not take."""

from __future__ import annotations

import json
import logging
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.courier import LONGEST_ASKED_S, Courier, Route
from streamer.errors import RefusedError, SinkError, StoreError
from streamer.outgoing import RetryPolicy
from streamer.payloads import Selection
from streamer.store import Store, new_event_id
from streamer.store.deliveries import Deliveries

STARTED = datetime(2026, 5, 1, 9, 0, 10, tzinfo=UTC)


class Clock:
    """Monotonic seconds and the time of day, which go on together."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def wall(self):
        return STARTED + timedelta(seconds=self.now - 1000.0)


class Sink:
    """Takes what it is sent unless a fault says otherwise."""

    def __init__(self, batch=3):
        self.batch = batch
        self.patience_s = 0.1
        self.taken = []
        self.calls = []
        self.fault = lambda numbers: None
        self.closed = 0

    def send(self, events):
        numbers = [event.sequence for event in events]
        self.calls.append(numbers)
        error = self.fault(numbers)
        if error is not None:
            raise error
        self.taken += numbers

    def tend(self):
        pass

    def close(self):
        self.closed += 1


class Stage:
    """A store with events, a sink, and couriers between them."""

    def __init__(self, folder, make_event):
        self.store = Store(folder / "events.db")
        self.deliveries = Deliveries(self.store)
        self.clock = Clock()
        self.sink = Sink()
        self.save_every_s = 0.0
        self._make_event = make_event

    def add(self, count=1, more=None, **fields):
        self.store.append([lambda place: self._make_event(place, **fields) | {"event_id": new_event_id()} | (more or {})] * count)

    def courier(self, start="beginning", wants=lambda event: True, payload=lambda event, line: line, **policy):
        policy = {"backoff_min_s": 1.0, "backoff_max_s": 8.0} | policy
        route = Route("hook", "test", self.sink, RetryPolicy(**policy), wants, payload, start)
        return Courier(route, self.deliveries, clock=self.clock, wall=self.clock.wall, rng=random.Random(1), save_every_s=self.save_every_s)  # noqa: S311

    def dead(self):
        return {letter.sequence: (letter.attempts, letter.error) for letter in self.deliveries.dead_letters("hook")}


@pytest.fixture
def stage(tmp_path, make_event):
    stage = Stage(tmp_path, make_event)
    yield stage
    stage.store.close()


def never():
    return False


def test_all_come_in_order_and_the_cursor_follows(stage):
    stage.add(7)
    courier = stage.courier()
    assert courier.run(never) is None
    assert stage.sink.calls == [[1, 2, 3], [4, 5, 6], [7]]
    assert stage.deliveries.cursor("hook") == 7
    stage.add(2)
    assert courier.run(never) is None
    assert stage.sink.taken == [*range(1, 10)]
    state = courier.snapshot(alive=True)
    assert (state.state, state.delivered, state.errors, state.lag_events, state.failure) == ("idle", 9, 0, 0, None)


def test_a_new_sink_starts_now_unless_it_wants_everything(stage):
    stage.add(3)
    courier = stage.courier(start="now")
    stage.add(2)
    courier.run(never)
    assert stage.sink.taken == [4, 5]


def test_a_restarted_courier_goes_on_where_the_last_one_was(stage):
    stage.add(4)
    stage.courier().run(never)
    stage.add(1)
    stage.courier().run(never)
    assert stage.sink.taken == [1, 2, 3, 4, 5]


def test_what_is_not_wanted_is_passed_by(stage):
    stage.add(2, plate="AB12")
    stage.add(250, plate=None)
    stage.add(1, plate="CD34")
    courier = stage.courier(wants=Selection(frozenset({"final"}), with_plate=True).wants)
    courier.run(never)
    assert stage.sink.taken == [1, 2, 253]
    assert stage.deliveries.cursor("hook") == 253
    assert courier.snapshot(alive=True).lag_events == 0


def test_what_is_sent_has_its_key_and_its_payload(stage):
    stage.add(1)
    seen = []
    stage.sink.send = seen.extend
    stage.courier(payload=lambda event, line: event["plate"]).run(never)
    [one] = seen
    assert one.payload == "KA12BC"
    assert one.event == json.loads(stage.store.read_after(0, 1)[0].line)
    assert one.key == f"{one.event['event_id']}-1"


def test_waits_grow_and_the_same_events_come_again(stage, caplog):
    caplog.set_level(logging.INFO, "streamer")
    stage.add(4)
    stage.sink.fault = lambda numbers: SinkError("nobody listens")
    courier = stage.courier()
    waits = [courier.run(never) for _ in range(6)]
    assert [round(wait) for wait in waits][:3] == [1, 2, 4]
    assert all(0.8 <= wait / expected <= 1.2 for wait, expected in zip(waits, [1, 2, 4, 8, 8, 8], strict=True))
    assert max(waits) <= 8.0
    assert stage.deliveries.cursor("hook") == 0
    state = courier.snapshot(alive=True)
    assert (state.state, state.errors, state.failure, state.lag_events) == ("failing", 6, "nobody listens", 4)
    stage.sink.fault = lambda numbers: None
    assert courier.run(never) is None
    assert stage.sink.taken == [1, 2, 3, 4]
    assert [record.message for record in caplog.records] == [
        "sink hook fails: nobody listens; trying again",
        "sink hook goes on",
    ], "changes are told, not attempts"
    stage.sink.fault = lambda numbers: SinkError("again")
    stage.add(1)
    assert courier.run(never) < 1.3, "success forgives"


def test_a_receiver_may_ask_for_peace(stage):
    stage.add(1)
    stage.sink.fault = lambda numbers: SinkError("busy", retry_after_s=120.0)
    courier = stage.courier()
    assert courier.run(never) == 120.0
    stage.sink.fault = lambda numbers: SinkError("busy", retry_after_s=1e9)
    assert courier.run(never) == LONGEST_ASKED_S


def test_trouble_buries_nothing_however_long_it_lasts(stage):
    stage.add(2)
    stage.sink.fault = lambda numbers: SinkError("gone")
    courier = stage.courier()
    for _ in range(50):
        courier.run(never)
        stage.clock.now += 86400
    assert stage.dead() == {}
    assert courier.snapshot(alive=True).lag_s > 49 * 86400


def test_a_refused_event_is_put_aside_and_the_rest_goes_on(stage):
    stage.add(8)
    stage.sink.fault = lambda numbers: RefusedError("answers 400") if 5 in numbers else None
    courier = stage.courier()
    assert courier.run(never) is not None
    assert courier.run(never) is not None
    assert courier.run(never) is None
    assert sorted(stage.sink.taken) == stage.sink.taken == [1, 2, 3, 4, 6, 7, 8]
    assert stage.dead() == {5: (3, "answers 400")}
    assert [5] in stage.sink.calls
    state = courier.snapshot(alive=True)
    assert (state.dead_letters, state.delivered, state.errors, state.state) == (1, 7, 3, "idle")
    assert stage.deliveries.cursor("hook") == 8


def test_in_a_batch_the_one_that_is_refused_is_found(stage):
    stage.sink.batch = 100
    stage.add(100)
    bad = {1, 40, 41, 100}
    stage.sink.fault = lambda numbers: RefusedError("no") if bad & set(numbers) else None
    courier = stage.courier(refused_attempts=1)
    assert courier.run(never) is None
    assert stage.sink.taken == [number for number in range(1, 101) if number not in bad]
    assert set(stage.dead()) == bad


def test_a_refusal_blocks_if_that_is_wanted(stage):
    stage.add(3)
    stage.sink.batch = 1
    stage.sink.fault = lambda numbers: RefusedError("no") if numbers == [2] else None
    courier = stage.courier(on_refusal="block", give_up_after_s=1.0)
    for _ in range(20):
        assert courier.run(never) is not None
        stage.clock.now += 100
    assert stage.sink.taken == [1]
    assert stage.dead() == {}


def test_who_gives_up_after_a_time_keeps_what_is_younger(stage):
    stage.add(2)  # recorded at 9:00:01 and :02
    stage.sink.fault = lambda numbers: SinkError("gone")
    courier = stage.courier(give_up_after_s=60.0)
    courier.run(never)
    stage.clock.now += 59
    courier.run(never)
    assert stage.dead() == {}
    stage.add(1, {"written_at": "2026-05-01T09:00:30Z"})
    stage.clock.now += 2.5
    courier.run(never)
    assert set(stage.dead()) == {1, 2}
    assert all(error == "gone" for _, error in stage.dead().values())


def test_old_events_are_not_given_up_at_the_first_failure(stage):
    stage.add(2)
    stage.clock.now += 1e6
    stage.sink.fault = lambda numbers: SinkError("gone")
    courier = stage.courier(give_up_after_s=60.0)
    courier.run(never)
    assert stage.dead() == {}, "it never had a chance"


def test_dead_letters_are_sent_again_and_those_refused_again_stay(stage):
    stage.add(4)
    stage.sink.fault = lambda numbers: RefusedError("no")
    courier = stage.courier(refused_attempts=1)
    courier.run(never)
    assert set(stage.dead()) == {1, 2, 3, 4}
    stage.sink.fault = lambda numbers: RefusedError("still no") if numbers == [2] else None
    assert courier.retry_dead(never) is None
    assert stage.sink.taken == [1, 3, 4]
    assert stage.dead() == {2: (2, "still no")}
    assert courier.snapshot(alive=True).dead_letters == 1
    stage.sink.fault = lambda numbers: SinkError("gone")
    assert courier.retry_dead(never) is not None
    assert set(stage.dead()) == {2}, "trouble is no refusal"


def test_errors_that_no_sink_should_raise_are_failures_too(stage, caplog):
    stage.add(1)
    stage.sink.fault = lambda numbers: ZeroDivisionError("KA12BC divided by zero")
    courier = stage.courier()
    assert courier.run(never) is not None
    assert courier.snapshot(alive=True).failure == "ZeroDivisionError: *** divided by zero"
    assert "KA12BC" not in caplog.text, "plates are not kept in messages"
    assert "in send" in caplog.text


def test_a_store_that_fails_is_tried_again(stage, monkeypatch):
    stage.add(1)
    courier = stage.courier()

    def broken(*arguments):
        raise StoreError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(Deliveries, "move", broken)
        assert courier.run(never) is not None
        assert courier.snapshot(alive=True).failure == "disk full"
    assert courier.run(never) is None
    assert stage.sink.taken == [1], "this courier knows that it was sent"
    assert stage.deliveries.cursor("hook") == 1


def test_it_stops_between_two_sends_and_keeps_what_was_done(stage):
    stage.add(9)
    courier = stage.courier()
    assert courier.run(lambda: len(stage.sink.calls) == 2) is None
    courier.end()
    assert stage.sink.taken == [1, 2, 3, 4, 5, 6]
    assert stage.deliveries.cursor("hook") == 6
    assert stage.sink.closed == 1
    assert courier.snapshot(alive=False).state == "stopped"


def test_among_many_events_the_cursor_is_written_now_and_then(stage):
    stage.save_every_s = 0.5
    stage.add(5)
    courier = stage.courier()
    courier.run(never)
    assert stage.deliveries.cursor("hook") == 0
    assert courier.has_to_save
    stage.clock.now += 0.5
    courier.run(never)
    assert stage.deliveries.cursor("hook") == 5
    assert not courier.has_to_save
    stage.add(1)
    courier.run(never)
    courier.end()
    assert stage.deliveries.cursor("hook") == 6


def test_lag_counts_from_what_it_was_told_and_from_the_oldest_that_waits(stage):
    courier = stage.courier()
    courier.run(never)
    stage.add(3)
    courier.tell(3)
    stage.clock.now += 5
    state = courier.snapshot(alive=True)
    assert (state.lag_events, state.lag_s) == (3, 5.0)
    stage.sink.fault = lambda numbers: SinkError("gone")
    courier.run(never)
    assert courier.snapshot(alive=True).lag_s == 14.0, "since it was recorded, at 9:00:01"
    stage.sink.fault = lambda numbers: None
    courier.run(never)
    state = courier.snapshot(alive=True)
    assert (state.lag_events, state.lag_s) == (0, 0.0)


def test_erased_events_do_not_count_for_ever(stage):
    stage.add(2)
    courier = stage.courier()
    with stage.store.transaction("written") as connection:
        connection.exec_driver_sql("UPDATE entries SET payload = NULL WHERE number = 2")
    courier.tell(2)
    courier.run(never)
    assert stage.sink.taken == [1]
    assert courier.snapshot(alive=True).lag_events == 0


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    answers=st.lists(st.sampled_from(["ok", "fail", "half", "crash"]), max_size=40),
    batch=st.integers(1, 5),
    refused=st.frozensets(st.integers(1, 12)),
)
def test_whatever_happens_each_event_is_delivered_or_dead_and_first_ones_come_in_order(
    tmp_path_factory, make_event, answers, batch, refused
):
    stage = Stage(tmp_path_factory.mktemp("courier"), make_event)
    stage.add(12)
    todo = list(answers)

    def send(events):
        stage.sink.calls.append([one.sequence for one in events])
        answer = todo.pop(0) if todo else "ok"
        if answer == "fail":
            raise SinkError("no")
        if refused & {one.sequence for one in events}:
            raise RefusedError("never")
        stage.sink.taken += [one.sequence for one in events[: len(events) // 2 if answer == "half" else None]]
        if answer == "half":
            raise SinkError("in the middle")
        if answer == "crash":
            raise MemoryError

    stage.sink.batch = batch
    stage.sink.send = send
    courier = stage.courier()
    while courier.run(never) is not None:
        if todo and todo[0] == "crash":
            courier = stage.courier()
    taken = stage.sink.taken
    assert set(taken) == set(range(1, 13)) - refused
    assert set(stage.dead()) == refused
    firsts = [number for place, number in enumerate(taken) if number not in taken[:place]]
    assert firsts == sorted(firsts)
    stage.store.close()
