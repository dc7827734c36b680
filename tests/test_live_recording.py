"""The recording thread: nothing is lost while the program lives, whatever store and log do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streamer.errors import SinkError, StoreError
from streamer.events import Event
from streamer.live import recording
from streamer.live.recording import RecordingThread
from streamer.types import Passage


def passage(number: int, source_id: str = "gate") -> Passage:
    return cast(Passage, SimpleNamespace(key=f"1-{number}", source_id=source_id, state="final"))


class Records:
    """A store and a log that fail on demand."""

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.logged: list[str] = []
        self.store_fails = 0
        self.log_fails = 0
        self.blocked: threading.Event | None = None

    def append(self, passages: Sequence[Passage]) -> list[Event]:
        if self.blocked is not None:
            self.blocked.wait(30)
        if self.store_fails:
            self.store_fails -= 1
            raise StoreError("disk full")
        self.stored += [passage.key for passage in passages]
        return [{"source": p.source_id, "passage": p.key, "state": p.state} for p in passages]

    def deliver(self) -> None:
        if self.log_fails:
            self.log_fails -= 1
            raise SinkError("no room for the log")
        self.logged = list(self.stored)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Callable[[Records], RecordingThread]:
    monkeypatch.setattr(recording, "RETRY_S", (0.001, 0.002))

    def start(records: Records, **more: Any) -> RecordingThread:
        thread = RecordingThread(records, **more)
        thread.start()
        return thread

    return start


def keys(count: int) -> list[str]:
    return [f"1-{number}" for number in range(count)]


def test_passages_are_recorded_in_order_and_told_of_once_they_are_durable(started: Any) -> None:
    records, told = Records(), []
    thread = started(records, on_event=lambda passage, event: told.append((passage.key, event["passage"])))
    for number in range(200):
        thread.put([passage(number)])
    assert thread.close(10)
    assert records.stored == records.logged == keys(200)
    assert told == [(key, key) for key in keys(200)]
    assert thread.state().recorded == 200


def test_passages_of_one_name_at_two_cameras_are_not_mixed_up(started: Any) -> None:
    records, told = Records(), []
    records.blocked = threading.Event()
    thread = started(records, on_event=lambda passage, event: told.append((passage.source_id, event["source"])))
    thread.put([passage(1, "east"), passage(1, "west")])
    records.blocked.set()
    assert thread.close(10)
    assert told == [("east", "east"), ("west", "west")]


@pytest.mark.parametrize(("store_fails", "log_fails"), [(3, 0), (0, 3), (2, 2)])
def test_a_failure_is_tried_again_and_nothing_is_recorded_twice(started: Any, store_fails: int, log_fails: int) -> None:
    records = Records()
    records.store_fails, records.log_fails = store_fails, log_fails
    recovered = threading.Event()
    thread = started(records, on_event=lambda passage, event: recovered.set())
    thread.put([passage(0), passage(1)])
    assert recovered.wait(10)
    while thread.state().failure is not None:
        pass
    thread.put([passage(2)])
    assert thread.close(10)
    assert records.stored == records.logged == keys(3)


def test_a_listener_that_fails_does_no_harm(started: Any, caplog: pytest.LogCaptureFixture) -> None:
    def closed_pipe(passage: Passage, event: Event) -> None:
        raise BrokenPipeError

    records = Records()
    thread = started(records, on_event=closed_pipe)
    thread.put([passage(0)])
    thread.put([passage(1)])
    assert thread.close(10)
    assert records.stored == keys(2)
    assert "a listener failed" in caplog.text


def test_a_fault_of_the_program_is_kept_for_the_supervisor(started: Any) -> None:
    class Broken(Records):
        def append(self, passages: Sequence[Passage]) -> list[Event]:
            raise ZeroDivisionError("a bug")

    thread = started(Broken())
    thread.put([passage(0)])
    assert not thread.close(0.5)
    assert isinstance(thread.fault, ZeroDivisionError)


def test_a_failing_store_is_not_asked_more_often_because_there_is_nothing_to_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "RETRY_S", (0.2, 0.2))
    records = Records()
    records.store_fails = 10**9
    thread = RecordingThread(records)
    thread.start()
    thread.put([passage(0)])
    for _ in range(200):
        thread.put([])
        time.sleep(0.002)
    assert records.store_fails > 10**9 - 8
    thread.close(0.1)


def test_a_slow_store_holds_nobody_up_and_its_queue_can_be_seen(started: Any) -> None:
    records = Records()
    records.blocked = threading.Event()
    thread = started(records)
    for number in range(5):
        thread.put([passage(number)])
    state = thread.state()
    assert state.waiting == 5
    assert state.alive
    records.blocked.set()
    assert thread.close(10)
    assert records.stored == keys(5)


def test_what_cannot_be_recorded_at_the_end_is_told(started: Any, caplog: pytest.LogCaptureFixture) -> None:
    records = Records()
    records.store_fails = 10**9
    thread = started(records)
    thread.put([passage(0)])
    assert not thread.close(0.5)
    assert "1 events could not be recorded before the end: disk full" in caplog.text


def test_beyond_its_room_the_newest_are_lost_counted_and_told(started: Any, monkeypatch: Any, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(recording, "ROOM", 3)
    records = Records()
    records.blocked = threading.Event()
    thread = started(records)
    thread.put([passage(number) for number in range(5)])
    assert thread.state().lost == 2
    assert "no room for 2 more events" in caplog.text
    records.blocked.set()
    assert thread.close(10)
    assert records.stored == keys(3)
