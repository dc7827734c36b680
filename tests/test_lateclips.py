"""Clips in the record: with their event or as its next revision, once, whatever the store, people and the end of the program do."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from streamer.clips import Later
from streamer.config import EventsConfig
from streamer.errors import StoreError
from streamer.eventreport import html_of, pdf_of
from streamer.events import Event, Making, event_schema
from streamer.evidence import EvidenceFolder
from streamer.lateclips import LateClips
from streamer.live.recording import RecordingThread
from streamer.recorder import Recorder
from streamer.revisions import corrected
from streamer.signing import PUBLIC, signer_in, verifier_of
from streamer.sinks.jsonl import JsonlSink
from streamer.store import Store
from streamer.store.erasure import Erasures
from streamer.types import ClipFacts, EncodedPicture, ModelInfo, Passage
from streamer.verify import Fault, Verified, check

NOW = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)
MAKING = Making(ModelInfo("d", "a" * 64, "cpu"), ModelInfo("r", "b" * 64, "cpu"), "0")
FACTS = ClipFacts("h264", 8.0, NOW, 16.0, NOW + timedelta(seconds=8), 8.04, 201, 50, 125, 150, complete=True)
CLIP = EncodedPicture("clip", b"a video", ".mp4", 1280, 720, clip=FACTS)


class Scripted:
    """Gives clips as it is told, by passage; notes what it is asked."""

    def __init__(self) -> None:
        self.there: dict[str, EncodedPicture | None] = {}
        self.asked: list[tuple[str, bool]] = []
        self.done: list[EncodedPicture] = []

    def cut(self, passage: Passage, *, ending: bool) -> EncodedPicture | Later | None:
        self.asked.append((passage.key, ending))
        return self.there.get(passage.key, CLIP if ending else Later())

    def recorded(self, source_id: str, clip: EncodedPicture) -> None:
        self.done.append(clip)


class Rig:
    """A record with clips."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.cutter = Scripted()
        self.store = stack.enter_context(Store(folder / "events.sqlite", signer_in(folder)))
        sink = JsonlSink(folder, EventsConfig(states="all"))
        stack.callback(sink.close)
        evidence = EvidenceFolder(folder)
        self.late = LateClips(self.cutter, self.store, evidence, clock=lambda: NOW)
        self.recorder = Recorder(self.store, evidence, sink, MAKING, states="all", clock=lambda: NOW, clips=self.late)

    def stored(self) -> list[Event]:
        return [json.loads(event.line) for event in self.store.read_after(0, 1000)]

    def add(self, *, ending: bool = False) -> list[Event]:
        return [event for _, event in self.late.add(ending=ending)]

    def faults(self) -> list[Fault]:
        head = self.store.head()
        key = verifier_of(self.folder / PUBLIC)
        pairs = self.store.entries(head[0])
        return list(check(pairs, head, self.store.count_rows(head[0]), key, lambda file: self.folder / file, Verified()))

    def clips(self) -> list[Path]:
        return [file for file in (self.folder / "clips").rglob("*") if file.is_file()]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as stack:
        yield Rig(tmp_path / "out", stack)


MakePassage = Callable[..., Passage]


def correct(rig: Rig, event_id: str, plate: str) -> Event:
    last: Event = json.loads(rig.store.revisions(event_id)[-1].line)
    return rig.store.append([lambda place: corrected(last, place, plate=plate, by="me", why="mud", salt="1" * 32, written_at=NOW)])[0]


def kinds(event: Event) -> list[str]:
    return [picture["kind"] for picture in event["evidence"]]


def test_a_clip_that_is_there_comes_with_its_event(rig: Rig, make_passage: MakePassage) -> None:
    rig.cutter.there["1-7"] = CLIP
    (event,) = rig.recorder.record([make_passage()])
    assert list(Draft202012Validator(event_schema()).iter_errors(event)) == []
    assert kinds(event) == ["crop", "clip"]
    clip = event["evidence"][1]
    file = rig.folder / clip["file"]
    assert clip["file"].startswith("clips/2026-05-01/gate_")
    assert hashlib.sha256(file.read_bytes()).hexdigest() == clip["sha256"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert clip["clip"]["best_frame"] == 125
    assert clip["clip"]["begin"] == {"time": "2026-05-01T09:00:00.000000Z", "media_time_s": 8.0}
    assert (rig.late.waiting, rig.cutter.done) == (0, [CLIP])
    assert rig.faults() == []


def test_an_event_does_not_wait_and_gets_its_clip_as_the_next_revision(rig: Rig, make_passage: MakePassage) -> None:
    (event,) = rig.recorder.record([make_passage()])
    assert kinds(event) == ["crop"]
    assert rig.late.waiting == 1
    assert rig.add() == []
    rig.cutter.there["1-7"] = CLIP
    (added,) = rig.add()
    assert list(Draft202012Validator(event_schema()).iter_errors(added)) == []
    assert (added["event_id"], added["revision"], added["revision_reason"], added["state"]) == (event["event_id"], 2, "clip", "final")
    assert kinds(added) == ["crop", "clip"]
    assert {key for key in event if event[key] != added[key]} == {"revision", "revision_reason", "sequence", "evidence", "salt", "chain"}
    rig.recorder.deliver()
    assert rig.stored() == [json.loads(line) for line in (rig.folder / "events.jsonl").read_text().splitlines()]
    assert (rig.add(), rig.late.waiting, rig.cutter.done) == ([], 0, [CLIP])
    assert rig.faults() == []


def test_only_what_is_over_and_may_have_pictures_has_a_clip(rig: Rig, make_passage: MakePassage) -> None:
    rig.recorder.record([make_passage(state="preview"), make_passage(key="1-8", crop=np.empty((0, 0, 3), np.uint8))])
    assert rig.cutter.asked == []
    rig.cutter.there["1-7"] = None
    (event,) = rig.recorder.record([make_passage()])
    assert (event["revision"], kinds(event), rig.late.waiting) == (2, ["crop"], 0)


def test_a_correction_that_came_first_stays(rig: Rig, make_passage: MakePassage) -> None:
    (event,) = rig.recorder.record([make_passage()])
    correct(rig, event["event_id"], "KA1")
    (added,) = rig.add(ending=True)
    assert (added["revision"], added["state"], added["correction"]["plate"]) == (3, "corrected", "KA1")
    assert kinds(correct(rig, event["event_id"], "KA2")) == ["crop", "clip"]
    assert rig.faults() == []


@pytest.mark.parametrize("what", ["erase", "erase_pictures"])
def test_what_was_erased_meanwhile_gets_no_clip(rig: Rig, make_passage: MakePassage, what: str) -> None:
    (event,) = rig.recorder.record([make_passage()])
    getattr(Erasures(rig.store), what)([event["event_id"]], "asked", "2026-05-01T09:00:00.000000Z")
    assert rig.add(ending=True) == []
    assert (rig.late.waiting, rig.clips()) == (0, [])


def test_what_is_erased_while_its_clip_is_written_leaves_no_clip(
    rig: Rig, make_passage: MakePassage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (event,) = rig.recorder.record([make_passage()])
    append = rig.store.append

    def overtaken(makers: Any) -> list[Event]:
        Erasures(rig.store).erase([event["event_id"]], "asked", "2026-05-01T09:00:00.000000Z")
        return append(makers)

    monkeypatch.setattr(rig.store, "append", overtaken)
    with pytest.raises(StoreError, match="erased"):
        rig.add(ending=True)
    assert len(rig.clips()) == 1
    monkeypatch.undo()
    assert rig.add(ending=True) == []
    assert (rig.late.waiting, rig.clips()) == (0, [])


def test_a_store_that_fails_loses_no_clip_and_cuts_none_twice(rig: Rig, make_passage: MakePassage, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.cutter.there["1-7"] = CLIP

    def fails(makers: object) -> list[Event]:
        raise StoreError("full")

    with monkeypatch.context() as patch:
        patch.setattr(rig.store, "append", fails)
        with pytest.raises(StoreError):
            rig.recorder.append([make_passage(), make_passage(key="1-8")])
    rig.cutter.there["1-7"] = None  # its packets are gone by now
    events = rig.recorder.record([make_passage(), make_passage(key="1-8")])
    assert [kinds(event) for event in events] == [["crop", "clip"], ["crop"]]
    with monkeypatch.context() as patch:
        patch.setattr(rig.store, "append", fails)
        with pytest.raises(StoreError):
            rig.add(ending=True)
    (added,) = rig.add(ending=True)
    assert added["passage"] == "1-8"
    assert [key for key, _ in rig.cutter.asked] == ["1-7", "1-8", "1-8"]
    assert rig.faults() == []


def test_a_crash_before_the_revision_leaves_the_event_and_no_file(
    tmp_path: Path, make_passage: MakePassage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        rig = Rig(tmp_path / "out", stack)
        rig.recorder.record([make_passage()])

        def dies(makers: object) -> list[Event]:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(rig.store, "append", dies)
            with pytest.raises(KeyboardInterrupt):
                rig.add(ending=True)
        assert len(rig.clips()) == 1
    with ExitStack() as stack:
        rig = Rig(tmp_path / "out", stack)
        assert rig.clips() == []
        assert [kinds(event) for event in rig.stored()] == [["crop"]]
        assert rig.faults() == []


def test_the_recording_thread_adds_clips_as_they_come_and_the_rest_at_the_end(rig: Rig, make_passage: MakePassage) -> None:
    told: list[tuple[str, str]] = []
    recorded, came = threading.Event(), threading.Event()

    def tell(passage: Passage, event: Event) -> None:
        told.append((passage.key, event["revision_reason"]))
        (came if event["revision_reason"] == "clip" else recorded).set()

    thread = RecordingThread(rig.recorder, on_event=tell, clips=rig.late)
    thread.start()
    thread.put([make_passage(), make_passage(key="1-8")])
    assert recorded.wait(30.0)
    rig.cutter.there["1-7"] = CLIP
    assert came.wait(30.0)
    assert thread.close(10.0)
    assert told == [("1-7", "over"), ("1-8", "over"), ("1-7", "clip"), ("1-8", "clip")]
    assert [line.count('"clip"') > 0 for line in (rig.folder / "events.jsonl").read_text().splitlines()] == [False, False, True, True]


def test_a_revision_with_a_clip_must_not_change_what_the_event_is(rig: Rig, make_passage: MakePassage) -> None:
    (event,) = rig.recorder.record([make_passage()])
    changed = event | {"revision": 2, "revision_reason": "over"}
    rig.store.append([lambda place: changed | {"sequence": place.sequence, "chain": {"entry": place.entry, "previous": place.previous}}])
    assert ["is final after final" in fault.what for fault in rig.faults()] == [True]


def test_reports_show_the_clip(rig: Rig, make_passage: MakePassage) -> None:
    rig.cutter.there["1-7"] = CLIP
    (event,) = rig.recorder.record([make_passage()])
    pictures = {picture["file"]: (rig.folder / picture["file"]).read_bytes() for picture in event["evidence"]}
    page = html_of([event], pictures, {}).decode()
    assert '<video controls preload=metadata src="data:video/mp4;base64,' in page
    assert "8.0 s, 201 frames, h264, from 2026-05-01T09:00:00" in page
    assert _pages(pdf_of([event], pictures, {})) >= 1


def _pages(pdf: bytes) -> int:
    return pdf.count(b"/Type /Page\n")
