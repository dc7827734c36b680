"""The recorder: what it returns is what stands in the store and in the log, with its crops beside it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from streamer.app import configuration_of
from streamer.config import Config, EventsConfig
from streamer.configentry import CONFIGURATION, sha256_of
from streamer.errors import SinkError, StoreError
from streamer.events import Making, event_schema
from streamer.evidence import EvidenceFolder
from streamer.recorder import Recorder
from streamer.sinks.jsonl import JsonlSink
from streamer.store import Store
from streamer.types import ModelInfo

NOW = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)
DETECTOR = ModelInfo("plate-detector", "a" * 64, "openvino cpu f32")
READER = ModelInfo("plate-reader", "b" * 64, "openvino cpu f32")


class BrokenSink:
    """Takes nothing."""

    def write(self, lines):
        raise SinkError("full")

    def close(self):
        pass


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def store(folder):
    with Store(folder / "events.sqlite") as store:
        yield store


@pytest.fixture
def recorder(folder, store):
    """Gives recorders into the folder; closes their logs at the end."""
    opened = []

    def build(states="final", sink=None, configuration=None):
        if sink is None:
            sink = JsonlSink(folder, EventsConfig(states=states))
            opened.append(sink)
        return Recorder(
            store,
            EvidenceFolder(folder),
            sink,
            Making(DETECTOR, READER, "1.2.3"),
            configuration=configuration,
            states=states,
            clock=lambda: NOW,
        )

    yield build
    for sink in opened:
        sink.close()


def _log(folder):
    return [json.loads(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]


def _stored(store):
    return [json.loads(event.line) for event in store.read_after(0, 1000)]


def test_the_log_and_the_store_hold_what_was_returned(recorder, folder, store, make_passage):
    record = recorder().record
    events = record([make_passage(1.0, key="1-1", plate="AB12"), make_passage(2.0, key="1-2", plate="CD34")])
    events += record([make_passage(9.0, key="1-3", plate="EF56")])
    assert [event["plate"] for event in events] == ["AB12", "CD34", "EF56"]
    assert [event["sequence"] for event in events] == [1, 2, 3]
    assert _log(folder) == _stored(store) == events
    assert len({event["event_id"] for event in events}) == 3


def test_an_event_tells_who_made_it_and_when(recorder, make_passage):
    (event,) = recorder().record([make_passage()])
    assert list(Draft202012Validator(event_schema()).iter_errors(event)) == []
    assert event["written_at"] == "2026-05-01T09:00:00.000000Z"
    assert event["program_version"] == "1.2.3"
    assert [event["models"][part]["sha256"] for part in ("detector", "reader")] == ["a" * 64, "b" * 64]


def test_every_crop_lies_beside_the_log(recorder, folder, make_passage):
    crops = np.random.default_rng(1).integers(0, 255, (3, 20, 60, 3), np.uint8)
    events = recorder().record([make_passage(key=f"1-{number}", crop=crop) for number, crop in enumerate(crops)])
    for event, crop in zip(events, crops, strict=True):
        file = folder / event["evidence"][0]["file"]
        assert hashlib.sha256(file.read_bytes()).hexdigest() == event["evidence"][0]["sha256"]
        assert np.array_equal(cv2.imread(str(file)), crop)
    assert len({event["evidence"][0]["file"] for event in events}) == 3


@pytest.mark.parametrize(("states", "kept"), [("final", ["final"]), ("all", ["preview", "withdrawn", "final"])])
def test_only_the_states_that_are_wanted_are_recorded(recorder, folder, store, make_passage, states, kept):
    passages = [make_passage(key=f"1-{state}", state=state) for state in ("preview", "withdrawn", "final")]
    events = recorder(states).record(passages)
    assert [event["state"] for event in events] == kept
    assert _log(folder) == _stored(store) == events
    assert len([*folder.glob("crops/*/*.png")]) == len(kept), "a passage that is not recorded leaves no picture"


def test_nothing_to_record_is_nothing_recorded(recorder, store, make_passage):
    record = recorder().record
    assert record([]) == []
    assert record([make_passage(state="preview")]) == []
    assert _stored(store) == []


def test_an_event_never_stands_without_its_crop(recorder, folder, store, make_passage):
    record = recorder().record
    (folder / "crops").write_text("in the way")
    with pytest.raises(StoreError, match="the evidence cannot be written"):
        record([make_passage()])
    assert _stored(store) == []


def test_what_the_log_refused_is_written_by_the_next_run(recorder, folder, store, make_passage):
    broken = recorder(sink=BrokenSink())
    with pytest.raises(SinkError):
        broken.record([make_passage(plate="AB12")])
    assert [event["plate"] for event in _stored(store)] == ["AB12"]
    record = recorder().record
    assert [event["plate"] for event in _log(folder)] == ["AB12"]
    record([make_passage(20.0, plate="CD34")])
    assert _log(folder) == _stored(store)
    assert [event["plate"] for event in _log(folder)] == ["AB12", "CD34"]


def test_events_name_the_settings_in_use_which_stand_in_the_chain_before_them(recorder, store, make_passage):
    first, second = (configuration_of(Config.model_validate({"passages": {"min_reads": reads}})) for reads in (2, 3))
    one = recorder(configuration=first)
    one.append([])
    assert store.head()[0] == 0, "nothing needs them yet"
    events = [*one.append([make_passage(1.0, key="1-1")]), *one.append([make_passage(2.0, key="1-2")])]
    one.adopt(second)
    events += one.append([make_passage(3.0, key="1-3")])
    kinds = [entry.kind for entry, _ in store.entries(9)]
    assert kinds == [CONFIGURATION, "event", "event", CONFIGURATION, "event"]
    assert [event["configuration"] for event in events] == [first.sha256, first.sha256, second.sha256]
    held = [json.loads(entry.payload) for entry, _ in store.entries(9) if entry.kind == CONFIGURATION]
    assert [sha256_of(said["configuration"]) for said in held] == [first.sha256, second.sha256]
    assert [said["configuration"]["passages"]["min_reads"] for said in held] == [2, 3]
    for event in events:
        Draft202012Validator(event_schema()).validate(event)


def test_the_settings_in_the_chain_hold_no_credentials(monkeypatch):
    camera = {"url": "http://10.0.0.7/cgi?user=me&pwd=canary1", "user": "me", "password": "canary2"}
    said = json.dumps(configuration_of(Config.model_validate({"cameras": {"gate": camera}})).content)
    assert "gate" in said
    assert "canary" not in said
