"""Events: their fields, their form, and that neither changes unnoticed."""

from __future__ import annotations

import copy
import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from streamer.events import SCHEMA_VERSION, EvidenceFile, Making, Place, event_of, event_schema, plate_label, to_line, utc_text
from streamer.types import Box, ModelInfo, Stamp

SCHEMAS = {4: "fcc533849a8bb036012946eb3a544aea6547190726255fdc2c249e7592d879d3"}
"""SHA-256 of the version's schema. Whoever changes an event makes a new version in place of the old one, here too."""


@pytest.fixture(scope="module")
def validator():
    Draft202012Validator.check_schema(event_schema())
    return Draft202012Validator(event_schema())


def test_an_event_is_what_the_schema_says(make_event, validator):
    assert list(validator.iter_errors(make_event(1))) == []


@pytest.mark.parametrize("reason", ["too_small", "cut_off", "blurred", "rejected", "too_few_looks"])
def test_a_passage_without_a_plate_is_an_event_too(make_event, validator, reason):
    event = make_event(1, plate=None, raw=None, score=None, char_scores=(), alternatives=(), country=None, format=None, reason=reason)
    assert list(validator.iter_errors(event)) == []


def test_only_a_plate_can_have_characters_outside_the_alphabet(make_event, validator):
    nothing = {"plate": None, "score": None, "char_scores": (), "reason": "rejected"}
    assert validator.is_valid(make_event(1, unread_chars=2))
    assert not validator.is_valid(make_event(1, **nothing, unread_chars=1))


def test_people_are_told_of_characters_outside_the_alphabet():
    assert plate_label("A12345", 1) == "A12345 (+1 unread)"
    assert plate_label("A12345", 0) == "A12345"


def test_the_values_of_an_event(make_event):
    event = make_event(3, unread_chars=1)
    assert event["passage"] == "1-7"
    assert event["tracks"] == [7, 9]
    assert (event["plate"], event["raw"], event["score"]) == ("KA12BC", "KAI2BC", 0.8765)
    assert event["char_scores"] == [0.9, 0.91, 0.52, 0.99, 0.9877, 1.0]
    assert event["unread_chars"] == 1
    assert event["alternatives"] == [{"plate": "KA12BG", "score": 0.31}]
    assert event["best"] == {"time": "2026-05-01T08:00:13.250000Z", "media_time_s": 13.0, "frame": 325}
    assert event["box"] == [100.0, 200.1, 196.0, 224.0]
    assert event["evidence"] == [{"kind": "crop", "file": "crops/2026-05-01/gate.png", "sha256": "c" * 64, "width": 96, "height": 24}]
    assert event["written_at"] == "2026-05-01T09:00:03.000000Z"


WRONG: list[tuple[str, Any]] = [
    ("schema_version", 1),
    ("event_id", "01890a5d-ac96-474b-bcce-b302099a8057"),  # a UUIDv4
    ("sequence", 0),
    ("state", "done"),
    ("plate", "ka 12"),
    ("plate", None),  # without a reason
    ("reason", "blurred"),  # with a plate
    ("raw", None),
    ("score", None),
    ("score", 1.2),
    ("char_scores", []),
    ("alternatives", [["KA12BG", 0.3]]),
    ("country", "Germany"),
    ("unread_chars", -1),
    ("unread_chars", 0.5),
    ("unread_chars", None),
    ("looks", 0),
    ("first", {"time": "2026-05-01T08:00:13Z", "media_time_s": 13.0, "frame": 325}),
    ("last", {"time": "2026-05-01T08:00:13.250000Z", "media_time_s": 13.0}),
    ("clock", "guess"),
    ("box", [1, 2, 3]),
    ("frame_size", [0, 720]),
    ("evidence", [{"kind": "crop", "file": "x.png", "sha256": "C" * 64, "width": 96, "height": 24}]),
    ("models", {"detector": {"name": "d", "sha256": "a" * 64, "backend": "cpu"}}),
    ("written_at", "2026-05-01T09:00:03.000000+00:00"),
    ("owner", "somebody"),
]


@pytest.mark.parametrize(("field", "value"), WRONG, ids=[f"{field}={value}"[:40] for field, value in WRONG])
def test_the_schema_refuses_wrong_events(make_event, validator, field, value):
    assert not validator.is_valid(make_event(1) | {field: value})


def test_no_field_may_be_missing(make_event, validator):
    for field in make_event(1):
        event = make_event(1)
        del event[field]
        assert not validator.is_valid(event), field


def test_nothing_may_be_added_anywhere(make_event, validator):
    for path in ((), ("first",), ("evidence", 0), ("chain",), ("models",), ("models", "reader"), ("alternatives", 0)):
        event: Any = copy.deepcopy(make_event(1))
        inner = event
        for step in path:
            inner = inner[step]
        inner["more"] = 1
        assert not validator.is_valid(event), path


def test_the_schema_changes_only_with_its_version():
    canonical = json.dumps(event_schema(), sort_keys=True).encode()
    assert hashlib.sha256(canonical).hexdigest() == SCHEMAS[SCHEMA_VERSION], "make a new version of the schema"
    assert event_schema()["$id"].endswith(f":{SCHEMA_VERSION}")
    assert event_schema()["properties"]["schema_version"] == {"const": SCHEMA_VERSION}


def test_fields_stand_in_the_order_of_the_schema(make_event):
    assert list(json.loads(to_line(make_event(1)))) == list(event_schema()["properties"])


def test_a_line_is_compact_utf8_without_a_line_end(make_event):
    line = to_line(make_event(1, source_id="tôr\u2028süd"))
    assert "tôr\u2028süd" in line
    assert "\n" not in line
    assert ": " not in line
    assert json.loads(line.encode())["source"] == "tôr\u2028süd"


def test_a_file_name_that_is_no_utf8_stays_itself(make_event):
    source = b"clip\xff.mp4".decode("utf-8", "surrogateescape")
    assert json.loads(to_line(make_event(1, source_id=source)).encode())["source"] == source


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused(make_event, bad):
    with pytest.raises(ValueError, match="JSON"):
        to_line(make_event(1, box_score=bad))


def test_times_are_told_in_utc():
    assert utc_text(datetime(2026, 5, 1, 10, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))) == "2026-05-01T05:00:00.000000Z"
    with pytest.raises(ValueError, match="offset"):
        utc_text(datetime(2026, 5, 1, 10, 30))  # noqa: DTZ001


scores = st.floats(0, 1)
plates = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=12)
moments = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
stamps = st.builds(Stamp, t=st.floats(0, 1e6), wall=moments, index=st.integers(0, 10**9))
pixels = st.floats(-10, 1e4)


@given(
    plate=plates,
    scores=st.lists(scores, min_size=12, max_size=12),
    alternatives=st.lists(st.tuples(plates, scores), max_size=3).map(tuple),
    score=scores,
    stamps=st.tuples(stamps, stamps, stamps),
    source=st.text(min_size=1),
    box=st.builds(Box, pixels, pixels, pixels, pixels),
)
def test_every_passage_gives_a_valid_line(make_passage, validator, plate, scores, alternatives, score, stamps, source, box):
    first, last, best = stamps
    passage = make_passage(
        plate=plate,
        raw=plate,
        score=score,
        char_scores=tuple(scores[: len(plate)]),
        alternatives=alternatives,
        source_id=source,
        box=box,
        first=first,
        last=last,
        best=best,
    )
    model = ModelInfo("m", "0" * 64, "cpu")
    event = event_of(
        passage,
        Place(1, 1, "0" * 64),
        Making(model, model, "0"),
        event_id="01890a5d-ac96-774b-bcce-b302099a8057",
        revision=1,
        evidence=[EvidenceFile("crop", "c.png", "0" * 64, 2, 1)],
        salt="0" * 32,
        written_at=best.wall,
    )
    again = json.loads(to_line(event).encode())
    assert again == event
    assert list(validator.iter_errors(again)) == []
    assert len(again["char_scores"]) == len(plate)
    assert again["score"] == pytest.approx(score, abs=0.5e-4)
