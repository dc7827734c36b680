"""From a configuration to sinks that are fed: what fits together, what is refused, what is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import yaml

from streamer.config_file import load_config
from streamer.errors import UsageError
from streamer.health import status_of
from streamer.live.health_state import Health, QueueState, Recent, obstacles, problems
from streamer.metrics import Metrics
from streamer.outgoing import SinkSnapshot
from streamer.routes import build_sinks
from streamer.store import Store, new_event_id
from streamer.store.deliveries import Deliveries
from tests.receivers import Web, free_port, wait_until


class Place:
    """A folder with a record, and a configuration for it."""

    def __init__(self, folder, make_event):
        self.folder = folder
        self.out = folder / "out"
        self.file = folder / "sinks.yaml"
        self._make_event = make_event

    def store(self):
        return Store(self.out / "events.sqlite")

    def add(self, store, count=1, **fields):
        events = store.append([lambda place: self._make_event(place, **fields) | {"event_id": new_event_id()}] * count)
        return events[-1]["sequence"]

    def write(self, **sinks):
        self.file.write_text(yaml.safe_dump({"events": {"directory": "out"}, "sinks": sinks}), encoding="utf-8")
        return load_config(self.file)

    def deliver(self, *arguments):
        command = [sys.executable, "-m", "streamer.cli", "deliver", "--config", str(self.file), *arguments]
        environment = os.environ | {"PLATE_STREAMER_PURPOSE": "test"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False, timeout=60)


@pytest.fixture
def place(tmp_path, make_event):
    return Place(tmp_path, make_event)


@pytest.fixture
def web():
    web = Web()
    yield web
    web.go()


def test_each_sink_gets_what_it_wants_in_its_own_form(place, web):
    config = place.write(
        hook={"type": "webhook", "url": web.url, "filter": {"with_plate": True}, "template": {"plate": "{plate}", "at": "{source}"}},
        table={"type": "csv", "directory": "tables", "filter": {"cameras": ["ya*"]}},
    )
    with place.store() as store:
        sinks = build_sinks(config, store, place.out)
        sinks.start()
        place.add(store, plate=None, source_id="yard")
        sinks.wake(place.add(store, plate="AB12", source_id="gate"))
        wait_until(lambda: all(state.lag_events == 0 and state.state == "idle" for state in sinks.snapshots()))
        assert sinks.stop(5.0) == []
    assert [json.loads(request.body) for request in web.requests] == [{"plate": "AB12", "at": "gate"}]
    [table] = (place.folder / "tables").iterdir()
    assert len(table.read_text(encoding="utf-8").splitlines()) == 2


@pytest.mark.parametrize(
    ("sinks", "message"),
    [
        (
            {"a": {"type": "webhook", "url": "http://h/", "template": {"x": "{platte}"}}},
            r"\{platte\} is no field .* did you mean \{plate\}\?",
        ),
        ({"a": {"type": "webhook", "url": "http://h/", "secret_env": "NO_SUCH"}}, "sinks.a.secret_env"),
        ({"a": {"type": "jsonl", "directory": "out"}}, "sinks.a.directory: .* is that of events, too"),
        ({"a": {"type": "csv", "directory": "x"}, "b": {"type": "csv", "directory": "./x"}}, "is that of sinks.a, too"),
        ({"a": {"type": "python", "factory": "no_such_module:make"}}, "no such module"),
    ],
)
def test_what_cannot_work_is_said_at_the_start(place, sinks, message):
    config = place.write(**sinks)
    with place.store() as store, pytest.raises(UsageError, match=message):
        build_sinks(config, store, place.out)


@pytest.mark.parametrize(
    ("section", "library"),
    [
        ({"type": "webhook", "url": "http://h/"}, "httpx"),
        ({"type": "mqtt", "host": "h"}, "paho"),
        ({"type": "redis", "host": "h"}, "redis"),
        ({"type": "kafka", "brokers": ["h:1"]}, "confluent_kafka"),
        ({"type": "postgresql", "host": "h", "database": "d", "user": "u"}, "psycopg"),
    ],
)
def test_a_library_that_is_missing_is_named_with_its_extra(place, section, library):
    file = place.write(a=section) and place.file
    code = f"import sys; sys.modules[{library!r}] = None; from streamer.cli import main; main()"
    (place.out).mkdir()
    with place.store():
        pass
    done = subprocess.run(
        [sys.executable, "-c", code, "deliver", "-c", str(file), "--retry", "a", "--purpose", "test"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert f"pip install 'plate-streamer[{section['type']}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_receiver_that_is_away_is_no_obstacle_at_the_start(place):
    config = place.write(
        hook={"type": "webhook", "url": f"http://127.0.0.1:{free_port()}/"},
        log={"type": "syslog", "host": "127.0.0.1", "port": free_port()},
        broker={"type": "mqtt", "host": "127.0.0.1", "port": free_port()},
    )
    with place.store() as store:
        sinks = build_sinks(config, store, place.out)
        sinks.start()
        sinks.wake(place.add(store))
        wait_until(lambda: all(state.state == "failing" for state in sinks.snapshots()))
        assert all(state.alive and state.lag_events == 1 and "refused" in (state.failure or "") for state in sinks.snapshots())
        assert sinks.stop(1.0) == []


# What is told

FAILING = SinkSnapshot("hook", "webhook", "failing", 12.5, 7, 31.5, 100, 4, 2, "nobody listens", True)


def test_metrics_tell_of_every_sink():
    metrics = Metrics("1.0")
    metrics.watch_sinks(lambda: [FAILING])
    text = metrics.render()[0].decode()
    for name, value in {
        "lag_events": "7.0",
        "lag_seconds": "31.5",
        "dead_letters": "2.0",
        "failing": "1.0",
        "delivered_total": "100.0",
        "errors_total": "4.0",
    }.items():
        assert f'plate_streamer_sink_{name}{{sink="hook",type="webhook"}} {value}' in text


def test_a_sink_that_fails_is_told_and_makes_nothing_red():
    health = Health("1", 1.0, False, None, None, 0.1, QueueState(0, 0.0), None, (), (), None, sinks=(FAILING,))
    assert problems(health) == ()
    assert not any("hook" in obstacle for obstacle in obstacles(health))
    [told] = status_of(health, Recent())["sinks"]
    assert (told["name"], told["failure"], told["lag_events"]) == ("hook", "nobody listens", 7)


# The command


def dead(place, web, count=2):
    """A record in which a webhook refused the first ``count`` of three events."""
    config = place.write(hook={"type": "webhook", "url": web.url, "start": "beginning", "retry": {"refused_attempts": 1}})
    web.answer = lambda request: 422 if len(web.requests) < count else 204
    with place.store() as store:
        sinks = build_sinks(config, store, place.out)
        place.add(store, 3)
        sinks.start()
        wait_until(lambda: sinks.snapshots()[0].lag_events == 0 and sinks.snapshots()[0].dead_letters == count)
        sinks.stop(5.0)
    web.requests.clear()


def test_deliver_shows_sinks_and_dead_letters_while_the_program_runs(place, web):
    dead(place, web)
    with place.store() as store:  # as a running program has it
        place.add(store, 4)
        shown = place.deliver()
        told = json.loads(place.deliver("--json").stdout)
    assert shown.returncode == 0, shown.stderr
    assert "hook" in shown.stdout
    assert "answers 422" in shown.stdout
    rows = {row["sink"]: row for row in told["sinks"]}
    assert (rows["hook"]["delivered_to"], rows["hook"]["lag_events"], rows["hook"]["dead_letters"]) == (3, 4, 2)
    assert rows["jsonl"]["delivered_to"] is None
    assert [letter["sequence"] for letter in told["dead_letters"]] == [1, 2]


def test_dead_letters_are_sent_again_while_the_program_runs(place, web):
    dead(place, web)
    web.answer = lambda request: 422 if len(web.requests) == 0 else 204
    with place.store() as store:
        some = place.deliver("--retry", "hook")
        assert (some.returncode, some.stderr) == (1, "hook: 1 of its dead letters delivered, 1 left\n")
        rest = place.deliver("--retry", "hook")
        assert (rest.returncode, rest.stderr) == (0, "hook: 1 of its dead letters delivered, 0 left\n")
        assert Deliveries(store).count_dead() == {}
    assert len({request.headers["webhook-id"] for request in web.requests}) == 2


def test_retry_tells_why_nothing_goes(place, web):
    dead(place, web)
    web.go()
    done = place.deliver("--retry", "hook")
    assert done.returncode == 1
    assert "2 left: 127.0.0.1: " in done.stderr


def test_dead_letters_are_forgotten(place, web):
    dead(place, web)
    assert place.deliver("--drop", "hook").returncode == 0
    assert json.loads(place.deliver("--json").stdout)["dead_letters"] == []


def test_what_is_left_is_sent_when_nothing_runs(place, web):
    dead(place, web, count=0)
    with place.store() as store:
        place.add(store, 5)
        running = place.deliver("--send", "hook")
        assert running.returncode == 1
        assert "another process" in running.stderr
    done = place.deliver("--send", "hook")
    assert (done.returncode, done.stderr) == (0, "hook: 5 events delivered, 0 left\n")
    assert len(web.requests) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--send", "jsonl"], "is the event log, which run and replay bring up to date when they start"),
        (["--retry", "hok"], "there is no such sink in the configuration; there are: hook"),
        (["--retry", "hook", "--drop", "hook"], "one at a time"),
        ([], "there is no event store"),
        (["--send", "hook"], "there is no event store"),
    ],
)
def test_what_deliver_cannot_do(place, arguments, message):
    place.write(hook={"type": "webhook", "url": "http://127.0.0.1:1/"})
    done = place.deliver(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
