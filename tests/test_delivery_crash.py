"""A program that records and delivers is killed at random moments: no event is lost, and by its key none is doubled."""

from __future__ import annotations

import csv
import multiprocessing
import random
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamer.config_file import load_config
from streamer.events import Place
from streamer.routes import build_sinks
from streamer.store import Store, new_event_id
from tests.receivers import Web, wait_until

KILLS = 20

FIELDS: dict[str, Any] = {"passage": "p", "state": "final", "source": "gate", "plate": "AB12", "raw": "AB12", "score": 0.9}
FIELDS |= {"country": None, "reason": None, "best": {"time": "t"}, "first": {"time": "t"}, "last": {"time": "t"}, "looks": 3}
FIELDS |= {"written_at": "2026-05-01T08:00:00Z", "revision": 1, "evidence": []}


def event(place: Place) -> dict[str, Any]:
    return FIELDS | {"event_id": new_event_id(), "sequence": place.sequence, "chain": {"entry": place.entry}}


def child(file: Path, begun: Connection) -> None:
    config = load_config(file)
    store = Store(config.events.directory / "events.sqlite")
    sinks = build_sinks(config, store, config.events.directory)
    sinks.start()
    begun.send_bytes(b"begun")
    while True:
        sinks.wake(store.append([event] * 3)[-1]["sequence"])


@pytest.mark.timeout(600)
def test_kills_neither_lose_nor_by_key_double_an_event(tmp_path):
    seed = time.time_ns() % 2**32
    chance = random.Random(seed)  # noqa: S311
    print(f"seed {seed}")
    children = multiprocessing.get_context("forkserver")  # what they import is imported once
    children.set_forkserver_preload([__name__])
    web = Web()
    file = tmp_path / "sinks.yaml"
    hook = {"type": "webhook", "url": web.url, "start": "beginning", "retry": {"backoff_min_s": 0.02, "backoff_max_s": 0.05}}
    table = {"type": "csv", "directory": "tables", "start": "beginning"}
    file.write_text(yaml.safe_dump({"events": {"directory": "out"}, "sinks": {"hook": hook, "table": table}}), encoding="utf-8")
    web.answer = lambda request: chance.choice([204, 204, 204, 503])
    for number in range(KILLS):
        if number % 5 == 4:
            web.go()
        receiving, sending = children.Pipe(duplex=False)
        process = children.Process(target=child, args=(file, sending), daemon=True)
        process.start()
        sending.close()
        assert receiving.recv_bytes() == b"begun"
        time.sleep(chance.uniform(0.0, 0.4))
        process.kill()
        process.join()
        if number % 5 == 4:
            web.come()
    web.answer = lambda request: 204
    config = load_config(file)
    with Store(config.events.directory / "events.sqlite") as store:
        sinks = build_sinks(config, store, config.events.directory)
        sinks.start()
        wait_until(lambda: all(state.lag_events == 0 and state.state == "idle" for state in sinks.snapshots()), 120.0)
        assert sinks.stop(10.0) == []
        recorded = [f"{event.event_id}-{event.revision}" for event in store.read_after(0, 1_000_000)]
    web.go()
    assert len(recorded) > 3 * KILLS
    taken = [request.headers["webhook-id"] for request in web.accepted]
    first_times = list(dict.fromkeys(taken))
    assert first_times == recorded, "each, and in order"
    rows = []
    for one in (tmp_path / "tables").iterdir():
        with one.open(newline="", encoding="utf-8") as lines:
            rows += [f"{row['event_id']}-{row['revision']}" for row in csv.DictReader(lines)]
    assert rows == recorded, "a table has each once"
    print(f"{len(recorded)} events, {KILLS} kills, {len(taken) - len(recorded)} requests more than events")
