"""A disk that gets full costs pictures first, in order, then nothing else; what is left out is told in the event and counted."""

from __future__ import annotations

import dataclasses
import errno
import json
import logging
import os
import shutil
import subprocess
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from streamer.config import EventsConfig
from streamer.errors import DiskFullError, StoreError
from streamer.events import Making, event_schema
from streamer.evidence import FOLDERS, EvidenceFolder
from streamer.recorder import Recorder
from streamer.shedding import FULL_S, ORDER, Shed, Shedding, limits, shedding_of, without
from streamer.sinks.jsonl import JsonlSink
from streamer.store import Store
from streamer.types import EncodedPicture, ModelInfo

MODEL = ModelInfo("m", "a" * 64, "cpu")
MB = 1_000_000


@pytest.fixture
def pictured(make_passage):
    """Gives a passage with a picture of every kind, of some bytes each but for the crop."""

    def make(number: int, size: int = 1000):
        pictures = tuple(EncodedPicture(kind, os.urandom(size), ".jpg", 10, 10) for kind in ("vehicle", "scene", "clip"))
        return dataclasses.replace(make_passage(key=f"1-{number}"), pictures=pictures)

    return make


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 24 megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "none", disk], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk needs the right to mount one: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


@contextmanager
def recording(folder, shedding):
    with Store(folder / "events.sqlite") as store, closing(JsonlSink(folder, EventsConfig())) as sink:
        making = Making(MODEL, MODEL, "0")
        yield Recorder(store, EvidenceFolder(folder), sink, making, states="final", clock=lambda: datetime.now(UTC), shedding=shedding)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def kinds_at(shedding, passage):
    ((_, shed),) = shedding.trim([passage])
    return {one.kind for one in shed}


def test_the_order_is_kept_on_the_way_down_and_up_again(pictured, caplog):
    free = [1000 * MB]
    shedding = Shedding(400 * MB, lambda: free[0])
    seen = []
    with caplog.at_level(logging.INFO, "streamer.shedding"):
        for mb in (1000, 400, 399, 300, 299, 199, 99, 0, 105, 120, 420, 450):
            free[0] = mb * MB
            seen.append(len(kinds_at(shedding, pictured(1))))
    assert seen == [0, 0, 1, 1, 2, 3, 4, 4, 4, 3, 1, 0]
    assert len(caplog.records) == 7, "one line at each change"
    assert "clip, scene: 299 MB are free, and evidence.keep_free_mb is 400" in caplog.text
    assert caplog.records[-1].message.startswith("all evidence is kept again")


@settings(max_examples=30)
@given(free=st.integers(0, 1000 * MB), keep=st.integers(1, 1000 * MB))
def test_a_kind_goes_only_after_all_before_it(make_passage, free, keep):
    pictures = tuple(EncodedPicture(kind, b"x", ".jpg", 1, 1) for kind in ("vehicle", "scene", "clip"))
    found = kinds_at(Shedding(keep, lambda: free), dataclasses.replace(make_passage(), pictures=pictures))
    assert found == set(ORDER[: len(found)])
    assert found == {kind for kind, limit in limits(keep).items() if free < limit}


def test_only_what_there_would_be_is_told(make_passage):
    passage, shed = without(make_passage(), {"clip", "scene"}, "low_disk")
    assert shed == ()
    assert passage.crop.size
    passage, shed = without(make_passage(), set(ORDER), "full_disk")
    assert shed == (Shed("crop", "full_disk"),)
    assert passage.crop.size == 0


def test_zero_leaves_nothing_out(pictured):
    shedding = Shedding(0, lambda: 0)
    assert kinds_at(shedding, pictured(1)) == set()
    assert not shedding.found_full(DiskFullError("full"))


def test_a_disk_that_nobody_can_ask_is_told_and_costs_nothing(pictured, caplog):
    def free():
        raise OSError(errno.EIO, "broken")

    assert kinds_at(Shedding(10, free), pictured(1)) == set()
    assert "broken" in caplog.text


def test_a_picture_that_finds_no_room_turns_all_away_for_a_while(pictured):
    """A quota, or no inodes: the disk seems to have room."""
    clock = Clock()
    shedding = Shedding(100 * MB, lambda: 1000 * MB, clock=clock)
    assert kinds_at(shedding, pictured(1)) == set()
    assert shedding.found_full(DiskFullError("quota"))
    assert not shedding.found_full(DiskFullError("quota")), "there is nothing more to leave out"
    ((_, shed),) = shedding.trim([pictured(2)])
    assert {(one.kind, one.why) for one in shed} == {(kind, "full_disk") for kind in ORDER}
    clock.now += FULL_S
    assert kinds_at(shedding, pictured(3)) == set()


def test_a_disk_that_gets_full(small_disk, pictured, caplog):
    """Real files, record and log: pictures go in order, events last until nothing is left, and everything comes back."""
    folder = small_disk / "out"
    shedding = shedding_of(12.0, folder)
    validator = Draft202012Validator(event_schema())
    seen: list[int] = []
    with recording(folder, shedding) as recorder:
        number = 0
        while True:
            number += 1
            try:
                (event,) = recorder.record([pictured(number, 100_000)])
            except StoreError:
                break
            validator.validate(event)
            shed = {one["kind"] for one in event["evidence_shed"]}
            assert shed | {one["kind"] for one in event["evidence"]} == set(FOLDERS)
            seen.append(len(shed))
            if shed == set(ORDER):
                break
            if len(shed) == 3:  # crops alone are small
                (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free - 2 * MB))
        assert seen == sorted(seen)
        assert set(seen) == {0, 1, 2, 3, 4}
        assert shutil.disk_usage(small_disk).free < 3 * MB
        for _ in range(20):
            number += 1
            assert recorder.record([pictured(number)])[0]["evidence"] == [], "events are recorded all the same"
        assert shedding.state().shed["crop"] == 21
        assert shedding.state().kinds == ORDER
        (small_disk / "filler").unlink()
        for file in (folder / "clips").rglob("*.jpg"):
            file.unlink()
        for file in (folder / "scenes").rglob("*.jpg"):
            file.unlink()
        (event,) = recorder.record([pictured(number + 1)])
        assert event["evidence_shed"] == []
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert len(lines) == number + 1
    assert sum(record.levelno == logging.WARNING and "evidence" in record.message for record in caplog.records) <= 6


def test_pictures_that_find_no_room_do_not_cost_their_event(small_disk, pictured):
    """Nobody saw it coming: the disk is larger than the pictures only until they are written."""
    folder = small_disk / "out"
    shedding = Shedding(MB, lambda: 100 * MB)
    with recording(folder, shedding) as recorder:
        (event,) = recorder.record([pictured(1, 9 * MB)])
        assert {(one["kind"], one["why"]) for one in event["evidence_shed"]} == {(kind, "full_disk") for kind in ORDER}
        assert [file for name in FOLDERS.values() for file in (folder / name).rglob("*") if file.is_file()] == []
