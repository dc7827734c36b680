"""What people correct is a new revision: seen by every sink, in the chain, and nothing is overwritten."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from streamer.config import EventsConfig
from streamer.events import Making, event_schema
from streamer.evidence import EvidenceFolder
from streamer.package import check_package
from streamer.recorder import Recorder
from streamer.signing import signer_in
from streamer.sinks.jsonl import JsonlSink
from streamer.store import Store
from streamer.store.erasure import Erasures
from streamer.types import ModelInfo
from streamer.verify import Verified
from tests.conftest import Run
from tests.test_verify import faults

MODEL = ModelInfo("m", "a" * 64, "cpu")


@pytest.fixture
def recording(tmp_path: Path, make_passage: Callable[..., Any]):
    """A program that records; gives its folder, its recorder and the event that it has recorded."""
    sink = JsonlSink(tmp_path, EventsConfig())
    with Store(tmp_path / "events.sqlite", signer_in(tmp_path)) as store:
        recorder = Recorder(store, EvidenceFolder(tmp_path), sink, Making(MODEL, MODEL, "0"), states="all", clock=lambda: datetime.now(UTC))
        (event,) = recorder.record([make_passage()])
        yield tmp_path, recorder, event
    sink.close()


def test_a_correction_is_a_revision(recording, run: Run) -> None:
    folder, recorder, event = recording
    code, out, _ = run("correct", event["event_id"], "ka 12-bd", "--folder", folder, "--by", "Ann", "--why", "dirt", "--json")
    assert code == 0
    revision = json.loads(out)
    assert list(Draft202012Validator(event_schema()).iter_errors(revision)) == []
    assert (revision["event_id"], revision["revision"], revision["state"]) == (event["event_id"], 2, "corrected")
    assert (revision["plate"], revision["raw"]) == (event["plate"], event["raw"]), "what was decided and read stays"
    said = revision["correction"]
    assert (said["plate"], said["by"], said["why"]) == ("KA12BD", "Ann", "dirt")
    recorder.deliver()
    logged = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert logged == [event, revision]
    assert faults(folder) == []


def test_corrections_can_be_corrected_and_say_that_there_is_no_plate(recording, run: Run, make_passage) -> None:
    folder, recorder, event = recording
    for plate, said in (("AB1", "KA12BC corrected to AB1"), ("-", "AB1 corrected to no plate")):
        code, _, err = run("correct", event["event_id"], plate, "--folder", folder)
        assert code == 0
        assert said in err
    recorder.record([make_passage(key="1-8")])
    assert faults(folder) == []


def test_what_cannot_be_corrected_is_named(recording, run: Run, make_passage) -> None:
    folder, recorder, event = recording
    (preview,) = recorder.record([make_passage(key="1-8", state="preview")])
    for arguments, what in (
        (("0", "AB1", "--folder", folder), "no such event"),
        ((event["event_id"], "???", "--folder", folder), "no letter or digit"),
        ((preview["event_id"], "AB1", "--folder", folder), "only what is final"),
        ((event["event_id"], "AB1", "--folder", folder / "none"), "there is no event store"),
    ):
        code, _, err = run("correct", *arguments)
        assert code == 2, arguments
        assert what in err
    assert faults(folder) == []
    assert not (folder / "none").exists()


def test_pictures_that_were_erased_are_not_claimed_again(recording, run: Run, tmp_path: Path) -> None:
    """Neither by a correction, nor by a package."""
    folder, _, event = recording
    with Store(folder / "events.sqlite", signer_in(folder), alone=False) as store:
        erasures = Erasures(store)
        erasures.erase_pictures([event["event_id"]], "too old", "2026-11-25T00:00:00.000000Z")
        erasures.remove_files(lambda names: [(folder / name).unlink() for name in names] and None, 10)
    assert not list(folder.glob("crops/*/*.png"))
    code, out, _ = run("correct", event["event_id"], "AB1", "--folder", folder, "--json")
    assert code == 0
    assert json.loads(out)["evidence"] == []
    assert faults(folder) == []
    package = tmp_path / "case.zip"
    code, _, err = run("export", event["event_id"], "--folder", folder, "--out", package)
    assert code == 0, err
    assert list(check_package(package, None, Verified())) == []


def test_a_record_of_pseudonyms_takes_no_plates(recording, run: Run, make_passage) -> None:
    folder, recorder, _ = recording
    (event,) = recorder.record([make_passage(key="1-9", plate="hmac:01234567:" + "0" * 32, raw=None)])
    code, _, err = run("correct", event["event_id"], "KA12BD", "--folder", folder)
    assert code == 2
    assert "pseudonyms" in err
    assert "KA12BD" not in err
