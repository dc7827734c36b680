"""Comparing event logs: the same vehicles are found again, and every difference is named once."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.diff import CharChange, FieldChange, compare, compare_vehicles, lines
from streamer.errors import UsageError
from streamer.eventlog import read_log
from streamer.events import to_line


@pytest.fixture(scope="module")
def log(make_event, tmp_path_factory):
    """Writes events (dicts of passage fields) as a log; each gets the next sequence number."""

    def write(*passages, first=1, **fields):
        file = tmp_path_factory.mktemp("log") / "events.jsonl"
        events = [make_event(first + number, **passage) | fields for number, passage in enumerate(passages)]
        file.write_text("".join(to_line(event) + "\n" for event in events), encoding="utf-8")
        return file

    return write


def _plates(vehicles):
    return [vehicle.event["plate"] for vehicle in vehicles]


def _pairs(pairs):
    return [(pair.a.event["plate"], pair.b.event["plate"]) for pair in pairs]


UNREAD = {"plate": None, "raw": None, "score": None, "char_scores": (), "reason": "blurred", "country": None, "format": None}


def test_ids_numbers_and_writing_times_do_not_count(log):
    passages = [{"t": 1.0, "plate": "AB12"}, {"t": 30.0, "plate": "CD34"}]
    comparison = compare(log(*passages), log(*passages, first=100))
    assert comparison.identical
    assert _pairs(comparison.same) == [("AB12", "AB12"), ("CD34", "CD34")]
    assert lines(comparison) == [
        "2 same; 0 the same plate but other details; 0 another plate; 0 only in A; 0 only in B",
    ]


def test_a_revision_that_brings_a_clip_is_no_second_vehicle(log):
    once, late = log({"t": 1.0}), log({"t": 1.0})
    again = json.loads(late.read_text(encoding="utf-8")) | {"revision": 2, "revision_reason": "clip"}
    late.write_text(late.read_text(encoding="utf-8") + to_line(again) + "\n", encoding="utf-8")
    assert compare(once, late).same_vehicles


def test_differing_characters_are_named(log):
    comparison = compare(log({"plate": "AB12CD"}), log({"plate": "A812CDE"}))
    assert _pairs(comparison.plate_differs) == [("AB12CD", "A812CDE")]
    assert comparison.plate_differs[0].characters == (CharChange(2, "B", "8"), CharChange(7, "", "E"))
    assert not comparison.same_vehicles
    assert lines(comparison)[:3] == [
        "plate    gate  2026-05-01T08:00:10.250000Z  AB12CD | A812CDE",
        "         character 2: B | 8",
        "         character 7: nothing | E",
    ]


def test_changes_of_the_same_plate_are_named(log):
    comparison = compare(log({"score": 0.5, "looks": 40}), log({"score": 0.75, "looks": 41}))
    assert comparison.changed[0].fields == (FieldChange("score", 0.5, 0.75), FieldChange("looks", 40, 41))
    assert comparison.same_vehicles
    assert not comparison.identical
    assert "         score: 0.5 | 0.75" in lines(comparison)


def test_a_change_of_time_is_named_where_it_stands(log):
    comparison = compare(log({"t": 10.0}), log({"t": 10.04}))
    assert [change.name for change in comparison.changed[0].fields] == [
        f"{stamp}.{field}" for stamp in ("first", "last", "best") for field in ("time", "media_time_s", "frame")
    ]


def test_vehicles_of_one_log_only(log):
    comparison = compare(
        log({"t": 0.0, "plate": "AAA111"}, {"t": 20.0, "plate": "BBB222"}),
        log({"t": 20.0, "plate": "BBB222"}, {"t": 40.0, "plate": "CCC333"}),
    )
    assert (_plates(comparison.only_a), _plates(comparison.only_b)) == (["AAA111"], ["CCC333"])
    assert lines(comparison)[-3:-1] == [
        "only A   gate  2026-05-01T08:00:00.250000Z  AAA111",
        "only B   gate  2026-05-01T08:00:40.250000Z  CCC333",
    ]


def test_two_at_once_are_told_apart_by_their_texts(log):
    comparison = compare(
        log({"t": 0.0, "plate": "AB12CD"}, {"t": 0.5, "plate": "XY98ZW"}), log({"t": 0.0, "plate": "XY98ZV"}, {"t": 0.5, "plate": "AB12CD"})
    )
    assert _pairs(comparison.changed) == [("AB12CD", "AB12CD")]
    assert _pairs(comparison.plate_differs) == [("XY98ZW", "XY98ZV")]


def test_two_unlike_plates_at_once_are_two_vehicles(log):
    comparison = compare(log({"plate": "AB12CD"}), log({"plate": "XY98ZW"}))
    assert (_plates(comparison.only_a), _plates(comparison.only_b)) == (["AB12CD"], ["XY98ZW"])


def test_a_vehicle_that_only_one_log_could_read_is_the_same(log):
    comparison = compare(log({"plate": "AB12CD"}), log(UNREAD))
    assert _pairs(comparison.plate_differs) == [("AB12CD", None)]
    assert lines(comparison)[0].endswith("AB12CD | -")


def test_an_exact_match_is_not_broken_up_for_two_poor_ones(log):
    comparison = compare(
        log({"t": 0.0, "plate": "AB12CD"}, {"t": 1.0, "plate": "AB34EF"}), log({"t": 1.0, "plate": "AB34EF"}, {"t": 2.0, "plate": "XY34EF"})
    )
    assert _pairs(comparison.same) == [("AB34EF", "AB34EF")]


def test_the_same_plate_later_is_another_passage(log):
    comparison = compare(log({"t": 0.0}), log({"t": 6.1}))
    assert (len(comparison.only_a), len(comparison.only_b)) == (1, 1)
    assert compare(log({"t": 0.0}), log({"t": 5.9})).same_vehicles
    assert compare(log({"t": 0.0}), log({"t": 6.1}), tolerance_s=3).same_vehicles


@pytest.mark.parametrize(("fields", "is_same"), [({"source_id": "other"}, False), ({"session": 2}, False), ({}, True)])
def test_only_the_same_source_and_recording_is_compared(log, fields, is_same):
    assert compare(log({}), log(fields)).same_vehicles == is_same


def test_recordings_go_by_their_own_time_and_cameras_by_the_time_of_day(log):
    later = datetime(2026, 5, 1, 11, 0, 0, tzinfo=UTC)
    assert compare(log({"clock": "file_time"}), log({"clock": "file_time", "start": later})).same_vehicles
    assert not compare(log({"clock": "arrival"}), log({"clock": "arrival", "start": later})).same_vehicles
    # The second run connected five seconds later: its media times differ, the time of day does not.
    start = datetime(2026, 5, 1, 8, 0, 0, tzinfo=UTC)
    first, second = {"t": 10.0, "start": start}, {"t": 5.0, "start": start + timedelta(seconds=5), "session": 4}
    assert compare(log(first | {"clock": "arrival"}), log(second | {"clock": "arrival"})).same_vehicles


def test_only_final_events_count_unless_asked(log):
    preview = log({"state": "preview"}, {"state": "final"})
    assert compare(preview, log({})).identical
    assert len(compare(preview, log({}), states=("preview", "final")).only_a) == 1


def test_what_the_whole_logs_differ_in_is_told_once(log):
    comparison = compare(log({}, {"t": 50.0}), log({}, {"t": 50.0}, program_version="9"))
    assert comparison.runs == (FieldChange("program_version", '"0.1.0"', '"9"'),)
    assert (len(comparison.same), comparison.identical, comparison.same_vehicles) == (2, False, True)
    assert lines(comparison)[0] == 'program_version differs: "0.1.0" | "9"'


def test_empty_logs(log):
    assert compare(log(), log()).identical
    assert len(compare(log({}), log()).only_a) == 1
    assert len(compare(log(), log({})).only_b) == 1


def test_a_folder_is_its_rotated_files_and_the_current_one(log, tmp_path):
    passages = [{"t": float(t)} for t in range(0, 60, 20)]
    whole = log(*passages)
    first, second, third = whole.read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "events-20260501T000000Z-0000000002.jsonl").write_text(second, encoding="utf-8")
    (tmp_path / "events-20260430T000000Z-0000000001.jsonl").write_text(first, encoding="utf-8")
    (tmp_path / "events.jsonl").write_text(third, encoding="utf-8")
    assert compare(whole, tmp_path).identical
    assert [vehicle.event["sequence"] for vehicle in read_log(tmp_path)] == [1, 2, 3]


def _without(event, field):
    return {key: value for key, value in event.items() if key != field}


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda event: to_line(event)[:-20], "control character"),
        (lambda event: "[]", "indices"),
        (lambda event: "", "Expecting value"),
        (lambda event: to_line(_without(event, "plate")), "'plate' is missing"),
        (lambda event: to_line(event | {"source": 3}), "source is no text"),
        (lambda event: to_line(event | {"plate": 3}), "plate is neither text nor null"),
        (lambda event: to_line(event | {"clock": "arrival", "first": {"time": "yesterday"}}), "yesterday"),
        (lambda event: "\xff", "JSON|decode|Expecting"),
    ],
)
def test_an_unreadable_line_is_named(log, make_event, tmp_path, spoil, why):
    file = tmp_path / "bad.jsonl"
    file.write_bytes(f"{to_line(make_event(1))}\n{spoil(make_event(2))}\n".encode("latin-1"))
    with pytest.raises(UsageError, match=rf"bad\.jsonl:2: not an event: .*({why})"):
        compare(log({}), file)


def test_a_missing_log_is_named(log, tmp_path):
    with pytest.raises(UsageError, match=r"nothing\.jsonl: cannot be read: No such file"):
        compare(log({}), tmp_path / "nothing.jsonl")
    with pytest.raises(UsageError, match=r"events\.jsonl: cannot be read"):
        compare(tmp_path, log({}))


plates = st.text("ABC12", min_size=3, max_size=6) | st.none()
traffic = st.lists(st.tuples(st.integers(0, 40), plates, st.sampled_from(["north", "south"])), max_size=12)


@given(ours=traffic, theirs=traffic)
def test_every_vehicle_is_in_exactly_one_list(log, ours, theirs):
    left, right = (
        read_log(log(*({"t": float(t), "source_id": source} | ({"plate": plate} if plate else UNREAD) for t, plate, source in side)))
        for side in (ours, theirs)
    )
    comparison = compare_vehicles(left, right)
    pairs = [*comparison.same, *comparison.changed, *comparison.plate_differs]
    sequences = sorted(vehicle.event["sequence"] for vehicle in [*comparison.only_a, *(pair.a for pair in pairs)])
    assert sequences == list(range(1, len(ours) + 1))
    sequences = sorted(vehicle.event["sequence"] for vehicle in [*comparison.only_b, *(pair.b for pair in pairs)])
    assert sequences == list(range(1, len(theirs) + 1))
    assert all(pair.a.timeline == pair.b.timeline for pair in pairs)
    mirrored = compare_vehicles(right, left)
    assert mirrored.identical == comparison.identical
    assert compare_vehicles(left, left).identical


@given(ours=traffic, seed=st.integers(0, 100))
def test_the_order_of_a_log_does_not_matter(log, ours, seed):
    vehicles = read_log(log(*({"t": float(t), "source_id": source, "plate": plate or "X"} for t, plate, source in ours)))
    shuffled = random.Random(seed).sample(vehicles, len(vehicles))  # noqa: S311
    assert compare_vehicles(vehicles, shuffled).same_vehicles


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_day_of_traffic_takes_seconds(make_event, tmp_path):
    """20 000 vehicles, one every second, and a car that is parked all day; one plate in fifty is read otherwise."""
    event = make_event(1)
    rng = random.Random(5)  # noqa: S311

    def line(number, plate, start, end):
        stamps = {"first": event["first"] | {"media_time_s": start}, "last": event["last"] | {"media_time_s": end}}
        return json.dumps(event | stamps | {"sequence": number, "plate": plate})

    ours, theirs = [line(0, "PARKED1", 0, 20_000)], [line(0, "PARKED1", 0, 20_000)]
    for number in range(1, 20_000):
        plate = "".join(rng.choices("ABCDEFGHJK0123456789", k=7))
        ours.append(line(number, plate, number, number + 2))
        theirs.append(line(number, plate[:-1] + "X" if number % 50 == 0 else plate, number, number + 2))
    for name, log in (("a", ours), ("b", theirs)):
        (tmp_path / name).write_text("\n".join(log) + "\n")
    comparison = compare(tmp_path / "a", tmp_path / "b")
    assert (len(comparison.same), len(comparison.plate_differs)) == (20_000 - 399, 399)
