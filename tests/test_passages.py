"""PassageBook through its public door: looks in, passages out, with the real vote and formats."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from streamer.passages import PassageBook
from streamer.plates import FormatBook
from tests.drives import RULES, START, Drive, Look, finals


@pytest.fixture(scope="module")
def formats() -> FormatBook:
    return FormatBook.load()


@pytest.fixture
def drive(formats: FormatBook) -> Drive:
    return Drive(PassageBook("gate", RULES, formats))


def test_one_track_is_one_passage(drive: Drive) -> None:
    drive.track(1, "AB12CDE", 0.0, 2.0)
    (passage,) = [p for p in drive.finish() if p.state == "final"]
    assert passage.plate == passage.raw == "AB12CDE"
    assert (passage.looks, passage.tracks, passage.session) == (21, (1,), 0)
    assert passage.first.t == pytest.approx(0.0)
    assert passage.last.t == pytest.approx(2.0)
    assert passage.first.t <= passage.best.t <= passage.last.t
    assert passage.last.wall == START + timedelta(seconds=passage.last.t)
    assert len(passage.char_scores) == 7
    assert 0 < (passage.score or 0) <= 1
    assert passage.reason is None


def test_characters_outside_the_alphabet_are_counted_over_all_tracks_of_a_passage(drive: Drive) -> None:
    drive.unread = 1
    drive.track(1, "A12345", 0.0, 1.0)
    drive.unread = 0
    drive.track(2, "A12345", 3.0, 3.1)
    (passage,) = [p for p in drive.finish() if p.state == "final"]
    assert (passage.plate, passage.tracks, passage.unread_chars) == ("A12345", (1, 2), 1)


def test_reading_stops_when_the_vote_is_sure_but_for_a_check_now_and_then(drive: Drive) -> None:
    drive.track(1, "AB12CDE", 0.0, 1.5)
    assert drive.reads == RULES.vote.sure_reads
    drive.track(2, "AB12CDE", 20.0, 40.0)
    assert drive.reads <= 2 * RULES.vote.sure_reads + 5


def test_reading_goes_on_while_looks_disagree_but_not_at_the_same_pace_for_ever(drive: Drive) -> None:
    for k in range(1200):
        drive.frame(k * 0.1, [Look(1, "AB12CDE" if k % 4 < 2 else "XY98ZWV")])
    assert RULES.vote.sure_reads < drive.reads < 100


def test_a_much_more_legible_look_puts_a_sure_vote_to_the_test(drive: Drive) -> None:
    drive.track(1, "AB12CDE", 0.0, 2.0, height=10.0)
    before = drive.reads
    for k in range(20):
        drive.frame(3.0 + k * 0.1, [Look(2, "AB12CDE", height=10.0 if k < 12 else 40.0)])
    assert drive.reads - before > RULES.vote.sure_reads


def test_a_track_too_short_for_two_intervals_is_still_read_twice(drive: Drive) -> None:
    drive.track(1, "AB12CDE", 0.01, 0.16, step=0.05)
    assert finals(drive.finish()) == ["AB12CDE"]


def test_the_identical_plate_soon_again_is_the_same_passage(drive: Drive) -> None:
    drive.track(1, "AB12CDE", 0.0, 1.0)
    drive.track(2, "AB12CDE", 8.0, 9.0, x=700.0)
    (passage,) = [p for p in drive.finish() if p.state == "final"]
    assert passage.tracks == (1, 2)
    assert passage.looks == 22
    assert passage.last.t == pytest.approx(9.0)


def test_the_identical_plate_much_later_is_another_passage(drive: Drive) -> None:
    drive.track(1, "AB12CDE", 0.0, 1.0)
    drive.track(2, "AB12CDE", 13.0, 14.0)
    assert finals(drive.finish()) == ["AB12CDE", "AB12CDE"]


def test_a_similar_plate_soon_again_is_the_same_passage_and_later_another(formats: FormatBook) -> None:
    near, far = (Drive(PassageBook("gate", RULES, formats)) for _ in range(2))
    near.track(1, "AB12CDE", 0.0, 1.0)
    near.track(2, "AB12CDF", 3.0, 3.5)
    far.track(1, "AB12CDE", 0.0, 1.0)
    far.track(2, "AB12CDF", 6.0, 6.5)
    assert len(finals(near.finish())) == 1
    assert finals(far.finish()) == ["AB12CDE", "AB12CDF"]


def test_similar_plates_in_view_together_are_two_vehicles(drive: Drive) -> None:
    for k in range(20):
        drive.frame(k * 0.1, [Look(1, "AB12CDE", x=100), Look(2, "AB12CDF", x=800)])
    drive.frame(2.0, [], ended=[1, 2])
    assert sorted(map(str, finals(drive.finish()))) == ["AB12CDE", "AB12CDF"]


def test_a_broken_track_is_stitched_to_the_one_that_was_read(drive: Drive) -> None:
    drive.track(1, None, 0.0, 1.0, x=200.0, height=20.0)
    drive.track(2, "AB12CDE", 1.4, 3.0, x=260.0, height=24.0)
    (passage,) = [p for p in drive.finish() if p.state == "final"]
    assert (passage.plate, passage.tracks) == ("AB12CDE", (1, 2))


def test_an_unread_plate_elsewhere_is_a_vehicle_of_its_own(drive: Drive) -> None:
    drive.track(1, None, 0.0, 1.0, x=100.0)
    drive.track(2, "AB12CDE", 1.4, 3.0, x=1000.0)
    assert sorted(map(str, finals(drive.finish()))) == ["AB12CDE", "None"]


@pytest.mark.parametrize(
    ("look", "reason"),
    [
        ({"height": 6.0}, "too_small"),
        ({"x": 1278.5 - 4.5 * 30.0}, "cut_off"),
        ({}, "too_few_looks"),
    ],
)
def test_an_unread_vehicle_is_a_passage_with_its_reason(drive: Drive, look: dict[str, float], reason: str) -> None:
    drive.track(1, None, 0.0, 1.0, **look)
    (passage,) = drive.finish()
    assert (passage.plate, passage.raw, passage.score, passage.char_scores) == (None, None, None, ())
    assert passage.reason == reason
    assert passage.crop.size > 0


def test_plates_that_the_rim_may_cut_do_not_vote(drive: Drive) -> None:
    """What is left of a plate reads like a plate, look after look: `R2900` of `R2900TY`."""
    for k in range(30):
        drive.frame(k / 10, [Look(1, "R2900", x=1280.0 - 4.5 * 30.0)])
    for k in range(30, 45):
        drive.frame(k / 10, [Look(1, "R2900TY", x=1100.0)])
    (passage,) = [one for one in drive.finish() if one.state == "final"]
    assert (passage.plate, passage.looks) == ("R2900TY", 45)
    assert "R2900" not in {text for text, _ in passage.alternatives}


@pytest.mark.parametrize("x", [0.0, 1280.0 - 4.5 * 30.0])
def test_a_plate_of_which_only_a_part_was_seen_is_not_read(drive: Drive, x: float) -> None:
    drive.track(1, "R2900", 0.0, 3.0, x=x)
    (passage,) = drive.finish()
    assert (passage.plate, passage.reason, drive.reads) == (None, "cut_off", 0)


def test_a_blurred_vehicle_says_so(drive: Drive) -> None:
    gradient = np.linspace(60, 190, 1280).astype(np.uint8)
    drive.image = np.repeat(np.tile(gradient, (720, 1))[:, :, None], 3, axis=2)
    drive.track(1, None, 0.0, 1.0, height=40.0)
    assert [p.reason for p in drive.finish()] == ["blurred"]


def test_what_cannot_be_a_plate_is_rejected(drive: Drive) -> None:
    drive.track(1, "AB", 0.0, 1.0)
    assert [(p.plate, p.raw, p.reason) for p in drive.finish()] == [(None, "AB", "rejected")]


def test_flickers_are_counted_not_recorded(drive: Drive) -> None:
    drive.track(1, None, 0.0, 0.1)
    drive.track(2, None, 5.0, 6.0, score=0.3)
    assert drive.finish() == []
    assert drive.book.fleeting == {"few_looks": 1, "low_score": 1}


def test_finals_come_as_soon_as_the_windows_have_passed(drive: Drive) -> None:
    drive.track(1, "AB12CDE", 0.0, 1.0)
    drive.frame(10.9, [])
    assert finals(drive.passages) == []
    drive.frame(11.1, [])
    assert finals(drive.passages) == ["AB12CDE"]


def test_a_car_that_parks_does_not_hold_back_the_one_before_it(drive: Drive) -> None:
    drive.track(1, "AB12CDE", 0.0, 1.0)
    for k in range(150):
        drive.frame(2.0 + k * 0.1, [Look(2, "XY98ZWV")])
    assert finals(drive.passages) == ["AB12CDE"]


def test_a_preview_comes_when_the_vote_is_sure_and_keeps_its_key(drive: Drive) -> None:
    drive.track(1, "AB12CDE", 0.0, 2.0)
    passages = drive.finish()
    assert [(p.state, p.plate) for p in passages] == [("preview", "AB12CDE"), ("final", "AB12CDE")]
    assert passages[0].key == passages[1].key
    assert passages[0].last.t < passages[1].last.t


def test_a_preview_that_joins_an_earlier_passage_is_withdrawn(drive: Drive) -> None:
    drive.track(1, "AB12CDE", 0.0, 2.0)
    drive.track(2, "AB12CDE", 4.0, 6.0)
    states = [(p.state, p.key) for p in drive.finish()]
    assert states == [("preview", "0-1"), ("preview", "0-2"), ("withdrawn", "0-2"), ("final", "0-1")]


def test_a_vehicle_across_two_files_of_a_recording_is_one_passage(drive: Drive) -> None:
    drive.track(1, "AB12CDE", 58.0, 60.0)
    drive.session, drive.wall_offset_s = 1, 60.0
    drive.track(1, "AB12CDE", 0.5, 2.0)
    (passage,) = [p for p in drive.finish() if p.state == "final"]
    assert passage.tracks == (1, 1)
    assert passage.last.wall == START + timedelta(seconds=62)


def test_windows_of_zero_keep_every_track_apart(formats: FormatBook) -> None:
    drive = Drive(PassageBook("gate", replace(RULES, same_plate_window_s=0.0, similar_plate_window_s=0.0), formats))
    drive.track(1, "AB12CDE", 0.0, 1.0)
    drive.track(2, "AB12CDE", 3.0, 4.0)
    assert finals(drive.finish()) == ["AB12CDE", "AB12CDE"]


def test_the_evidence_is_the_crop_that_was_read_and_a_copy(drive: Drive) -> None:
    drive.track(1, "AB12CDE", 0.0, 2.0)
    (passage,) = [p for p in drive.finish() if p.state == "final"]
    assert passage.crop.base is None
    assert passage.frame_size == (1280, 720)
    assert passage.box.x1 == 200.0
