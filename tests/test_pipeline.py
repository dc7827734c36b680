"""The pipeline with scripted networks and the real tracker, vote and passages."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.passages import PassageBook, PassageRules
from streamer.pipeline import Pipeline, TrackedPlate
from streamer.plates import FormatBook
from streamer.tracker import PlateTracker
from streamer.types import Box, Detection, Frame, Image, ModelInfo, Passage, PlateRead, SessionEnd
from streamer.vote import Decision, Vote, VoteRules

START = datetime(2026, 5, 1, 8, tzinfo=UTC)
FORMATS = FormatBook.load()
RULES = VoteRules(min_reads=2, sure_reads=4, min_chars=3, max_chars=12)
SINGLE = VoteRules(min_reads=1, sure_reads=1, min_chars=3, max_chars=12)
PASSAGES = PassageRules(0.2, 8.0, 10.0, 4.0, RULES)
PLATES = ("AB12CDE", "XY98ZWV", "KL34MNP", "QR56STU")


class ScriptedDetector:
    """Finds the plates that a picture's first row spells: (vehicle number, x, y) in each three pixels."""

    info = ModelInfo("scripted", "0" * 64, "none")

    def __init__(self) -> None:
        self.calls: list[int] = []

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        self.calls.append(len(images))
        return [[Detection(Box(x, y, x + 90, y + 24), 0.9) for _, x, y in spelled(image)] for image in images]


class ScriptedReader:
    """Reads the vehicle number out of the crop's brightness; vehicle 4 has a character outside the alphabet."""

    info = ModelInfo("scripted", "1" * 64, "none")

    def __init__(self) -> None:
        self.calls: list[int] = []

    def read(self, crops: Sequence[Image]) -> list[PlateRead | None]:
        self.calls.append(len(crops))
        return [self._one(crop) for crop in crops]

    def _one(self, crop: Image) -> PlateRead | None:
        number = round(float(crop[crop.shape[0] // 2, crop.shape[1] // 2, 2])) // 40
        return None if number == 0 else PlateRead(PLATES[number - 1], (0.9,) * 7, unread=int(number == 4))


def picture(plates: Sequence[tuple[int, int, int]]) -> Image:
    """A picture with plates (vehicle 1..4, x, y): striped in green, the number in red."""
    image = np.zeros((360, 640, 3), np.uint8)
    for place, (number, x, y) in enumerate(plates):
        image[0, place] = (number, x // 4, y // 2)
        image[y : y + 24, x : x + 90, 1] = np.where(np.arange(90) // 4 % 2, 220, 20)
        image[y : y + 24, x : x + 90, 2] = 40 * number
    return image


def spelled(image: Image) -> list[tuple[int, int, int]]:
    return [(int(n), int(x) * 4, int(y) * 2) for n, x, y in image[0] if n]


def frames(source: str, vehicles: Sequence[tuple[int, float, float, int]], seconds: float, session: int = 0) -> list[Frame]:
    """Vehicles (number, from s, to s, y) that drive from left to right at 10 frames a second."""
    made = []
    for k in range(round(seconds * 10)):
        t = k / 10
        plates = [(n, 8 + round(400 * (t - a) / (b - a)) // 4 * 4, y) for n, a, b, y in vehicles if a <= t <= b]
        made.append(Frame(source, session, k, t, t, START + timedelta(seconds=t), "option", picture(plates)))
    return made


def single(read: PlateRead | None) -> Decision:
    vote = Vote(SINGLE, FORMATS)
    if read is not None:
        vote.add(read, weight=1.0, order=0)
    return vote.decision()


def build(observer: object = None) -> Pipeline:
    return Pipeline(
        ScriptedDetector(),
        ScriptedReader(),
        make_tracker=lambda: PlateTracker(lost_after_s=1.5, reach=3.0, min_score=0.25),
        make_book=lambda source: PassageBook(source, PASSAGES, FORMATS),
        decide_single=single,
        observer=observer,
    )


def summary(passages: Sequence[Passage]) -> list[tuple[object, ...]]:
    return [
        (p.source_id, p.state, p.key, p.plate, p.raw, p.score, p.char_scores, p.looks, p.reads, p.first, p.last, p.best, p.box)
        for p in passages
    ]


def split(items: Sequence[Frame | SessionEnd], sizes: Iterator[int]) -> Iterator[Sequence[Frame | SessionEnd]]:
    begin = 0
    while begin < len(items):
        size = next(sizes)
        yield items[begin : begin + size]
        begin += size


def play(items: Sequence[Frame | SessionEnd], sizes: Sequence[int]) -> list[tuple[object, ...]]:
    pipeline = build()
    endless = (sizes[k % len(sizes)] for k in range(10**6))
    passages = [p for part in split(items, endless) for p in pipeline.process(part)]
    return summary([*passages, *pipeline.flush()])


SCENE = [*frames("gate", [(1, 0.0, 3.0, 40), (2, 0.5, 2.5, 200), (3, 16.0, 18.0, 120)], 20.0), SessionEnd("gate", 0)]


def test_one_passage_per_vehicle_and_in_time() -> None:
    passages = [row for row in play(SCENE, [1]) if row[1] == "final"]
    assert [row[3] for row in passages] == ["XY98ZWV", "AB12CDE", "KL34MNP"]


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_batches_never_change_a_result(sizes: list[int]) -> None:
    assert play(SCENE, sizes) == play(SCENE, [1])


def tailgating(fps: float = 2.0) -> list[Frame | SessionEnd]:
    """Vehicle 1 stands at a gate for 7 s; a second later vehicle 2 stands there, which the tracker cannot know."""
    made: list[Frame | SessionEnd] = []
    for k in range(round(16 * fps)):
        t = k / fps
        plates = [(1, 200, 120)] if t < 7.0 else [(2, 204, 120)] if t >= 8.0 else []
        made.append(Frame("gate", 0, k, t, t, START + timedelta(seconds=t), "option", picture(plates)))
    return [*made, SessionEnd("gate", 0)]


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_two_vehicles_on_one_track_are_two_passages_however_frames_are_batched(sizes: list[int]) -> None:
    rows = play(tailgating(), sizes)
    assert [(row[2], row[3]) for row in rows if row[1] == "final"] == [("0-1", "AB12CDE"), ("0-1.2", "XY98ZWV")]
    assert rows == play(tailgating(), [1])


def test_sources_share_calls_and_do_not_mix() -> None:
    pipeline = build()
    north, south = frames("north", [(1, 0.0, 2.0, 40)], 3.0), frames("south", [(2, 0.0, 2.0, 40)], 3.0)
    passages = [p for pair in zip(north, south, strict=True) for p in pipeline.process(pair)] + pipeline.flush()
    assert sorted((p.source_id, p.plate) for p in passages if p.state == "final") == [("north", "AB12CDE"), ("south", "XY98ZWV")]
    assert set(pipeline.detector.calls) == {2}
    assert max(pipeline.reader.calls) == 2


def test_the_end_of_a_session_ends_its_tracks_at_once() -> None:
    pipeline = build()
    passages = pipeline.process([*frames("gate", [(1, 0.0, 1.9, 40)], 2.0), SessionEnd("gate", 0)])
    later = frames("gate", [], 40.0, session=1)
    passages += pipeline.process(
        [Frame(f.source_id, 1, f.index, f.t, f.t, f.wall + timedelta(seconds=2), "option", f.image) for f in later]
    )
    assert [p.plate for p in passages if p.state == "final"] == ["AB12CDE"]


def test_the_observer_sees_every_frame_with_what_is_read_so_far() -> None:
    seen: list[tuple[int, list[TrackedPlate]]] = []
    pipeline = build(lambda frame, plates: seen.append((frame.index, list(plates))))
    pipeline.process(frames("gate", [(1, 0.0, 2.0, 40)], 3.0))
    assert [index for index, _ in seen] == list(range(30))
    assert seen[0][1][0].text is None
    assert seen[20][1][0].text == "AB12CDE"
    assert seen[-1][1] == []


def test_single_pictures_give_plates_best_first_and_the_unread_last() -> None:
    first, second = build().read_many([picture([(4, 40, 40), (2, 300, 200)]), picture([])])
    assert {(plate.plate, plate.unread_chars) for plate in first} == {("QR56STU", 1), ("XY98ZWV", 0)}
    assert second == []
    assert [p.score * p.box_score for p in first] == sorted((p.score * p.box_score for p in first), reverse=True)


def test_nothing_in_nothing_out() -> None:
    pipeline = build()
    assert pipeline.process([]) == []
    assert pipeline.flush() == []
    assert pipeline.finish("nobody") == []


def test_memory_does_not_grow_with_sessions() -> None:
    pipeline = build()
    for session in range(5):
        pipeline.process([*frames("gate", [(1, 0.0, 1.0, 40)], 1.5, session), SessionEnd("gate", session)])
    assert pipeline._trackers == {}


def test_crops_do_not_pin_their_frames() -> None:
    pipeline = build()
    passages = [*pipeline.process(frames("gate", [(1, 0.0, 1.0, 40)], 2.0)), *pipeline.flush()]
    assert all(p.crop.base is None and p.crop.dtype == np.uint8 for p in passages)


def damaged(frame: Frame, number: int) -> Frame:
    """What a damaged picture may look like: another plate where the vehicle is, and one where none is."""
    _, x, y = (spelled(frame.image) or [(0, 40, 40)])[0]
    return replace(frame, image=picture([(number, x, y), (number, 500, 300)]), suspect=True)


def test_damage_neither_votes_nor_makes_vehicles_but_keeps_track_of_them() -> None:
    sound = frames("gate", [(1, 0.0, 4.0, 40)], 6.0)
    half = [damaged(frame, 2) if 10 <= frame.index < 30 else frame for frame in sound]
    pipeline = build()
    finals = [p for p in [*pipeline.process(half), *pipeline.flush()] if p.state == "final"]
    assert [(p.plate, p.tracks) for p in finals] == [("AB12CDE", (1,))]
    assert finals[0].looks == 41 - 20


def test_other_rules_hold_for_what_comes_and_vehicles_in_view_are_not_split() -> None:
    pipeline = build()
    scene = frames("gate", [(1, 0.0, 3.0, 40), (2, 16.0, 19.0, 40)], 32.0)
    strict = PassageRules(0.2, 8.0, 10.0, 4.0, replace(RULES, min_reads=50))
    passages = pipeline.process(scene[:20])
    pipeline.adopt(lambda: PlateTracker(lost_after_s=1.5, reach=3.0, min_score=0.25), lambda source: PassageBook(source, strict, FORMATS))
    passages += [*pipeline.process(scene[20:]), *pipeline.flush()]
    assert [(p.plate, p.raw) for p in passages if p.state == "final"] == [("AB12CDE", "AB12CDE"), (None, "XY98ZWV")]


def test_what_live_frames_tell_of_their_times_reaches_the_passage() -> None:
    told = [replace(frame, clock="rtcp", clock_offset_s=0.25, age_s=0.125) for frame in frames("gate", [(1, 0.0, 2.0, 40)], 3.0)]
    pipeline = build()
    final = next(p for p in [*pipeline.process(told), *pipeline.flush()] if p.state == "final")
    assert (final.clock, final.clock_offset_s, final.age_s) == ("rtcp", 0.25, 0.125)


def test_a_clock_that_is_set_back_between_sessions_holds_nothing_up() -> None:
    pipeline = build()
    passages = pipeline.process([*frames("gate", [(1, 0.0, 1.9, 40)], 2.0), SessionEnd("gate", 0)])
    back = [replace(frame, session=1, wall=frame.wall - timedelta(hours=1)) for frame in frames("gate", [], 2.0)]
    passages += pipeline.process(back)
    assert [p.plate for p in passages if p.state == "final"] == ["AB12CDE"]
