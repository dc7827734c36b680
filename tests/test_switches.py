"""Vehicles that take over the track of another one: found through the doors of PassageBook, and the pure rules behind it."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.passages import PassageBook, PassageRules
from streamer.plates import FormatBook
from streamer.switches import SwitchRule, strangeness
from streamer.types import Passage, PlateRead
from tests.drives import RULES, Drive, Look, finals

FORMATS = FormatBook.load()
PLATE, OTHER, THIRD = "AB12CDE", "XY98ZWV", "KL34MNP"
FPS = 2.0


def drive_with(rules: PassageRules = RULES) -> Drive:
    return Drive(PassageBook("gate", rules, FORMATS))


@pytest.fixture
def drive() -> Drive:
    return drive_with()


def follow(drive: Drive, stretches: Sequence[tuple[str | None, float]], fps: float = FPS, x: float = 200.0, height: float = 30.0) -> float:
    """One track that reads each text for so many seconds; gives the time after the last frame."""
    index = len(drive.texts)
    for text, seconds in stretches:
        for _ in range(round(seconds * fps)):
            drive.frame(index / fps, [Look(1, text, x=x, height=height)])
            index += 1
    return index / fps


def final(passages: Sequence[Passage]) -> list[Passage]:
    return [passage for passage in passages if passage.state == "final"]


def test_a_vehicle_that_takes_over_the_track_of_the_one_before_is_a_passage_of_its_own(drive: Drive) -> None:
    follow(drive, [(PLATE, 6.0), (OTHER, 6.0)])
    one, other = final(drive.finish())
    assert [(p.key, p.plate, p.tracks, p.session) for p in (one, other)] == [("0-1", PLATE, (1,), 0), ("0-1.2", OTHER, (1,), 0)]
    assert one.first.t == 0.0
    assert one.last.t < 6.0 <= other.first.t < 9.0
    assert other.last.t == 11.5
    assert one.first.t <= one.best.t <= one.last.t
    assert other.first.t <= other.best.t <= other.last.t
    assert one.looks == one.last.t * FPS + 1
    assert other.looks == (other.last.t - other.first.t) * FPS + 1
    assert one.reads + other.reads == drive.reads


def test_both_vehicles_of_a_track_are_told_while_they_are_in_view(drive: Drive) -> None:
    t = follow(drive, [(PLATE, 6.0), (OTHER, 8.0)])
    assert [(p.state, p.key, p.plate) for p in drive.passages] == [("preview", "0-1", PLATE), ("preview", "0-1.2", OTHER)]
    assert drive.book.best_text(0, 1) == OTHER
    drive.frame(t, [Look(1, OTHER)])
    assert drive.book.open_tracks(0) == [1]
    drive.frame(t + 2.0, [], ended=[1])
    drive.frame(t + 12.0, [])
    assert finals(drive.passages) == [PLATE, OTHER]


def test_any_number_of_vehicles_may_share_a_track(drive: Drive) -> None:
    follow(drive, [(PLATE, 6.0), (OTHER, 6.0), (THIRD, 6.0)])
    assert [(p.key, p.plate) for p in final(drive.finish())] == [("0-1", PLATE), ("0-1.2", OTHER), ("0-1.3", THIRD)]


def test_a_vehicle_that_was_hidden_by_another_on_its_own_track_is_still_one_passage(drive: Drive) -> None:
    follow(drive, [(PLATE, 5.0), (OTHER, 8.0), (PLATE, 9.0)])
    one, other = sorted(final(drive.finish()), key=lambda passage: passage.key)
    assert [(one.plate, one.tracks), (other.plate, other.tracks)] == [(PLATE, (1, 1)), (OTHER, (1,))]
    assert one.last.t == 21.5


def test_a_vehicle_that_is_there_until_the_end_of_the_track_only_is_found_in_what_was_not_read_yet(drive: Drive) -> None:
    follow(drive, [(PLATE, 4.0)], fps=10.0)
    follow(drive, [(OTHER, 1.1)], fps=10.0, x=500.0)
    assert finals(drive.finish()) == [PLATE, OTHER]


@pytest.mark.parametrize(
    "ends",
    [
        ["12CDE"],  # cut off by the rim
        ["AB12C"],
        ["B12CD"],
        ["CDE"],
        ["CDE7H"],  # half hidden, and something read into the rest
        ["7HK4CDE"],
        ["AB12CDF"],  # misread
        ["48I2GOE"],
        ["XY98ZWV", "KL34MNP", "QR56STU", "GH71KLM"],  # never the same
        ["XY98ZWV", "12CDE"],
        ["XY98ZWV", None, "AB12CDE"],
        ["XY98"],  # too short
        ["W4W4W4W"],  # nobody's form
    ],
)
def test_a_plate_that_leaves_or_is_hidden_is_not_another_vehicle(drive: Drive, ends: list[str | None]) -> None:
    follow(drive, [(PLATE, 3.0), *((end, 0.5) for end in ends * (16 // len(ends)))])
    (passage,) = final(drive.finish())
    assert (passage.plate, passage.key, passage.last.t, passage.looks) == (PLATE, "0-1", (len(drive.texts) - 1) / FPS, len(drive.texts))


@pytest.mark.parametrize("end", ["XY98ZWV", "12CDE", "7HK4CDE"])
def test_checks_do_not_vote(drive: Drive, end: str) -> None:
    undisturbed = drive_with()
    follow(undisturbed, [(PLATE, 2.5)])
    follow(drive, [(PLATE, 4.0), (end, 0.5), (PLATE, 9.0)])
    (one,), (other,) = final(undisturbed.finish()), final(drive.finish())
    assert (one.score, one.char_scores, one.alternatives, one.raw) == (other.score, other.char_scores, other.alternatives, other.raw)
    assert one.reads < other.reads == drive.reads


def test_what_is_read_with_a_poor_score_is_not_another_vehicle(drive: Drive) -> None:
    follow(drive, [(PLATE, 3.0)])
    drive.read_score = 0.7
    follow(drive, [(OTHER, 8.0)])
    assert finals(drive.finish()) == [PLATE]


def test_what_is_read_from_much_further_away_is_not_another_vehicle(drive: Drive) -> None:
    follow(drive, [(PLATE, 3.0)])
    follow(drive, [(OTHER, 0.5)], height=12.0)
    before = drive.reads
    follow(drive, [(OTHER, 8.0)], height=12.0)
    assert drive.reads == before
    assert finals(drive.finish()) == [PLATE]


def test_what_is_read_much_better_corrects_the_plate_and_is_not_another_vehicle(drive: Drive) -> None:
    follow(drive, [(OTHER, 3.0)], height=10.0)
    follow(drive, [(PLATE, 8.0)], height=30.0)
    assert [p.key for p in final(drive.finish())] == ["0-1"]


def test_another_text_before_the_vote_is_sure_does_nothing(drive: Drive) -> None:
    follow(drive, [(PLATE, 1.5), (OTHER, 12.0)])
    (passage,) = final(drive.finish())
    assert (passage.key, passage.looks) == ("0-1", 27)


def test_as_many_looks_in_a_row_as_make_a_plate(drive: Drive) -> None:
    strict = drive_with(replace(RULES, vote=replace(RULES.vote, min_reads=3)))
    for book in (drive, strict):
        follow(book, [(PLATE, 2.5), (OTHER, 1.5)])  # is read twice, and once more when it has ended
        assert book.book.best_text(0, 1) == (OTHER if book is drive else PLATE)
    assert finals(strict.finish()) == [PLATE, OTHER]


def reads_by_minute(drive: Drive, texts: Sequence[str], minutes: int, fps: float = 5.0) -> list[int]:
    counts = []
    for minute in range(minutes):
        before = drive.reads
        for k in range(round(60 * fps)):
            index = minute * round(60 * fps) + k
            drive.frame(index / fps, [Look(1, PLATE if minute == 0 else texts[index % len(texts)])])
        counts.append(drive.reads - before)
    return counts


def test_a_parked_vehicle_is_checked_ever_more_rarely(drive: Drive) -> None:
    read_at = []
    for k in range(600):
        before = drive.reads
        drive.frame(k / 10, [Look(1, PLATE)])
        read_at += [k / 10] * (drive.reads - before)
    pauses = [later - earlier for earlier, later in itertools.pairwise(read_at[3:])]
    assert pauses == pytest.approx([1, 2, 4, 8, 8, 8, 8, 8, 8], abs=0.21)


def test_a_vehicle_that_moves_is_checked_every_second(drive: Drive) -> None:
    for k in range(100):
        drive.frame(k / 10, [Look(1, PLATE, x=100.0 + 8 * k)])
    assert 10 <= drive.reads <= RULES.vote.sure_reads + 10


@pytest.mark.parametrize(
    "texts",
    [
        [PLATE],
        ["12CDE"],
        [OTHER, THIRD, "QR56STU", "GH71KLM", "PF20XYZ"],
        [OTHER, PLATE],
        [OTHER, "12CDE"],
    ],
)
def test_whatever_stands_before_a_parked_vehicle_does_not_keep_the_reader_busy(drive: Drive, texts: list[str]) -> None:
    counts = reads_by_minute(drive, texts, 5)
    assert max(counts) <= 25
    assert counts[-1] <= 16


def test_a_doubt_is_settled_at_the_ordinary_pace(drive: Drive) -> None:
    follow(drive, [(PLATE, 20.0)], fps=10.0)
    before, index = drive.reads, len(drive.texts)
    while drive.reads == before:
        drive.frame(index / 10, [Look(1, OTHER)])
        index += 1
    for k in range(index, index + 3):
        drive.frame(k / 10, [Look(1, OTHER)])
    assert drive.book.best_text(0, 1) == OTHER


STRETCHES = st.lists(
    st.tuples(st.sampled_from([PLATE, OTHER, THIRD, "12CDE", "AB12CDF", "GARBAGE7", None]), st.integers(1, 12)), min_size=1, max_size=8
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STRETCHES, min_size=1, max_size=3), st.sampled_from([1.0, 2.0, 5.0, 10.0]))
def test_every_read_belongs_to_one_passage_and_every_passage_has_a_key_of_its_own(
    tracks: list[list[tuple[str | None, int]]], fps: float
) -> None:
    drive = drive_with(replace(RULES, same_plate_window_s=0.0, similar_plate_window_s=0.0))
    texts = [[text for text, looks in stretches for _ in range(looks)] for stretches in tracks]
    for index in range(max(map(len, texts))):
        looks = [Look(n, seen[index], x=300.0 * n) for n, seen in enumerate(texts) if index < len(seen)]
        drive.frame(index / fps, looks, ended=[n for n, seen in enumerate(texts) if index == len(seen)])
    passages = final(drive.finish())
    keys = Counter(passage.key for passage in passages)
    assert set(keys.values()) <= {1}
    if not drive.book.fleeting:
        assert sum(passage.reads for passage in passages) == drive.texts_read
    else:
        assert sum(passage.reads for passage in passages) <= drive.texts_read
    assert sum(passage.looks for passage in passages) <= sum(map(len, texts))
    for passage in passages:
        assert passage.first.t <= passage.best.t <= passage.last.t
        if len(passage.tracks) == 1:
            assert 1 <= passage.looks <= round((passage.last.t - passage.first.t) * fps) + 1
    for one, other in itertools.permutations([passage for passage in passages if len(passage.tracks) == 1], 2):
        assert one.tracks != other.tracks or one.last.t < other.first.t or other.last.t < one.first.t


TEXTS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=12)


@given(TEXTS, TEXTS)
def test_strangeness_is_a_share_and_parts_have_none(a: str, b: str) -> None:
    assert 0.0 <= strangeness(a, b) <= 1.0
    assert strangeness(a, a) == 0.0
    assert strangeness(a, a + b) == strangeness(b, a + b) == strangeness(a + b, b) == 0.0


@pytest.mark.parametrize(
    ("text", "plate", "another"),
    [
        ("XY98ZWV", "AB12CDE", True),
        ("34A23126", "34A36837", True),  # of the same province
        ("M5CEU", "SV09XHH", True),  # much shorter, and with nothing in common
        ("AB123", "AB98ZWV", False),
        ("36837", "34A36837", False),  # one of two lines
        ("GB77AB12CDE", "AB12CDE", False),  # a band beside it
        ("AB12CDE", "AB12CDE", False),
        ("ABIZCDE", "AB12CDE", False),
        ("XY98", "AB12CDE", False),
        ("XY98ZWVKL34MNP", "AB12CDE", False),  # longer than any plate
    ],
)
def test_which_texts_can_only_be_of_another_plate(text: str, plate: str, another: bool) -> None:
    rule = SwitchRule(RULES.vote, FORMATS)
    assert rule.contradicts(PlateRead(text, (0.99,) * len(text)), plate) is another
    assert not rule.contradicts(PlateRead(text, (0.5,) * len(text)), plate)


def test_a_text_in_no_countrys_form_counts_only_where_plates_have_none() -> None:
    rule = SwitchRule(RULES.vote, FORMATS)
    formless = PlateRead("QQQQQQQQ", (0.99,) * 8)
    assert not rule.contradicts(formless, "AB12CDE")
    assert rule.contradicts(formless, "ZZZZZZZZZ") or FORMATS.rank("ZZZZZZZZZ")[0].fits
