"""Pseudonyms, keys and what of a passage may be recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config import EventsConfig
from streamer.errors import UsageError
from streamer.events import Making, event_schema
from streamer.evidence import EvidenceFolder
from streamer.plates import fold
from streamer.plates.text import ALPHABET
from streamer.privacy import Disclosure, Key, KeyRing, before, id_before, new_key, ring_of, tells
from streamer.privacy_keys import KeyFile
from streamer.recorder import Recorder
from streamer.signing import signer_in
from streamer.sinks.jsonl import JsonlSink
from streamer.store import Store, new_event_id
from streamer.types import ModelInfo
from tests.forgetting import CANARY, STORE, faults, found_in

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
RING = KeyRing((Key("00000001", "2026-01-01T00:00:00.000000Z", bytes(32)), Key("00000002", "2026-02-01T00:00:00.000000Z", b"\1" * 32)))
PLATES = st.text(ALPHABET, min_size=1, max_size=10)


@given(a=PLATES, b=PLATES)
def test_the_same_plate_has_the_same_pseudonym_and_no_other_has_it(a: str, b: str) -> None:
    assert (RING.pseudonym("event", a) == RING.pseudonym("event", b)) == (fold(a) == fold(b))
    assert RING.pseudonym("event", a) == RING.pseudonyms("event", a)[-1]
    assert re.fullmatch("hmac:00000002:[0-9a-f]{32}", RING.pseudonym("event", a))


@given(plate=PLATES)
def test_those_of_another_key_or_another_purpose_cannot_be_compared(plate: str) -> None:
    digests = {one.rsplit(":", 1)[1] for domain in ("event", "audit") for one in RING.pseudonyms(domain, plate)}
    assert len(digests) == 4


def test_the_pseudonym_is_that_of_the_standard() -> None:
    """HMAC-SHA256 of the folded plate, by another implementation: openssl dgst -sha256 -mac HMAC -macopt hexkey:00...00."""
    assert RING.keys[0].pseudonym("event", "OI1") == RING.keys[0].pseudonym("event", "011")
    # printf 'plate-streamer\nevent\n011' | openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf '0%.0s' {1..64})
    assert RING.keys[0].pseudonym("event", "011") == "hmac:00000001:316a925f57de972eb954bb397e5a0451"


def test_keys_are_written_and_read_and_never_shown() -> None:
    assert ring_of(RING.to_text()) == RING
    assert "\\x00\\x00" not in repr(RING)
    for text in ("", "{}", '{"keys": []}', '{"keys": [{"id": "1", "made": "t", "secret": "00"}]}', "[1]"):
        with pytest.raises(ValueError, match="no key file"):
            ring_of(text)


def test_a_key_file_is_made_kept_rotated_and_the_old_key_destroyed(tmp_path: Path) -> None:
    now = NOW
    file = tmp_path / "keys" / "k.json"
    keys = KeyFile(file, lambda: now)
    first = keys.ring().keys[0]
    assert file.stat().st_mode & 0o777 == 0o600
    assert KeyFile(file, lambda: now).ring() == keys.ring()
    with file.open("rb") as old:
        now += timedelta(hours=23)
        assert not keys.rotate(1.0, keep=0)
        now += timedelta(hours=2)
        assert keys.rotate(1.0, keep=0)
        assert first.secret.hex().encode() not in old.read(), "not even in the file that it was in"
    assert first not in keys.ring().keys
    assert len(keys.ring().keys) == 1
    second = keys.ring().keys[0]
    now += timedelta(days=2)
    assert keys.rotate(1.0, keep=1)
    assert keys.ring().keys[0] == second
    assert KeyFile(file, lambda: now).ring() == keys.ring()
    file.write_text("nonsense")
    with pytest.raises(UsageError, match=r"k\.json: is no key file"):
        KeyFile(file, lambda: now)


def test_limits_are_times_and_ids() -> None:
    assert before(NOW, 2) == "2026-05-30T12:00:00.000000Z"
    earlier = id_before(datetime.now(UTC) - timedelta(seconds=5), 0)
    assert earlier < new_event_id() < id_before(datetime.now(UTC) + timedelta(seconds=5), 0)


def test_purposes_that_name_the_plate_are_found() -> None:
    assert tells("request of the owner of ka-12 bc", "KA12BC")
    assert tells("K A I 2 B C", "KA12BC")
    assert not tells("request 2026/17", "KA12BC")
    assert not tells("anything", "")


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Records passages as they may be; gives the events."""

    def run(disclosure: Disclosure, *passages: Any, left_out: Callable[[Any], None] = lambda passage: None) -> list[dict[str, Any]]:
        folder = tmp_path / "out"
        info = ModelInfo("m", "a" * 64, "cpu")
        with Store(folder / STORE, signer_in(folder)) as store:
            log = JsonlSink(folder, EventsConfig())
            recorder = Recorder(
                store,
                EvidenceFolder(folder),
                log,
                Making(info, info, "1"),
                states="final",
                clock=lambda: NOW,
                disclose=disclosure.of,
                left_out=left_out,
            )
            events = recorder.record(passages)
            log.close()
        return events

    return run


def canary(make_passage: Callable[..., Any], key: str = "1-1", **fields: Any) -> Any:
    return make_passage(key=key, plate=CANARY, raw=fold(CANARY), alternatives=((CANARY, 0.4), ("AB12CD", 0.2)), **fields)


def test_with_pseudonyms_no_plate_touches_the_disk(tmp_path: Path, make_passage: Callable[..., Any], record: Callable[..., Any]) -> None:
    ring = KeyRing((new_key(NOW),))
    events = record(Disclosure("pseudonymous", pictures=False, ring=lambda: ring), canary(make_passage), canary(make_passage, "1-2"))
    assert events[0]["plate"] == events[0]["raw"] == events[1]["plate"] == ring.pseudonym("event", CANARY)
    assert events[0]["alternatives"] == []
    assert len(events[0]["char_scores"]) == 1
    assert events[0]["evidence"] == []
    for event in events:
        jsonschema.validate(event, event_schema())
    folder = tmp_path / "out"
    assert found_in(folder, CANARY, fold(CANARY), "AB12CD") == []
    assert not list(folder.rglob("*.png"))
    assert len((folder / "events.jsonl").read_text().splitlines()) == 2
    assert faults(folder) == []


def test_pictures_are_kept_with_pseudonyms_if_they_are_wanted(make_passage: Callable[..., Any], record: Callable[..., Any]) -> None:
    ring = KeyRing((new_key(NOW),))
    unread = {"plate": None, "raw": None, "score": None, "char_scores": (), "reason": "blurred", "alternatives": ()}
    events = record(Disclosure("pseudonymous", pictures=True, ring=lambda: ring), canary(make_passage), make_passage(key="1-2", **unread))
    assert [len(event["evidence"]) for event in events] == [1, 1]
    assert events[1]["plate"] is None
    for event in events:
        jsonschema.validate(event, event_schema())


def test_without_hits_nothing_but_hits_touches_the_disk(
    tmp_path: Path, make_passage: Callable[..., Any], record: Callable[..., Any]
) -> None:
    counted: list[Any] = []
    passage = canary(make_passage)
    assert record(Disclosure("hits_only"), passage, left_out=counted.append) == []
    assert counted == [passage]
    folder = tmp_path / "out"
    assert found_in(folder, CANARY, fold(CANARY), "AB12CD", "1-1") == []
    assert not list(folder.rglob("*.png"))
    assert not (folder / "evidence.pending").exists()
    hit = make_passage(key="1-2", plate="HIT123")
    (event,) = record(Disclosure("hits_only", hit=lambda one: one.plate == "HIT123"), passage, hit)
    assert event["plate"] == "HIT123"
    assert found_in(folder, CANARY, fold(CANARY)) == []
    assert json.loads((folder / "events.jsonl").read_text())["plate"] == "HIT123"


def test_in_full_everything_is_recorded_as_it_is(make_passage: Callable[..., Any]) -> None:
    passage = canary(make_passage)
    assert Disclosure().of(passage) is passage
