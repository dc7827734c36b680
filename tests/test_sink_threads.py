"""The threads of sinks: each goes its own way, wakes up when told, and ends in time in every state."""

from __future__ import annotations

import threading
import time

import pytest

from streamer.courier import Courier, Route
from streamer.delivery import SinkThread, SinkThreads
from streamer.errors import SinkError
from streamer.outgoing import RetryPolicy
from streamer.store import Store, new_event_id
from streamer.store.deliveries import Deliveries
from tests.receivers import wait_until

SOON_S = 10.0


class Sink:
    """Tells what it was sent; blocks or fails on demand."""

    batch = 10

    def __init__(self):
        self.patience_s = 0.2
        self.changed = threading.Condition()
        self.taken = []
        self.error = None
        self.attempts = 0
        self.closed = False
        self.open_gate = threading.Event()
        self.open_gate.set()

    def send(self, events):
        self.attempts += 1
        self.open_gate.wait(60)
        with self.changed:
            self.changed.notify_all()
            if self.error is not None:
                raise self.error
            self.taken += [event.sequence for event in events]

    def wait_for(self, condition):
        with self.changed:
            assert self.changed.wait_for(condition, SOON_S)

    def tend(self):
        pass

    def close(self):
        self.closed = True


class Stage:
    def __init__(self, folder, make_event):
        self.store = Store(folder / "events.db")
        self.deliveries = Deliveries(self.store)
        self._make_event = make_event
        self._threads = []

    def add(self, count=1):
        return self.store.append([lambda place: self._make_event(place) | {"event_id": new_event_id()}] * count)[-1]["sequence"]

    def thread(self, sink, name="hook", backoff_s=0.01, **more):
        policy = RetryPolicy(backoff_min_s=backoff_s, backoff_max_s=backoff_s, refused_attempts=1)
        route = Route(name, "test", sink, policy, lambda event: True, lambda event, line: line, "beginning")
        thread = SinkThread(name, Courier(route, self.deliveries), patience_s=sink.patience_s, **more)
        self._threads.append((thread, sink))
        return thread

    def close(self):
        for thread, sink in self._threads:
            sink.open_gate.set()
            wait_until(lambda thread=thread: thread.stop(0.0))
        self.store.close()


@pytest.fixture
def stage(tmp_path, make_event):
    stage = Stage(tmp_path, make_event)
    yield stage
    stage.close()


def test_it_delivers_what_there_is_and_what_it_is_told_of(stage):
    sink = Sink()
    stage.add(3)
    thread = stage.thread(sink, poll_s=1000.0)
    thread.start()
    sink.wait_for(lambda: sink.taken == [1, 2, 3])
    thread.wake(stage.add(2))
    sink.wait_for(lambda: sink.taken == [1, 2, 3, 4, 5])


def test_it_finds_what_nobody_told_it_of(stage):
    sink = Sink()
    stage.thread(sink, poll_s=0.01).start()
    stage.add(2)
    sink.wait_for(lambda: sink.taken == [1, 2])


def test_stopping_delivers_what_was_recorded_before(stage):
    for round_ in range(20):
        sink = Sink()
        thread = stage.thread(sink, f"sink-{round_}", poll_s=1000.0)
        thread.start()
        last = stage.add(1)
        assert thread.stop(5.0)
        assert sink.taken[-1] == last
        assert sink.closed
    assert thread.stop(5.0), "idempotent"


def test_a_sink_that_fails_holds_up_no_other_and_nobody_who_records(stage):
    bad, good = Sink(), Sink()
    bad.error = SinkError("gone")
    threads = SinkThreads([stage.thread(bad, "bad"), stage.thread(good, "good")])
    threads.start()
    began = time.monotonic()
    for _ in range(50):
        threads.wake(stage.add(1))
    assert time.monotonic() - began < SOON_S
    good.wait_for(lambda: good.taken == [*range(1, 51)])
    bad.wait_for(lambda: bad.attempts >= 2)
    states = {state.name: state for state in threads.snapshots()}
    assert (states["bad"].lag_events, states["bad"].failure, states["bad"].alive) == (50, "gone", True)
    assert states["good"].lag_events == 0
    bad.error = None
    bad.wait_for(lambda: bad.taken == [*range(1, 51)])
    assert threads.stop(5.0) == []


@pytest.mark.parametrize("backoff_s", [0.01, 1000.0])
def test_it_ends_while_its_sink_fails_and_nothing_is_lost(stage, backoff_s):
    sink = Sink()
    sink.error = SinkError("gone")
    stage.add(2)
    thread = stage.thread(sink, backoff_s=backoff_s)
    thread.start()
    sink.wait_for(lambda: sink.attempts >= 1)
    began = time.monotonic()
    assert thread.stop(30.0)
    assert time.monotonic() - began < SOON_S
    assert stage.deliveries.cursor("hook") == 0
    assert thread.snapshot().state == "stopped"


def test_it_ends_at_its_deadline_with_more_to_do(stage):
    sink = Sink()
    sink.batch = 1
    stage.add(2000)
    clock = [0.0]
    thread = stage.thread(sink, clock=lambda: clock[0])
    thread.start()
    sink.wait_for(lambda: sink.taken)
    sink.open_gate.clear()
    threading.Timer(0.2, lambda: (clock.__setitem__(0, 5.0), sink.open_gate.set())).start()
    assert thread.stop(1.0)
    done = len(sink.taken)
    assert 0 < done < 2000
    assert stage.deliveries.cursor("hook") == done


def test_one_that_hangs_is_named(stage):
    sink = Sink()
    sink.open_gate.clear()
    stage.add(1)
    threads = SinkThreads([stage.thread(sink), stage.thread(Sink(), "good")])
    threads.start()
    began = time.monotonic()
    assert threads.stop(0.1) == ["sink hook"]
    assert time.monotonic() - began < SOON_S


def test_one_that_never_began_ends(stage):
    sink = Sink()
    assert stage.thread(sink).stop(1.0)
    assert sink.closed
