"""Delivery: every event reaches the sink at least once, in order, and the log exactly once, whatever dies in between."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from streamer.config import EventsConfig
from streamer.delivery import deliver_pending
from streamer.errors import SinkError
from streamer.sinks.jsonl import JsonlSink
from streamer.store import Store, new_event_id


class ListSink:
    """Takes so many batches, then fails."""

    def __init__(self, batches=1000):
        self.batches = []
        self.room = batches

    def write(self, lines):
        if len(self.batches) == self.room:
            raise SinkError("full")
        self.batches.append([json.loads(line)["sequence"] for line in lines])

    def close(self):
        pass


@pytest.fixture
def store(tmp_path, make_event):
    with Store(tmp_path / "events.db") as store:
        store.append([lambda number: make_event(number) | {"event_id": new_event_id()}] * 7)
        yield store


def _log_numbers(folder):
    return [json.loads(line)["sequence"] for line in (folder / "events.jsonl").read_bytes().splitlines()]


def test_all_events_come_in_order_and_only_once(store, make_event):
    sink = ListSink()
    assert deliver_pending(store, sink, "list", batch=3) == 7
    assert sink.batches == [[1, 2, 3], [4, 5, 6], [7]]
    assert deliver_pending(store, sink, "list", batch=3) == 0
    store.append([lambda number: make_event(number) | {"event_id": new_event_id()}])
    assert deliver_pending(store, sink, "list", batch=3) == 1
    assert sink.batches[3:] == [[8]]


def test_what_a_sink_refuses_comes_again(store):
    sink = ListSink(batches=1)
    with pytest.raises(SinkError):
        deliver_pending(store, sink, "list", batch=3)
    assert store.cursor("list") == 3
    sink.room = 1000
    assert deliver_pending(store, sink, "list", batch=3) == 4
    assert sink.batches == [[1, 2, 3], [4, 5, 6], [7]]


def test_a_broken_sink_holds_up_no_other(store):
    with pytest.raises(SinkError):
        deliver_pending(store, ListSink(batches=0), "broken")
    good = ListSink()
    assert deliver_pending(store, good, "good") == 7


@pytest.mark.parametrize("batch", [1, 2, 7, 100])
def test_a_crash_before_the_cursor_moved_repeats_no_line(store, tmp_path, batch):
    sink = JsonlSink(tmp_path, EventsConfig())
    sink.write([event.line for event in store.read_after(0, 5)])
    sink.close()
    sink = JsonlSink(tmp_path, EventsConfig())
    deliver_pending(store, sink, "log", batch)
    sink.close()
    assert _log_numbers(tmp_path) == [1, 2, 3, 4, 5, 6, 7]


KILLED = """
import sys, pathlib
from streamer.config import EventsConfig
from streamer.delivery import deliver_pending
from streamer.sinks.jsonl import JsonlSink
from streamer.store import Store, new_event_id
folder = pathlib.Path(sys.argv[1])
store = Store(folder / "events.db")
sink = JsonlSink(folder, EventsConfig(flush="system"))
event = {"passage": "p", "state": "final", "source": "s" * 500, "plate": None, "best": {"time": "t"}, "written_at": "2026-05-01T08:00:00Z"}
event |= {"revision": 1, "evidence": []} | dict.fromkeys(("country", "score", "reason"))
def make(place):
    return event | {"event_id": new_event_id(), "sequence": place.sequence, "chain": {"entry": place.entry}}
deliver_pending(store, sink, "log", 2)
while True:
    store.append([make] * 5)
    deliver_pending(store, sink, "log", 2)
    print(flush=True)
"""


def test_kills_neither_lose_nor_repeat_a_line(tmp_path):
    for rounds in (1, 4, 9, 16):
        with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            for _ in range(rounds):
                assert child.stdout.readline()
            child.send_signal(signal.SIGKILL)
    with Store(tmp_path / "events.db") as store:
        sink = JsonlSink(tmp_path, EventsConfig())
        deliver_pending(store, sink, "log")
        sink.close()
        recorded = [event.sequence for event in store.read_after(0, 10_000)]
    assert len(recorded) >= 5 * 30
    assert _log_numbers(tmp_path) == recorded == list(range(1, len(recorded) + 1))
