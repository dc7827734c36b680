"""Filters and templates of sinks."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.events import event_schema, to_line
from streamer.payloads import Selection, filled, paths_in, payload, unknown_path, without_plates

FINALS = frozenset({"final"})


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (Selection(FINALS), True),
        (Selection(frozenset({"preview"})), False),
        (Selection(FINALS, cameras=("ga*",)), True),
        (Selection(FINALS, cameras=("yard", "gat?")), True),
        (Selection(FINALS, cameras=("GATE", "yard-*")), False),
        (Selection(FINALS, min_score=0.87), True),
        (Selection(FINALS, min_score=0.88), False),
        (Selection(FINALS, with_plate=True), True),
    ],
)
def test_what_a_sink_wants(make_event, selection, wanted):
    assert selection.wants(make_event(1)) is wanted


def test_a_vehicle_without_a_plate_has_no_score(make_event):
    event = make_event(1, plate=None, score=None, reason="no_reads")
    assert Selection(FINALS).wants(event)
    assert not Selection(FINALS, with_plate=True).wants(event)
    assert not Selection(FINALS, min_score=0.1).wants(event)


def test_a_lone_path_keeps_its_kind_and_others_become_text(make_event):
    event = make_event(1)
    template = {
        "plate": "{plate}",
        "score": "{score}",
        "box": "{box}",
        "first picture": "{evidence.0.file}",
        "nothing": "{correction.plate}",
        "beyond": "{evidence.7.file}",
        "words": "{plate} at {source}, {{seen}} {correction}",
        "fixed": "anpr",
    }
    assert filled(template, event) == {
        "plate": "KA12BC",
        "score": 0.8765,
        "box": [100.0, 200.1, 196.0, 224.0],
        "first picture": "crops/2026-05-01/gate.png",
        "nothing": None,
        "beyond": None,
        "words": "KA12BC at gate, {seen} ",
        "fixed": "anpr",
    }


def test_without_a_template_the_event_goes_as_it_was_recorded(make_event):
    line = to_line(make_event(1))
    assert payload({}, make_event(1), line) is line


@pytest.mark.parametrize("text", ["{", "}", "{plate", "a{b c}", "{}", "{{}", "{a}}"])
def test_a_brace_that_is_no_path_is_a_mistake(text):
    with pytest.raises(ValueError, match="written twice"):
        paths_in(text)


def test_paths_are_checked_against_what_events_have():
    known = tuple(event_schema()["properties"])
    assert unknown_path({"a": "{plate} {best.time}", "b": "{source}"}, known) is None
    assert unknown_path({"a": "{plate}", "b": "{platte}"}, known) == "platte"


@given(source=st.text(), words=st.text(alphabet=st.characters(exclude_characters="{}")))
def test_whatever_names_hold_the_payload_is_the_object_that_was_meant(source, words):
    event = {"source": source, "plate": None}
    text = payload({"a": words + "{source}", "b": "{source}"}, event, "")
    assert "\n" not in text
    whole = source.encode("utf-8", "replace").decode()
    if whole == source:
        assert json.loads(text) == {"a": words + source if words else source, "b": source}


@given(text=st.text())
def test_any_text_is_a_template_or_a_mistake(text):
    try:
        paths_in(text)
    except ValueError:
        return
    json.dumps(filled({"a": text}, {"x": 1}))


def test_plates_are_masked_in_messages(make_event):
    event = make_event(1)
    assert without_plates("cannot take KAI2BC, that is KA12BC!", [event]) == "cannot take ***, that is ***!"
    assert without_plates("x", [make_event(1, plate=None, raw="A")]) == "x"
    assert without_plates("a", []) == "a"
